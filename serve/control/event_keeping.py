"""Keeps the outbox in order: numbers for all events, and none that is too old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from analytics.storage.outbox import AT_ONCE, Outbox
from serve.settings import EventsSettings

FORGET_S = 60.0
DAY_S = 86400.0


class EventKeeping:
    """Asked once a second, by the registry that leads.

    Args:
        settings: how long events are kept.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: EventsSettings,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._wall_clock = wall_clock
        self._due_s = clock()

    async def keep(self, outbox: Outbox) -> None:
        """Number what has no number yet, and forget some of what is too old.

        Raises:
            StoreError: the database does not work.
        """
        await asyncio.to_thread(outbox.number)
        if self._clock() >= self._due_s:
            before_s = self._wall_clock() - self._settings.keep_days * DAY_S
            forgotten = await asyncio.to_thread(outbox.forget, before_s, self._settings.keep_most)
            # A piece at a time, so that everybody else gets his turn.
            self._due_s = self._clock() + (0.0 if forgotten >= AT_ONCE else FORGET_S)
