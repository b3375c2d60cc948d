"""The registry as a replica."""

from __future__ import annotations

import logging
from typing import Any

import ray

from serve.control.registry import Registry
from serve.deployments.answers import answered
from serve.deployments.detection import laid_over
from serve.deployments.replicas.begin import configured
from serve.errors import SettingsError

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

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Called by Serve: which model streams may ask for."""
        try:
            self.use_model(laid_over(self._given.detector, user_config).model)
        except SettingsError as error:  # Serve would start all registries anew
            logger.error("%s", error)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()
