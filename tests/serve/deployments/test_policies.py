"""The policies as Ray Serve's controller calls them, with what it hands them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from serve.control.scaling import FULL, DetectorLoad
from serve.deployments.policies import DetectorPolicy, ReaderPolicy


@dataclass
class Context:
    """As much of Serve's `AutoscalingContext` as a policy looks at."""

    target_num_replicas: int
    capacity_adjusted_min_replicas: int = 1
    capacity_adjusted_max_replicas: int = 20
    raw_metrics: dict[str, dict[str, list[Any]]] = field(default_factory=dict)


def series(*samples: tuple[float, float]) -> list[Any]:
    return [SimpleNamespace(timestamp=timestamp, value=value) for timestamp, value in samples]


def capacities(**readers: float) -> dict[str, list[Any]]:
    return {name: series((1000.0, capacity)) for name, capacity in readers.items()}


def test_readers_follow_the_newest_weight_of_all() -> None:
    """A frozen reader's last word stays with the controller for ever."""
    weights = {"reader-1": series((10.0, 99.0)), "reader-2": series((900.0, 1.0), (1000.0, 8 * FULL)), "new": []}
    metrics = {"registered_weight": weights, "capacity": capacities(reader=2.0)}
    assert ReaderPolicy()(Context(1, raw_metrics=metrics)) == (4, {})


def test_readers_may_take_more_or_less() -> None:
    metrics = {"registered_weight": {"one": series((1000.0, 12 * FULL))}, "capacity": capacities(one=1.0, two=3.0)}
    assert ReaderPolicy()(Context(1, raw_metrics=metrics)) == (6, {})


def test_the_limits_are_those_of_the_deployment_as_they_are_now() -> None:
    metrics = {"registered_weight": {"one": series((1000.0, 12 * FULL))}, "capacity": capacities(one=1.0)}
    policy = ReaderPolicy()
    assert policy(Context(1, 1, 20, metrics)) == (12, {})
    assert policy(Context(1, 1, 8, metrics)) == (8, {})
    assert policy(Context(1, 15, 20, metrics)) == (15, {})


def test_without_reports_all_stays_as_it_is() -> None:
    for policy in (ReaderPolicy(), DetectorPolicy()):
        assert policy(Context(3)) == (3, {})
        assert policy(Context(3, raw_metrics={"registered_weight": {}, "busy": {}})) == (3, {})
    unknown = {"registered_weight": {"one": series((1000.0, 12.0))}}
    assert ReaderPolicy()(Context(3, raw_metrics=unknown)) == (3, {})


def test_detectors_follow_what_all_of_them_report_that_are_alive() -> None:
    load = DetectorLoad(busy=1.0, queued_frames=0, oldest_age_s=0.0, frame_s=0.01)
    names = {name: getattr(load, name) for name in ("busy", "queued_frames", "oldest_age_s", "frame_s")}
    metrics = {
        name: {"one": series((1000.0, value)), "two": series((999.0, value)), "frozen": series((10.0, value))}
        for name, value in names.items()
    }
    assert DetectorPolicy()(Context(2, raw_metrics=metrics)) == (3, {})


@pytest.mark.parametrize("policy", ["ReaderPolicy", "DetectorPolicy"])
def test_serve_takes_them_by_name(policy: str) -> None:
    """As deploy/serve.yaml gives them."""
    name = f"serve.deployments.policies:{policy}"
    wanted = AutoscalingPolicy(policy_function=name, policy_kwargs={"look_back_s": 60})
    config = AutoscalingConfig(min_replicas=1, max_replicas=3, policy=wanted)
    made = config.policy.get_policy()(**config.policy.policy_kwargs)
    assert made(Context(2)) == (2, {})
