"""The deliverer as a replica."""

from __future__ import annotations

from typing import Any

from ray import serve as rayserve

from serve.deployments.deliveries import Deliveries
from serve.deployments.replicas.begin import configured


class DelivererReplica(Deliveries):
    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__(configured(arguments), rayserve.get_replica_context().replica_tag)

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()
