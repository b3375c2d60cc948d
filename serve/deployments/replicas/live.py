"""Live pictures as a replica."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from ray import serve as rayserve

from pipelines.errors import FootfallError
from serve.deployments.answers import Refused
from serve.deployments.live import Live
from serve.deployments.replicas.begin import configured
from serve.deployments.watching import HandleWatching
from serve.streams.live_frame import LiveFrame


class AnsweringLive(Live):
    """Live pictures as handles see them."""

    async def answer_watch(self, stream: str) -> AsyncIterator[LiveFrame | Refused]:
        """What `watch` yields; `Refused` is the last."""
        # Closed with this one: a viewer that has gone must not be counted among those who look.
        async with contextlib.aclosing(self.watch(stream)) as frames:
            try:
                async for frame in frames:
                    yield frame
            except FootfallError as error:
                yield Refused(error)


class LiveReplica(AnsweringLive):
    def __init__(self, arguments: dict[str, Any], registry: Any) -> None:
        configured(arguments)
        super().__init__(rayserve.get_replica_context().replica_tag, HandleWatching(registry))

    async def __del__(self) -> None:
        """Serve's only shutdown hook, called after the drain."""
        await self.stop()
