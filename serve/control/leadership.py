"""Which of several registries leads: the newest, as long as it is heard of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from analytics.storage.base import Store

logger = logging.getLogger(__name__)
SILENT_LEADER_S = 15.0
"""Without a renewal for so long, whoever took over is gone; his clock is not asked, only whether his number moves."""


class Leadership:
    """One registry's part in it.

    When Ray replaces a registry, the new one begins while the old one still has its readers; and two services may be
    pointed at one database by mistake. The store takes changes from one of them alone.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rival: tuple[tuple[int, int], float] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether somebody else leads, as far as is known."""
        return self._rival is not None

    async def take(self, store: Store) -> bool:
        """Begin to lead: at once, or, after somebody took over, only once he has fallen silent. False if not yet."""
        if self._rival is not None:
            known, since_s = self._rival
            number = await asyncio.to_thread(store.leader)
            if number != known:
                self._rival = number, self._clock()
                return False
            if self._clock() - since_s < SILENT_LEADER_S:
                return False
            logger.warning("the other registry has fallen silent; this one leads again")
            self._rival = None
        await asyncio.to_thread(store.lead)
        return True

    def lost(self) -> None:
        """The store says that somebody else leads."""
        self._rival = (0, 0), self._clock()
