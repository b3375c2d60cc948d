"""Follows the outbox for everybody in a process who wants to hear of events as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from analytics.errors import StoreError
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent, Outbox

logger = logging.getLogger(__name__)
POLL_S = 0.2
AT_ONCE = 500
"""Events that are read from the store in one go."""
REMEMBERED = 2000
"""Of the newest ones, for those who keep up: they ask the store for nothing."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener hears at once.

    Attributes:
        events: in their order.
        oldest: number of the oldest that is kept, where some before these may be missing; None if none is.
        upto: number up to which there are no others that are wanted.
    """

    events: list[NumberedEvent]
    oldest: int | None = None
    upto: int = 0


class EventTail:
    """Reads what is new once, however many listen, as long as anybody does. One event loop's.

    Listeners never hold up anybody: each reads on from its own place, from memory if it is near, else from the store.

    Args:
        outbox: asked in threads.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._newest = 0
        self._set_back = 0  # how often
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

    async def newest(self) -> int:
        """Number of the newest event. Raises StoreError if the database is away."""
        return await asyncio.to_thread(self._outbox.number)

    async def listen(
        self, number: int, wanted: EventFilter = EVERYTHING, *, passing: bool = False
    ) -> AsyncGenerator[Heard]:
        """Events with larger numbers: those that are there, and those that come, in their order.

        Ends when the database is another, or was set back: numbers mean something else from then on.

        Args:
            number: the last one that was read.
            wanted: which.
            passing: whether to tell also of what is not wanted that it was passed.
        """
        self._listeners += 1
        set_back = self._set_back
        if self._following is None or self._following.done():
            self._following = asyncio.get_running_loop().create_task(self._follow())
        try:
            while set_back == self._set_back:
                changed = self._changed
                newest = self._newest
                if newest > number:
                    heard = await self._read(number, newest, wanted)
                    number = heard.events[-1].number if len(heard.events) == AT_ONCE else newest
                    if passing or heard.events or heard.oldest is not None:
                        yield replace(heard, upto=number)
                    continue
                await changed.wait()
        finally:
            self._listeners -= 1
            if not self._listeners and self._following is not None:
                self._following.cancel()
                self._following = None
                self._newest = 0  # what nobody has looked at meanwhile may be another by then
                self._recent.clear()

    async def _read(self, number: int, newest: int, wanted: EventFilter) -> Heard:
        if self._recent and self._recent[0].number <= number + 1:
            fresh = (one for one in self._recent if number < one.number <= newest)
            return Heard([one for one in fresh if wanted.fits(one.event)][:AT_ONCE])
        while True:
            try:
                found = await asyncio.to_thread(self._outbox.after, number, AT_ONCE, wanted)
                # Asked second: what is forgotten in between is told to be missing, though it was still there.
                oldest = await asyncio.to_thread(self._outbox.oldest)
            except StoreError:  # the one who follows says so
                await asyncio.sleep(POLL_S)
            else:
                return Heard([one for one in found if one.number <= newest], oldest if oldest > number + 1 else None)

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
        if newest == self._newest and self.error is None:
            return
        set_back = newest < self._newest or await self._is_another()
        if newest == self._newest and not set_back:
            return
        if set_back:
            logger.warning("the newest event is number %d, and was %d: the database was set back", newest, self._newest)
            self._set_back += 1
            self._newest = 0  # it is read from the store what there is
            self._recent.clear()
        if newest - self._newest <= REMEMBERED and self._newest:
            at, fresh = self._newest, list[NumberedEvent]()
            while at < newest and (found := await asyncio.to_thread(self._outbox.after, at, AT_ONCE)):
                fresh += [one for one in found if one.number <= newest]
                at = found[-1].number
            self._recent.extend(fresh)  # in one go: what breaks off in between begins anew
        else:  # nobody who is far behind is served from memory
            self._recent.clear()
        self._newest = newest
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _is_another(self) -> bool:
        """Whether the newest event that is remembered is not the one of its number: where the database was set back."""
        if not self._recent:
            return False
        known = self._recent[-1]
        found = await asyncio.to_thread(self._outbox.after, known.number - 1, 1)
        return bool(found) and found[0].number == known.number and found[0].event.id != known.event.id

    async def stop(self) -> None:
        """Follow no more; who still listens hears nothing more."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
