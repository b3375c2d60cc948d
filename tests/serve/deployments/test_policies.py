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
    raw_metrics: dict[str, dict[str, list[Any]]] = field(default_factory=dict)


def series(*samples: tuple[float, float]) -> list[Any]:
    return [SimpleNamespace(timestamp=timestamp, value=value) for timestamp, value in samples]


def test_readers_follow_the_newest_weight_of_all() -> None:
    """A frozen reader's last word stays with the controller for ever."""
    weights = {"reader-1": series((10.0, 99.0)), "reader-2": series((900.0, 1.0), (1000.0, 8 * FULL)), "new": []}
    policy = ReaderPolicy(capacity=2.0, least=1, most=20)
    assert policy(Context(1, {"registered_weight": weights})) == (4, {})


def test_without_reports_all_stays_as_it_is() -> None:
    for policy in (ReaderPolicy(capacity=2.0, least=1, most=20), DetectorPolicy(least=1, most=20)):
        assert policy(Context(3)) == (3, {})
        assert policy(Context(3, {"registered_weight": {}, "busy": {}})) == (3, {})


def test_detectors_follow_what_all_of_them_report_that_are_alive() -> None:
    load = DetectorLoad(busy=1.0, queued_frames=0, oldest_age_s=0.0, frame_s=0.01)
    names = {name: getattr(load, name) for name in ("busy", "queued_frames", "oldest_age_s", "frame_s")}
    metrics = {
        name: {"one": series((1000.0, value)), "two": series((999.0, value)), "frozen": series((10.0, value))}
        for name, value in names.items()
    }
    assert DetectorPolicy(least=1, most=20)(Context(2, metrics)) == (3, {})


@pytest.mark.parametrize(
    ("policy", "arguments"),
    [(ReaderPolicy, {"capacity": 2.0, "least": 1, "most": 3}), (DetectorPolicy, {"least": 1, "most": 3})],
)
def test_serve_takes_them(policy: type, arguments: dict[str, Any]) -> None:
    wanted = AutoscalingPolicy(policy_function=policy, policy_kwargs=arguments)
    config = AutoscalingConfig(min_replicas=1, max_replicas=3, policy=wanted)
    made = config.policy.get_policy()(**config.policy.policy_kwargs)
    assert made(Context(2)) == (2, {})
