"""Live frames on their way from the reader that has a stream to the people who look at it.

Readers send frames of watched streams only. Who looks gets the newest; who is slow misses some, and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from serve.errors import TooManyWatchers
from serve.streams.live_frame import LiveFrame

MAX_WATCHERS = 200


class LiveHub:
    """Newest frames of watched streams.

    Args:
        on_change: called when a stream begins or ceases to be watched.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._watchers: dict[str, set[asyncio.Queue[LiveFrame | None]]] = {}

    @property
    def watched(self) -> Iterable[str]:
        return self._watchers.keys()

    def publish(self, stream: str, frame: LiveFrame) -> bool:
        """Hand a frame to all who look; False if nobody does."""
        queues = self._watchers.get(stream)
        for queue in queues or ():
            _replace(queue, frame)
        return bool(queues)

    def drop(self, stream: str) -> None:
        """The stream is gone: end its watchers."""
        # Taken off first: a frame that is still on its way must not overtake the end.
        for queue in self._watchers.pop(stream, ()):
            _replace(queue, None)

    async def watch(self, stream: str) -> AsyncGenerator[LiveFrame, None]:
        """Frames as they come, until the stream is dropped or the caller goes."""
        queue: asyncio.Queue[LiveFrame | None] = asyncio.Queue(maxsize=1)
        queues = self._watchers.setdefault(stream, set())
        if len(queues) >= MAX_WATCHERS:
            raise TooManyWatchers(f"{MAX_WATCHERS} are looking at {stream!r} already")
        queues.add(queue)
        self._on_change()
        try:
            while (frame := await queue.get()) is not None:
                yield frame
        finally:
            queues.discard(queue)
            if not queues and self._watchers.get(stream) is queues:
                del self._watchers[stream]
                self._on_change()


def _replace(queue: asyncio.Queue[LiveFrame | None], frame: LiveFrame | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(frame)
