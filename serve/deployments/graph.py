"""The Ray Serve graph: the one place that turns plain classes into deployments."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import ray
from ray import serve as rayserve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy
from ray.serve.schema import LoggingConfig

from serve.deployments.arguments import arguments_for
from serve.deployments.deliveries import sinks_of
from serve.deployments.hand_over import HANDOVER_S
from serve.deployments.policies import DetectorPolicy, ReaderPolicy
from serve.deployments.reads import user_config_of, without_live
from serve.deployments.replicas.api import ApiReplica
from serve.deployments.replicas.deliverer import DelivererReplica
from serve.deployments.replicas.detector import DetectorReplica
from serve.deployments.replicas.live import LiveReplica
from serve.deployments.replicas.reader import ReaderReplica
from serve.deployments.replicas.registry import RegistryReplica
from serve.errors import SettingsError
from serve.sections import DetectorSettings
from serve.settings import SEVERAL, Settings

APP_NAME = "footfall"
NEW_FIRST = 100
"""Percent of replicas that may start before those go that they replace: who goes hands over to somebody."""
HEAD = "node:__internal_head__"
"""What Ray's head alone has."""
REPORT_S = 2.0
"""How often replicas say what autoscaling asks for."""
_LOGGING = LoggingConfig(log_level="WARNING", enable_access_log=False)


def placement_for(wanted: str, gpus: float) -> Literal["inline", "replicas"]:
    """Where the detector runs: `auto` takes replicas where there is a GPU to share, else saves the hop."""
    if wanted == "inline" or (wanted == "auto" and gpus <= 0):
        return "inline"
    return "replicas"


def build_app(args: dict[str, Any]) -> Any:
    """Builder for `serve run` and for the ``import_path`` of a Serve config; ``args`` are the settings.

    Raises:
        SettingsError: see `build_graph`, or a field is unknown or out of bounds.
    """
    return build_graph(Settings.of(dict(args)), named=args)


def build_graph(settings: Settings, launch: str | None = None, named: Mapping[str, Any] | None = None) -> Any:
    """The application.

    Args:
        settings: of all of it.
        launch: names what deploys it. Of two graphs of one launch, the second restarts only those deployments that read
            a setting that differs; else `rayserve.run` restarts everything. A Serve config has rules of its own.
        named: those of the settings that win over a replica's environment; None: all of them.

    Raises:
        SettingsError: the database is a file and the nodes are several; a sink makes no sense.
    """
    settings = with_capacity(settings)
    check_nodes(settings, sum(node["Alive"] for node in ray.nodes()) if ray.is_initialized() else 1)
    sinks_of(settings)
    gpus = float(ray.cluster_resources().get("GPU", 0)) if ray.is_initialized() else 0.0
    bind = functools.partial(_bound, settings, launch, named)
    where = place_of(settings)
    registry = bind(_deploy(RegistryReplica, where, name="Registry", num_cpus=0.1, max_ongoing_requests=1000))
    live = bind(_deploy(LiveReplica, name="Live", num_cpus=0.1, max_ongoing_requests=2000), registry)
    detector = None
    if placement_for(settings.detector.placement, gpus) == "replicas":
        detector = bind(_detector(settings, gpus))
    reader = bind(_reader(settings), registry, live, detector)
    deliverers = settings.events.deliverers
    deliverer = bind(_deploy(DelivererReplica, where, name="Deliverer", num_cpus=0.1, num_replicas=deliverers))
    ingress = _deploy(rayserve.ingress()(ApiReplica), where, name="Api", num_cpus=0.1, max_ongoing_requests=500)
    return bind(ingress, registry, live, reader, deliverer)


def place_of(settings: Settings) -> dict[str, float]:
    """Resources that a deployment asks for which opens the database: a file stays where it is, whichever nodes join."""
    return {HEAD: 0.001} if settings.one_machine else {}


def _bound(
    settings: Settings, launch: str | None, named: Mapping[str, Any] | None, deployment: Any, *handles: Any
) -> Any:
    """A deployment with what it reads of the settings, and with handles of others."""
    arguments = arguments_for(deployment.name, settings, named)
    if (user_config := user_config_of(deployment.name, arguments["named"])) is not None:
        deployment = deployment.options(user_config=user_config)
    if launch is not None:
        version = version_of(launch, arguments, [handle is not None for handle in handles])
        deployment = deployment.options(version=version, _internal=True)
    return deployment.bind(arguments, *handles)


def version_of(launch: str, arguments: Mapping[str, Any], handles: list[bool]) -> str:
    """Differs where a replica has to be restarted. Short: what it is made of may be secret."""
    fixed = {layer: without_live(part) for layer, part in arguments.items()}
    text = json.dumps([launch, fixed, handles], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def check_nodes(settings: Settings, nodes: int) -> None:
    """Raises SettingsError if the database is a file and the nodes are several."""
    if nodes > 1 and settings.one_machine:
        raise SettingsError(f"the cluster has {nodes} nodes, and the database is a file on one of them: {SEVERAL}")


def with_capacity(settings: Settings) -> Settings:
    """Readers that come and go take what Ray reserves for each: a node's share would change with every one."""
    reader = settings.reader
    if reader.max_replicas is None or reader.capacity is not None:
        return settings
    return settings.model_copy(update={"reader": reader.model_copy(update={"capacity": reader.cpus})})


def _deploy(
    kind: type,
    resources: Mapping[str, float] | None = None,
    *,
    name: str,
    num_cpus: float,
    num_gpus: float = 0.0,
    **options: Any,
) -> Any:
    deployment = rayserve.deployment(
        name=name,
        ray_actor_options={"num_cpus": num_cpus, "num_gpus": num_gpus, "resources": dict(resources or {})},
        logging_config=_LOGGING,
        health_check_period_s=2,
        health_check_timeout_s=5,
        **{"max_surge_percent": NEW_FIRST, **options},
    )
    return deployment(kind)


def _detector(settings: Settings, gpus: float) -> Any:
    wanted = settings.detector
    return _deploy(
        DetectorReplica,
        name="Detector",
        num_cpus=wanted.cpus,
        num_gpus=gpus_of(wanted, gpus),
        **replicas(wanted.replicas, wanted.max_replicas, DetectorPolicy),
        max_surge_percent=NEW_FIRST if has_room(wanted, gpus) else 0,
        max_ongoing_requests=64,  # above the merge's size, or the merge starves
    )


def gpus_of(wanted: DetectorSettings, gpus: float) -> float:
    """GPUs for each replica, of those that the cluster has."""
    return wanted.gpus if wanted.gpus is not None else min(1.0, gpus)


def has_room(wanted: DetectorSettings, gpus: float) -> bool:
    """Whether new replicas can start beside all old ones; what waits for their GPU would wait for ever."""
    return 2 * gpus_of(wanted, gpus) * (wanted.max_replicas or wanted.replicas) <= gpus


def _reader(settings: Settings) -> Any:
    wanted = settings.reader
    return _deploy(
        ReaderReplica,
        place_of(settings),
        name="StreamReader",
        num_cpus=wanted.cpus,
        **replicas(wanted.replicas, wanted.max_replicas, ReaderPolicy),
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=HANDOVER_S + 30,
        max_ongoing_requests=16,
    )


def replicas(least: int, most: int | None, policy: type) -> dict[str, Any]:
    """Options of a deployment: a number of replicas, or what decides on it."""
    if most is None:
        return {"num_replicas": least}
    return {
        "autoscaling_config": AutoscalingConfig(
            min_replicas=least,
            max_replicas=most,
            policy=AutoscalingPolicy(policy_function=policy),
            metrics_interval_s=REPORT_S,
            look_back_period_s=2 * REPORT_S,
            # The policy remembers for itself.
            upscale_delay_s=0.0,
            downscale_delay_s=0.0,
        )
    }
