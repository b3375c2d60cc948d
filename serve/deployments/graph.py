"""The Ray Serve graph: the one place that turns plain classes into deployments."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Literal

import ray
from ray import serve as rayserve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy
from ray.serve.schema import ApplicationStatus, LoggingConfig

from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from pipelines.types import Detections, ImageBatch
from serve import logs
from serve.deployments.answers import AnsweringLive, AnsweringRegistry
from serve.deployments.api import Api
from serve.deployments.arguments import arguments_for, settings_from
from serve.deployments.deliveries import Deliveries, sinks_of
from serve.deployments.detection import Detection, laid_over, open_detector
from serve.deployments.detector import Detector
from serve.deployments.hand_over import HANDOVER_S
from serve.deployments.handles import HandleDetector, HandleRegistryClient, HandleRegistryLink, HandleWatching
from serve.deployments.policies import DetectorPolicy, ReaderPolicy
from serve.deployments.reader import StreamReader
from serve.deployments.reads import user_config_of, without_live
from serve.errors import SettingsError
from serve.settings import SEVERAL, DetectorSettings, Settings

logger = logging.getLogger(__name__)
APP_NAME = "footfall"
MERGE_WAIT_S = 0.002
"""How long a detector replica waits for stacks of further readers."""
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


def _configured(arguments: dict[str, Any]) -> Settings:
    """Settings in a replica; first thing in each, because Serve swallows our messages until logging is configured."""
    settings = settings_from(arguments)
    logs.configure(settings.log_level, settings.log_format)
    return settings


# A replica's class is a plain class, made of plain arguments and handles. Its deployment has the plain class's name.


class RegistryReplica(AnsweringRegistry):
    def __init__(self, arguments: dict[str, Any]) -> None:
        self._given = _configured(arguments)
        super().__init__(self._given, node=ray.get_runtime_context().get_node_id())

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Called by Serve: which model streams may ask for."""
        try:
            self.use_model(laid_over(self._given.detector, user_config).model)
        except SettingsError as error:  # Serve would start all registries anew
            logger.error("%s", error)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()


class LiveReplica(AnsweringLive):
    def __init__(self, arguments: dict[str, Any], registry: Any) -> None:
        _configured(arguments)
        super().__init__(rayserve.get_replica_context().replica_tag, HandleWatching(registry))

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()


class DetectorReplica(Detector):
    """Merges stacks of several readers that arrive within a moment."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        wanted = _configured(arguments).detector
        threads = max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))
        super().__init__(
            Detection(wanted, open_model=functools.partial(open_detector, threads=threads)), wanted.max_batch
        )
        self.warm_up()
        logger.info("detector ready: %s", wanted.model)

    async def detect(self, batch: ImageBatch) -> list[Detections]:
        """See `Detector.detect`."""
        with self.meter.waiting(len(batch)):
            found: list[Detections] = await self._merged(batch)
        return found

    @rayserve.batch(max_batch_size=8, batch_wait_timeout_s=MERGE_WAIT_S)  # type: ignore[untyped-decorator]
    async def _merged(self, stacks: list[ImageBatch]) -> list[list[Detections]]:
        return await self.detect_stacks(stacks)


class ReaderReplica(StreamReader):
    def __init__(self, arguments: dict[str, Any], registry: Any, live: Any, detector: Any = None) -> None:
        settings = _configured(arguments)
        timeout_s = settings.detector.timeout_s
        super().__init__(
            settings,
            name=rayserve.get_replica_context().replica_tag,
            registry=HandleRegistryLink(registry, live),
            connect_detector=None if detector is None else lambda: HandleDetector.connect(detector, timeout_s),
            node=ray.get_runtime_context().get_node_id(),
            service_ends=_service_ends,
        )

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()


class DelivererReplica(Deliveries):
    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__(_configured(arguments), rayserve.get_replica_context().replica_tag)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()


class ApiReplica(Api):
    """The ingress; it holds the handles of readers and deliverers so that they belong to the application."""

    def __init__(self, arguments: dict[str, Any], registry: Any, live: Any, reader: Any, deliverer: Any) -> None:
        settings = _configured(arguments)
        self._others = reader, deliverer
        client = HandleRegistryClient(registry, live)
        super().__init__(settings, client, Stores.of(DatabaseStore(settings.store_url)))


def _service_ends() -> bool:
    """Whether the application of this replica is being deleted, with all that belongs to it."""
    name = rayserve.get_replica_context().app_name
    try:
        application = rayserve.status().applications.get(name)
    except Exception:  # Serve itself is gone
        return True
    return application is None or application.status in (ApplicationStatus.DELETING, ApplicationStatus.NOT_STARTED)


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
