"""Which streams there are, which reader has which, and how they are: one replica, with nothing that the store has not.

Readers hold a session with the registry (a streaming call: its end tells of their death at once) and send heartbeats
(silence tells that they froze). Every assignment carries an epoch; the store refuses rows of an older one, so a reader
that was given up by mistake does no harm. When the registry itself dies, no stream moves: readers work on, come back
with what they hold, and reclaim it. The newest one leads; an older one is refused by the store and sends them on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from analytics.alerts.book import SERVICE, Alert
from analytics.alerts.rule_changes import RuleView
from analytics.alerts.silences import Silence
from analytics.errors import LeaseLost, SilenceInvalid, StoreError, StoreUnavailable
from analytics.geometry import Geometry
from analytics.storage.alerts import DatabaseAlertStore
from analytics.storage.base import Store, StreamRecord
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import DatabaseOutbox
from analytics.storage.sinks import DatabaseSinkStore
from analytics.storage.view_pictures import DatabaseViewPictures
from serve.control.acceptance import Acceptance
from serve.control.alert_keeping import AlertKeeping
from serve.control.assignments import TICK_S, Assignments
from serve.control.edits import Edits
from serve.control.entry import StreamEntry, read_entries
from serve.control.event_keeping import EventKeeping
from serve.control.history import Moment
from serve.control.leadership import Leadership
from serve.control.messages import DesiredState, Greeting, Heartbeat, Overview, StreamView
from serve.control.neighbours import Neighbours
from serve.control.preconditions import ANY, Precondition
from serve.control.sealing import Sealing
from serve.control.store_health import StoreHealth
from serve.control.viewers import Viewers
from serve.definitions.stream import StreamDefinition
from serve.errors import StandsBy
from serve.settings import Settings
from serve.streams.hard_frame_folder import HardFrameFolder

logger = logging.getLogger(__name__)
LOAD_WAIT_S = 5.0
SWEEPING_S = 0.2
ALERTS_S = 0.001
"""For each stream, so long from one look at all of them to the next, but at least a second."""
SILENT_S = 5.0


class Registry:
    """See the module. All methods run on one event loop; the store is asked in threads.

    Args:
        settings: of the service.
        store: made from the settings, in time, if absent.
        clock: monotonic seconds.
        node: where it runs.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store | None = None,
        clock: Callable[[], float] = time.monotonic,
        node: str = "",
    ) -> None:
        self._settings = settings
        self._acceptance = Acceptance(settings)
        self._store = store
        self._clock = clock
        self._neighbours = Neighbours(node if settings.one_machine else "")
        self._entries: dict[str, StreamEntry] = {}
        self._viewers = Viewers(clock)
        self._assignments = Assignments(
            self._entries,
            self._open,
            lambda: self._viewers.watched,
            lambda: self._health.works,
            self._settings.reader.heartbeat_timeout_s,
            clock,
        )
        self._loaded = False
        self._health = StoreHealth()
        self._event_keeping = EventKeeping(settings.events)
        self._alert_keeping = AlertKeeping(settings.monitoring)
        self._alerts_due_s = clock()
        self._sealing = Sealing(settings.key_file)
        self._edits = Edits(
            self._entries, self._assignments, self._sealing, self._acceptance, self._ready, self._entry_of
        )
        self._leadership = Leadership(clock)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(run()) for run in (self._run, self._listen, self._see_to_events)]

    # -- life

    async def _run(self) -> None:
        """Ask the store, and plan where that is due, once a second."""
        while True:
            try:
                if not self._loaded:
                    await self._take_over()
                if self._loaded:
                    await self._round(self._open())
            except LeaseLost as error:
                logger.warning("%s; this one stands by", error)
                await self._stand_by(error)
            except StoreError as error:
                self._health.failed(error)
            except Exception:
                logger.exception("the registry's round failed")
            await asyncio.sleep(TICK_S)

    async def _round(self, store: Store) -> None:
        with self._health.round():
            await asyncio.to_thread(store.renew)
            await self._sweep(store)
            await self._assignments.plan_if_due()

    async def _sweep(self, store: Store) -> None:
        """Remove some of what was purged; the rest next time, so that everybody else gets his turn."""
        until_s = self._clock() + SWEEPING_S
        while await asyncio.to_thread(store.sweep) and self._clock() < until_s:
            pass

    async def _listen(self) -> None:
        """Apart from the store: while that takes its time, heartbeats are heard all the same."""
        while True:
            await asyncio.sleep(TICK_S)
            if self._loaded:
                self._assignments.listen()
                self._tell_of_viewers()

    async def _see_to_events(self) -> None:
        """Apart from everything else: what goes wrong with events keeps no camera from its reader."""
        while True:
            await asyncio.sleep(TICK_S)
            if self._loaded and isinstance(self._store, DatabaseStore):
                outbox = DatabaseOutbox(self._store)
                await self._event_keeping.round(outbox, self._entries, lambda entry: self._view(entry).status)
                if self._loaded and self._clock() >= self._alerts_due_s:
                    await self._see_to_alerts(self._store)
                    self._alerts_due_s = self._clock() + ALERTS_S * len(self._entries)

    async def _see_to_alerts(self, store: DatabaseStore) -> None:
        keeping, silence_s = self._alert_keeping, 2 * self._assignments.heartbeat_s + SILENT_S
        await keeping.round(
            DatabaseAlertStore(store),
            DatabaseSinkStore(store),
            keeping.streams(self._entries, lambda entry: self._view(entry).status, silence_s),
            {name: entry.definition.site for name, entry in self._entries.items()},
            self._health.error,
            self._assignments.readers,
        )

    async def _take_over(self) -> None:
        store = self._open()
        if isinstance(store, DatabaseStore):
            await asyncio.to_thread(store.migrate)
        if await self._leadership.take(store):
            if isinstance(store, DatabaseStore) and not self._settings.monitoring.keeps_pictures:
                await asyncio.to_thread(DatabaseViewPictures(store).forget)
            await self._load(store)

    async def _stand_by(self, error: LeaseLost) -> None:
        """Somebody newer leads: forget everything, and send the readers to him."""
        self._health.error = str(error)
        self._leadership.lost()
        self._loaded = False
        async with self._assignments.changing:  # a plan that is carried out still looks at them
            self._entries.clear()
            self._assignments.dismiss()

    async def _load(self, store: Store) -> None:
        self._entries |= await asyncio.to_thread(lambda: read_entries(store.list_streams(), self._entry_of))
        self._assignments.begin()
        self._event_keeping.begin()
        self._alert_keeping.begin()
        self._loaded = True
        logger.info("%d streams are registered", len(self._entries))

    def _entry_of(self, stored: StreamRecord) -> StreamEntry:
        return StreamEntry.of(self._sealing.opened(stored), self._settings.reader.min_fps)

    def _open(self) -> Store:
        if self._store is None:
            self._store = DatabaseStore(self._settings.store_url)
        return self._store

    async def _ready(self) -> Store:
        """The store, once the streams are loaded.

        Raises:
            StandsBy: another registry leads.
            StoreUnavailable: they could not be loaded so far.
        """
        deadline = self._clock() + LOAD_WAIT_S
        while not self._loaded:
            self._check_leads()
            if self._clock() > deadline:
                raise StoreUnavailable(self._health.error or "the database has not answered yet")
            await asyncio.sleep(0.05)
        return self._open()

    def _check_leads(self) -> None:
        if self._leadership.is_lost:
            raise StandsBy(self._health.error or "another registry has taken over")

    async def stop(self) -> None:
        """End the loop and let go of the database; streams run on without. Idempotent."""
        for task in self._tasks:
            task.cancel()
        alerts = self._alert_keeping
        changes = self._edits.changes | alerts.changes | alerts.rules.changes
        await asyncio.gather(*self._tasks, *changes, return_exceptions=True)
        self._assignments.dismiss()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    async def check_health(self) -> None:
        """Called by Serve; a registry whose loop has ended is replaced."""
        if any(task.done() for task in self._tasks):
            raise RuntimeError("the registry's loop has ended")

    # -- what readers call

    async def session(self, greeting: Greeting) -> AsyncGenerator[DesiredState, None]:
        """Stream what changes of a reader's desired state; the first message is the whole.

        While another registry leads it ends at once: the next one that is opened may be with that one.

        Raises:
            SettingsError: it runs on another machine than the file that is the database.
        """
        try:
            await self._ready()
        except StandsBy:
            return
        self._neighbours.check(greeting)
        # Closed with this one: the end of a session has to be seen at once.
        async with contextlib.aclosing(self._assignments.session(greeting)) as session:
            async for desired in session:
                yield desired

    async def heartbeat(self, heartbeat: Heartbeat) -> list[str] | None:
        """Take a reader's sign of life.

        Returns:
            Streams that it does not have any more; None if it has no session here, and has to open one.

        Raises:
            StandsBy: another registry leads, and has to hear it.
        """
        self._check_leads()
        return self._assignments.heartbeat(heartbeat) if self._loaded else []

    async def leave(self, reader: str) -> bool:
        """A reader takes nothing more, and all that it has is to go to others; asked again and again meanwhile.

        Returns:
            Whether others are getting ready for what it has: then it works on until it has nothing left. Else it hands
            back everything at once.

        Raises:
            StandsBy: another registry leads, and decides.
        """
        self._check_leads()
        return await self._assignments.leave(reader)

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        """These streams are drained and their last checkpoint is written."""
        await self._ready()
        await self._assignments.handback(reader, streams)

    # -- what those who show pictures call

    async def watching(self, viewer: str, streams: Sequence[str]) -> list[str]:
        """Have readers send pictures of these streams, for some seconds; returns those that there are not any more.

        Args:
            viewer: who says so; what it said before is forgotten.
            streams: that somebody looks at.

        Raises:
            StandsBy: another registry leads, and tells the readers.
        """
        self._check_leads()
        self._viewers.tell(viewer, streams)
        self._tell_of_viewers()
        return [stream for stream in streams if self._loaded and stream not in self._entries]

    def _tell_of_viewers(self) -> None:
        """Wake the readers if people look at other streams than they did."""
        if self._viewers.changed():
            self._assignments.wake_all()

    # -- what the API calls

    async def list_streams(self) -> list[StreamView]:
        """All streams by id, desired and observed."""
        await self._ready()
        return [self._view(self._entries[name]) for name in sorted(self._entries)]

    async def get_stream(self, stream: str) -> StreamView:
        """One of them."""
        await self._ready()
        return self._view(self._edits.entry(stream))

    async def put_stream(
        self, stream: str, wanted: StreamDefinition, geometry: Geometry | None, expected: Precondition = ANY
    ) -> tuple[StreamView, bool]:
        """See `Edits.put`."""
        entry, created = await self._edits.put(stream, wanted, geometry, expected)
        return self._view(entry), created

    async def patch_stream(
        self, stream: str, changes: Mapping[str, Any], geometry: Geometry | None, expected: Precondition = ANY
    ) -> StreamView:
        """See `Edits.patch`."""
        return self._view(await self._edits.patch(stream, changes, geometry, expected))

    async def put_geometry(
        self, stream: str, geometry: Geometry, version: int | None, expected: Precondition = ANY
    ) -> StreamView:
        """See `Edits.draw`."""
        return self._view(await self._edits.draw(stream, geometry, version, expected))

    async def renew_reference(self, stream: str) -> StreamView:
        """See `Edits.renew_reference`."""
        return self._view(await self._edits.renew_reference(stream))

    async def delete_stream(self, stream: str, purge: bool, expected: Precondition = ANY) -> None:
        """See `Edits.delete`."""
        await self._edits.delete(stream, purge, expected)
        if purge:  # those on other nodes go within the hour, by their readers
            await asyncio.to_thread(HardFrameFolder(self._settings.hard_frames_dir).delete, stream)

    async def health_history(self, stream: str) -> list[Moment]:
        """How a stream was in the last hours, minute by minute, as far as this registry has heard."""
        await self._ready()
        self._edits.entry(stream)
        return self._alert_keeping.history.moments(stream)

    async def alerts(self) -> list[Alert]:
        """What is wrong, and what may be soon; the most severe first.

        Raises:
            StoreUnavailable: nobody knows yet.
        """
        await self._ready()
        return self._alert_keeping.alerts()

    async def acknowledge(self, alert: str, by: str) -> Alert:
        """See `AlertKeeping.acknowledge`."""
        return await self._alert_keeping.acknowledge(DatabaseAlertStore(await self._database()), alert, by)

    async def silences(self) -> list[Silence]:
        """Those that are, and those to come."""
        await self._ready()
        return self._alert_keeping.silences()

    async def silence(
        self, until_s: float, by: str, reason: str, rule: str | None, subject: str | None, from_s: float | None
    ) -> Silence:
        """See `AlertKeeping.silence`."""
        store = DatabaseAlertStore(await self._database())
        if subject not in (None, SERVICE) and subject not in self._entries:
            raise SilenceInvalid(f"there is no stream {subject!r}")
        return await self._alert_keeping.silence(store, until_s, by, reason, rule, subject, from_s)

    async def unsilence(self, silence: str) -> Silence:
        """See `AlertKeeping.unsilence`."""
        return await self._alert_keeping.unsilence(DatabaseAlertStore(await self._database()), silence)

    async def alert_rules(self) -> list[RuleView]:
        """All alert rules as they hold, by name.

        Raises:
            StoreUnavailable: nobody knows yet.
        """
        await self._ready()
        return self._alert_keeping.rules.views()

    async def change_alert_rule(self, name: str, change: Mapping[str, Any]) -> RuleView:
        """See `RuleKeeping.change`."""
        return await self._alert_keeping.rules.change(DatabaseAlertStore(await self._database()), name, change)

    async def _database(self) -> DatabaseStore:
        store = await self._ready()
        assert isinstance(store, DatabaseStore)
        return store

    def use_model(self, model: str) -> None:
        """Another one finds people from now on."""
        self._acceptance.model = model

    async def overview(self) -> Overview:
        """Readers, store and counts, for health and metrics."""
        moves = {str(why): count for why, count in self._assignments.moves.counts.items()}
        return Overview(self._loaded, self._health.error, self._assignments.readers, len(self._entries), moves)

    def _view(self, entry: StreamEntry) -> StreamView:
        return entry.view(self._clock(), 2 * self._assignments.heartbeat_s, len(self._assignments.sessions))
