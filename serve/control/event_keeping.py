"""Keeps the outbox in order: numbers for all events, none that is too old; tells of streams' states, and of sites."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from analytics.errors import StoreError
from analytics.events import SITE_OCCUPANCY, STREAM_STATE
from analytics.storage.outbox import Outbox
from serve.control.entry import StreamEntry
from serve.control.site_events import REMEMBERED_S, SiteEvents
from serve.control.state_events import StateEvents
from serve.sections import EventsSettings
from serve.streams.status import StreamStatus

logger = logging.getLogger(__name__)
FORGET_S = 60.0
AT_ONCE = 5000
"""Events that are read in one go."""
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
        self._failed = False
        self._states = StateEvents(wall_clock)
        self._knows_states = False
        self._sites = SiteEvents({name: site.limit for name, site in settings.sites.items()})
        self._heard: int | None = None

    def begin(self) -> None:
        """Somebody else may have led meanwhile."""
        self._knows_states = False
        self._heard = None

    async def round(
        self, outbox: Outbox, entries: Mapping[str, StreamEntry], status_of: Callable[[StreamEntry], StreamStatus]
    ) -> None:
        """Tell and keep; what goes wrong is logged, once for as long as it lasts, and tried again the next time."""
        try:
            await self.tell(outbox, entries, status_of)
            await self.keep(outbox)
            await self.tell_of_sites(outbox, entries)
            self._failed = False
        except StoreError as error:
            logger.log(logging.DEBUG if self._failed else logging.WARNING, "events are not seen to: %s", error)
            self._failed = True
        except Exception:
            logger.log(logging.DEBUG if self._failed else logging.ERROR, "events are not seen to", exc_info=True)
            self._failed = True

    async def tell(
        self, outbox: Outbox, entries: Mapping[str, StreamEntry], status_of: Callable[[StreamEntry], StreamStatus]
    ) -> None:
        """Tell of streams that are in another state by now.

        Raises:
            StoreError: the database does not work; what was to be told is told the next time.
        """
        if not self._knows_states:
            told = await asyncio.to_thread(outbox.told_last, STREAM_STATE)
            self._states.begin({name: event.data for name, event in told.items()})
            self._knows_states = True
        changed = [entries[name] for name in self._states.look(entries)]
        if changed:
            events = list(self._states.events(changed, {entry.record.id: status_of(entry) for entry in changed}))
            conditions = {entry.record.id: entry.condition for entry in changed}
            await asyncio.to_thread(outbox.append, events)
            self._states.told(conditions)

    async def tell_of_sites(self, outbox: Outbox, entries: Mapping[str, StreamEntry]) -> None:
        """Tell of sites whose limit is reached by now, or not any more.

        Raises:
            StoreError: the database does not work.
        """
        sites, now_s = self._sites, self._wall_clock()
        if self._heard is None:
            sites.begin((await asyncio.to_thread(outbox.told_last, SITE_OCCUPANCY)).values())
            self._heard = await asyncio.to_thread(outbox.before, now_s - REMEMBERED_S)
        if sites.idle:
            return
        while sites.hears and (found := await asyncio.to_thread(outbox.after, self._heard, AT_ONCE, sites.wanted)):
            for one in found:
                sites.note(one.event)
            self._heard = found[-1].number
        sites.keep(
            {
                name: (entry.definition.site, [zone.id for zone in entry.geometry.zones])
                for name, entry in entries.items()
            }
        )
        told = list(sites.look(now_s))
        if told:
            try:
                await asyncio.to_thread(outbox.append, told)
            except StoreError:
                self._heard = None  # nobody has heard of it: begin anew with what was told
                raise

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
            self._due_s = self._clock() + (0.0 if forgotten else FORGET_S)
