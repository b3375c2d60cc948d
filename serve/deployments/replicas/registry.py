"""The registry as a replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import ray

from serve.control.registry import Registry
from serve.deployments.answers import answered
from serve.deployments.detection import laid_over
from serve.deployments.replicas.begin import configured
from serve.errors import SettingsError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)


class AnsweringRegistry(Registry):
    """The registry as handles see it: `Registry`'s methods for the API, called by name."""

    async def answer(self, method: str, *arguments: Any) -> Any:
        """What the method of that name answers, or `serve.deployments.answers.Refused`."""
        return await answered(getattr(self, method)(*arguments))


class RegistryReplica(AnsweringRegistry):
    def __init__(self, arguments: dict[str, Any]) -> None:
        self._given = configured(arguments)
        super().__init__(self._given, node=ray.get_runtime_context().get_node_id())
        metrics = self._given.ray.metrics
        self._telling = asyncio.get_running_loop().create_task(self._tell_ray()) if metrics else None

    async def _tell_ray(self) -> None:
        # Not before somebody wants it: a replica imports what it needs.
        from serve.deployments.replicas.ray_metrics import tell_ray
        from serve.metrics.service import service_metrics

        async def read() -> Iterable[Metric]:
            return service_metrics(await self.overview())

        await tell_ray(read)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Called by Serve: which model streams may ask for."""
        try:
            self.use_model(laid_over(self._given.detector, user_config).model)
        except SettingsError as error:  # Serve would start all registries anew
            logger.error("%s", error)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        if self._telling is not None:
            self._telling.cancel()
        await self.stop()
