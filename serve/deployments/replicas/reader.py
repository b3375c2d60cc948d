"""The reader as a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import ray
from ray import serve as rayserve
from ray.serve.schema import ApplicationStatus

from serve.deployments.handles import HandleDetector, HandleRegistryLink
from serve.deployments.reader import StreamReader
from serve.deployments.replicas.begin import configured
from serve.logs import Origin

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class ReaderReplica(StreamReader):
    def __init__(self, arguments: dict[str, Any], registry: Any, live: Any, detector: Any = None) -> None:
        name = rayserve.get_replica_context().replica_tag
        settings = configured(arguments, Origin(name, lambda stream: self.epoch_of(stream)))
        timeout_s = settings.detector.timeout_s
        super().__init__(
            settings,
            name=name,
            registry=HandleRegistryLink(registry, live),
            connect_detector=None if detector is None else lambda: HandleDetector.connect(detector, timeout_s),
            node=ray.get_runtime_context().get_node_id(),
            service_ends=_service_ends,
        )
        self._telling = asyncio.get_running_loop().create_task(self._tell_ray()) if settings.ray.metrics else None

    async def _tell_ray(self) -> None:
        # Not before somebody wants it: a replica imports what it needs.
        from serve.deployments.replicas.ray_metrics import tell_ray
        from serve.metrics.readers import frame_metrics
        from serve.metrics.service import total_metrics

        async def read() -> Iterable[Metric]:
            return *frame_metrics({"": self.view()}), *total_metrics(self.statuses())

        await tell_ray(read)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        if self._telling is not None:
            self._telling.cancel()
        await self.stop()


def _service_ends() -> bool:
    """Whether the application of this replica is being deleted, with all that belongs to it."""
    name = rayserve.get_replica_context().app_name
    try:
        application = rayserve.status().applications.get(name)
    except Exception:  # Serve itself is gone
        return True
    return application is None or application.status in (ApplicationStatus.DELETING, ApplicationStatus.NOT_STARTED)
