"""Sinks whose client blocks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from analytics.storage.outbox import NumberedEvent
from serve.events.sinks.base import Outcome


class ThreadedSink(ABC):
    """Does its work in a thread of its own, one thing after the other; see `serve.events.sinks.base.Sink`.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._send, events)

    async def close(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        finally:
            self._thread.shutdown(wait=False)

    @abstractmethod
    def _send(self, events: Sequence[NumberedEvent]) -> Outcome:
        """See `send`."""

    @abstractmethod
    def _let_go(self) -> None:
        """See `close`."""
