"""The Ray Serve graph: the one place that turns plain classes into deployments."""

from __future__ import annotations

from typing import Any, Literal

import ray
from ray import serve as rayserve
from ray.serve.schema import LoggingConfig

from serve.control.registry import Registry
from serve.deployments.api import Api
from serve.deployments.detector import Detector
from serve.deployments.reader import StreamReader
from serve.settings import Settings

APP_NAME = "footfall"
_LOGGING = LoggingConfig(log_level="WARNING", enable_access_log=False)


def placement_for(wanted: str, gpus: float) -> Literal["inline", "replicas"]:
    """Where the detector runs: `auto` takes replicas where there is a GPU to share, else saves the hop."""
    if wanted == "inline" or (wanted == "auto" and gpus <= 0):
        return "inline"
    return "replicas"


def build_app(args: dict[str, Any]) -> Any:
    """Builder for `serve run` and for the ``import_path`` of a Serve config; ``args`` are the settings.

    Raises:
        SettingsError: a field is unknown or out of bounds.
    """
    settings = Settings.of(dict(args))
    arguments = settings.to_arguments()
    gpus = float(ray.cluster_resources().get("GPU", 0)) if ray.is_initialized() else 0.0
    registry = _deploy(Registry, num_cpus=0.1, max_ongoing_requests=1000).bind(arguments)
    detector = None
    if placement_for(settings.detector.placement, gpus) == "replicas":
        detector = _detector(settings, gpus).bind(arguments)
    reader = _reader(settings).bind(arguments, registry, detector)
    return _deploy(rayserve.ingress()(Api), num_cpus=0.1, max_ongoing_requests=500).bind(arguments, registry, reader)


def _deploy(kind: type, *, num_cpus: float, num_gpus: float = 0.0, **options: Any) -> Any:
    deployment = rayserve.deployment(
        name=kind.__name__,
        ray_actor_options={"num_cpus": num_cpus, "num_gpus": num_gpus},
        logging_config=_LOGGING,
        health_check_period_s=2,
        health_check_timeout_s=5,
        **options,
    )
    return deployment(kind)


def _detector(settings: Settings, gpus: float) -> Any:
    wanted = settings.detector
    return _deploy(
        Detector,
        num_cpus=wanted.cpus,
        num_gpus=wanted.gpus if wanted.gpus is not None else min(1.0, gpus),
        num_replicas=wanted.replicas,
        max_ongoing_requests=64,  # above the merge's size, or the merge starves
    )


def _reader(settings: Settings) -> Any:
    return _deploy(
        StreamReader,
        num_cpus=settings.reader.cpus,
        num_replicas=settings.reader.replicas,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=20,
        max_ongoing_requests=16,
    )
