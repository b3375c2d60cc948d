"""Follows the outbox for everybody in a process who wants to hear of events as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator

from analytics.errors import StoreError
from analytics.events import Event
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent, Outbox

logger = logging.getLogger(__name__)
POLL_S = 0.2
AT_ONCE = 500
"""Events that are read from the store in one go."""
REMEMBERED = 2000
"""Of the newest ones, for those who keep up: they ask the store for nothing."""


class EventTail:
    """Reads what is new once, however many listen, as long as anybody does. One event loop's.

    Listeners never hold up anybody: each reads on from its own place, from memory if it is near, else from the store.

    Args:
        outbox: asked in threads.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._newest = 0
        self._recent: deque[NumberedEvent] = deque(maxlen=REMEMBERED)
        self._listeners = 0
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self.error: StoreError | None = None
        """Why nothing is heard of just now; None if all is well."""

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners

    async def listen(self, number: int, wanted: EventFilter = EVERYTHING) -> AsyncGenerator[list[NumberedEvent]]:
        """Events with larger numbers, for ever: those that are there, and those that come, in their order.

        Args:
            number: the last one that was read.
            wanted: which.
        """
        self._listeners += 1
        if self._following is None or self._following.done():
            self._following = asyncio.get_running_loop().create_task(self._follow())
        try:
            while True:
                changed = self._changed
                newest = self._newest
                if newest > number:
                    found = await self._read(number, newest, wanted)
                    number = found[-1].number if len(found) == AT_ONCE else newest
                    if found:
                        yield found
                    continue
                await changed.wait()
        finally:
            self._listeners -= 1
            if not self._listeners and self._following is not None:
                self._following.cancel()
                self._following = None

    async def _read(self, number: int, newest: int, wanted: EventFilter) -> list[NumberedEvent]:
        if self._recent and self._recent[0].number <= number + 1:
            fresh = (one for one in self._recent if number < one.number <= newest)
            found = [one for one in fresh if fits(one.event, wanted)]
            return found[:AT_ONCE]
        while True:
            try:
                found = await asyncio.to_thread(self._outbox.after, number, AT_ONCE, wanted)
                return [one for one in found if one.number <= newest]
            except StoreError:  # the one who follows says so
                await asyncio.sleep(POLL_S)

    async def _follow(self) -> None:
        """Look for what is new; the database may be away meanwhile."""
        while True:
            try:
                await self._look()
                self.error = None
            except StoreError as error:
                if self.error is None:
                    logger.warning("events cannot be read: %s", error)
                self.error = error
            except Exception:
                logger.exception("events cannot be read")
            await asyncio.sleep(POLL_S)

    async def _look(self) -> None:
        newest = await asyncio.to_thread(self._outbox.number)
        if newest <= self._newest:
            return
        if newest - self._newest <= REMEMBERED and self._newest:
            at = self._newest
            while at < newest and (found := await asyncio.to_thread(self._outbox.after, at, AT_ONCE)):
                self._recent.extend(one for one in found if one.number <= newest)
                at = found[-1].number
        else:  # nobody who is far behind is served from memory
            self._recent.clear()
        self._newest = newest
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def stop(self) -> None:
        """Follow no more; who still listens hears nothing more."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following


def fits(event: Event, wanted: EventFilter) -> bool:
    """Whether an event is one of those that are wanted."""
    context = event.context
    parts = (event.type, wanted.types), (context.stream, wanted.streams), (context.site, wanted.sites)
    recent = wanted.since_s is None or event.time_s >= wanted.since_s
    return recent and all(value in among for value, among in parts if among)
