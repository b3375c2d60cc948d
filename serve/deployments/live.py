"""Live pictures, from readers to those who look.

A plain class, which `serve.deployments.graph` makes a deployment of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from serve.streams.live_frame import LiveFrame
from serve.streams.live_hub import LiveHub

logger = logging.getLogger(__name__)
TICK_S = 1.0
CALL_TIMEOUT_S = 5.0


class Watching(Protocol):
    """What the registry is told; see `serve.control.registry.Registry.watching`."""

    async def watching(self, viewer: str, streams: Sequence[str]) -> list[str]: ...


class Live:
    """Hands live frames from readers to those who look.

    Apart from the registry: a hundred people who look must not keep it from hearing heartbeats.

    Args:
        name: unique for ever.
        registry: hears what is watched, and tells what is gone.
    """

    def __init__(self, name: str, registry: Watching) -> None:
        self._name = name
        self._registry = registry
        self._changed = asyncio.Event()
        self._hub = LiveHub(self._changed.set)
        self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        """Say what is watched: at once when it changes, and else once a second, for the registry forgets soon."""
        told = False
        while True:
            # Not wait_for(): before Python 3.12 it loses a cancellation that comes together with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._changed.wait()
            self._changed.clear()
            watched = tuple(self._hub.watched)
            if not watched and not told:
                continue
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    gone = await self._registry.watching(self._name, watched)
            except Exception as error:
                logger.debug("the registry was not told what is watched: %s", type(error).__name__)
                continue
            told = bool(watched)
            for stream in gone:
                self._hub.drop(stream)

    async def publish(self, stream: str, frame: LiveFrame) -> bool:
        """Take a live frame of a watched stream; False if nobody watches any more."""
        return self._hub.publish(stream, frame)

    async def watch(self, stream: str) -> AsyncGenerator[LiveFrame, None]:
        """Live frames of a stream as they come, until it is deleted; whoever is slow misses some.

        Raises:
            TooManyWatchers: as many look already as one process can serve.
        """
        async with contextlib.aclosing(self._hub.watch(stream)) as frames:
            async for frame in frames:
                yield frame

    async def check_health(self) -> None:
        """Called by Serve; one whose loop has ended is replaced."""
        if self._task.done():
            raise RuntimeError("nobody is told any more what is watched")

    async def stop(self) -> None:
        """End the loop. Idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
