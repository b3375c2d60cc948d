"""Judges all streams and the service, keeps the book of alerts, and tells people: by the registry that leads."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from analytics.alerts.book import SERVICE, Alert, AlertBook, AlertChange
from analytics.alerts.opening_hours import OpeningHours
from analytics.alerts.rules import RULES
from analytics.alerts.silences import Silence
from analytics.errors import StoreError, StoreUnavailable
from analytics.events import ALERT_CLEARED, ALERT_RAISED, AlertCleared, AlertRaised, Event, EventContext, identity
from analytics.storage.alerts import AlertRecord, AlertStore
from analytics.storage.sinks import SinkStore
from serve.control.changes import Changing, to_its_end
from serve.control.entry import StreamEntry
from serve.control.history import History
from serve.control.messages import ReaderView
from serve.control.problems import Limits, WatchedService, WatchedStream, is_judged, problems
from serve.control.rule_keeping import RuleKeeping
from serve.sections import MonitoringSettings
from serve.streams.status import StreamStatus

logger = logging.getLogger(__name__)
SINKS_S = 10.0
"""So often it is looked whether events arrive."""
FORGET_S = 3600.0
DAY_S = 86_400.0
MOST_UNTOLD = 10_000
"""Events that wait for the database; with more, the oldest go: who comes back then sees what is on by itself."""


class AlertKeeping(Changing):
    """Asked once a second, and by people. All on one event loop; the store is asked in threads.

    Args:
        settings: rules, hours, limits.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: MonitoringSettings,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._hours: dict[str, OpeningHours] = {}
        self._limits = Limits(settings.nobody_s, settings.oldest_work_s, settings.least_disk_share)
        self._history_s = settings.history_days * DAY_S
        self._clock, self._wall_clock = clock, wall_clock
        self._failed = False
        self.history = History()
        """How each stream was lately, as far as this registry has heard."""
        self.rules = RuleKeeping(settings.alerts)
        """What is told."""
        self._changing = asyncio.Lock()
        """From a change of the book to its being written nobody else comes in between."""
        self.begin()

    def begin(self) -> None:
        """Somebody else may have led meanwhile."""
        self.rules.begin()
        self._book: AlertBook | None = None
        self._written: Mapping[str, Any] | None = None
        self._known: dict[str, AlertRecord] = {}
        self._untold: list[Event] = []
        self._ended: dict[str, AlertRecord] = {}
        self._streams: frozenset[str] = frozenset()
        self._sites: dict[str, str] = {}
        self._lost: dict[str, int] = {}
        self._sinks: dict[str, str] = {}
        self._sinks_due_s = self._forget_due_s = self._clock()

    async def round(
        self,
        store: AlertStore,
        sinks: SinkStore,
        streams: Sequence[WatchedStream],
        sites: Mapping[str, str],
        store_error: str | None,
        readers: Mapping[str, ReaderView],
    ) -> None:
        """Judge and tell; what goes wrong is logged, once for as long as it lasts, and tried again the next time.

        Args:
            store: of alerts.
            sinks: where events go.
            streams: all of them.
            sites: of each stream.
            store_error: why the database does not answer; None while it does.
            readers: with a session.
        """
        disks: dict[str, float] = {}
        for one in readers.values():
            if one.disk_free is not None:
                disks[one.node] = min(one.disk_free, disks.get(one.node, 1.0))
        service = WatchedService(store_error, disks)
        try:
            self._remember(streams)
            async with self._changing:
                book = await self._opened(store)
                await self._ask_sinks(sinks)
                self._judge(book, streams, sites, service)
                await self._write(store, book)
                await self._forget(store)
            self._failed = False
        except StoreError as error:
            logger.log(logging.DEBUG if self._failed else logging.WARNING, "alerts are not written: %s", error)
            self._failed = True
        except Exception:
            logger.log(logging.DEBUG if self._failed else logging.ERROR, "alerts are not seen to", exc_info=True)
            self._failed = True

    def streams(
        self, entries: Mapping[str, StreamEntry], status_of: Callable[[StreamEntry], StreamStatus], silence_s: float
    ) -> list[WatchedStream]:
        """What is known of registered streams.

        Args:
            entries: all of them.
            status_of: how one is shown.
            silence_s: after so long without a sign of its reader, nobody knows how a stream is.
        """
        now_s = self._clock()
        return [
            WatchedStream(
                name,
                entry.definition.enabled,
                entry.definition.source.live,
                status_of(entry),
                entry.status is not None and now_s - entry.heard_s <= silence_s,
                self._hours_of(entry.definition.site),
                None if entry.meter.weight is None else entry.meter.weight.wanted,
            )
            for name, entry in entries.items()
        ]

    def _hours_of(self, site: str) -> OpeningHours:
        if site not in self._hours:
            self._hours[site] = self._settings.hours_of(site)
        return self._hours[site]

    def _remember(self, streams: Sequence[WatchedStream]) -> None:
        now_s = self._wall_clock()
        for stream in streams:
            if stream.heard:
                self.history.note(stream.id, stream.status, stream.cores, now_s)
        self.history.keep({stream.id for stream in streams})

    async def _opened(self, store: AlertStore) -> AlertBook:
        """The book, as whoever led before has left it.

        Raises:
            StoreError: nobody knows; to begin anew would tell people of everything again.
        """
        await self.rules.open(store)
        if self._book is None:
            state, on = await asyncio.to_thread(lambda: (store.load(), store.open_records()))
            book = AlertBook(self.rules.rules)
            if state is not None:
                try:
                    book.restore(state)
                except ValueError as error:
                    logger.warning("alerts of another version are left behind: %s", error)
            self._known = {record.id: record for record in on}
            self._written = book.standing
            self._book = book
        return self._book

    async def _ask_sinks(self, sinks: SinkStore) -> None:
        if self._clock() < self._sinks_due_s:
            return
        self._sinks_due_s = self._clock() + SINKS_S
        try:
            standings, known = await asyncio.to_thread(lambda: (sinks.standings(), sinks.sinks()))
        except StoreError:
            return  # that is another alert
        wanted = {one.id for one in known if one.definition.get("enabled", True)}
        self._sinks = {name: one.error for name, one in standings.items() if one.error is not None and name in wanted}

    def _judge(
        self, book: AlertBook, streams: Sequence[WatchedStream], sites: Mapping[str, str], service: WatchedService
    ) -> None:
        now_s = self._wall_clock()
        book.use_rules(self.rules.rules)
        by_id = {stream.id: stream for stream in streams}
        for gone in self._subjects_of(book) - by_id.keys() - {SERVICE}:
            self._tell(book.forget(gone, now_s), now_s)
        lost = {stream.id: stream.status.rows_lost for stream in streams if stream.heard}
        fresh = {name: count - min(self._lost.get(name, count), count) for name, count in lost.items()}
        self._lost = {name: count for name, count in (self._lost | lost).items() if name in by_id}
        self._sites = dict(sites)
        service = dataclasses.replace(service, sinks=self._sinks, minutes_lost=fresh)
        found = list(problems(streams, service, self._limits, now_s))
        changes = book.observe(
            now_s,
            found,
            lambda rule, subject: is_judged(rule, by_id.get(subject)),
            lambda subject: subject not in by_id or by_id[subject].hours.is_open(now_s),
        )
        self._tell(changes, now_s)

    @staticmethod
    def _subjects_of(book: AlertBook) -> set[str]:
        return {one.subject for one in book.alerts()} | {
            one.subject for one in book.silences() if one.subject is not None
        }

    def _tell(self, changes: Collection[AlertChange], now_s: float) -> None:
        for change in changes:
            level = logging.INFO if change.kind == "cleared" else logging.WARNING
            logger.log(
                level,
                "alert %s %s: %s",
                change.alert.rule,
                change.kind,
                change.alert.detail,
                extra={"stream": change.alert.subject},
            )
            self._untold.append(self._event(change, now_s))
        del self._untold[:-MOST_UNTOLD]

    def _event(self, change: AlertChange, now_s: float) -> Event:
        alert = change.alert
        raised = change.kind == "raised"
        common = (alert.id, alert.severity, alert.summary, alert.rule, alert.subject, alert.detail)
        told = (
            AlertRaised(*common, RULES[alert.rule].advice if alert.rule in RULES else "", now_s)
            if raised
            else AlertCleared(*common, now_s)
        )
        data = dataclasses.asdict(told)
        del data["time_s"]
        kind = ALERT_RAISED if raised else ALERT_CLEARED
        context = EventContext(alert.subject, self._sites.get(alert.subject, ""), 0, "")
        return Event(identity(kind, alert.id, round(now_s * 1e6)), kind, context, "", now_s, data)

    async def _write(self, store: AlertStore, book: AlertBook) -> None:
        """What is not yet written, if anything is.

        Raises:
            StoreError: it waits.
        """
        now_s = self._wall_clock()
        on = {
            alert.id: _record(alert)
            for alert in book.alerts()
            if alert.raised_s is not None and alert.cleared_s is None
        }
        for id in self._known.keys() - on.keys() - self._ended.keys():
            self._ended[id] = dataclasses.replace(self._known[id], cleared_s=now_s)
        for id in on.keys() & self._ended.keys():
            del self._ended[id]  # it has come back
        fresh = [one for id, one in on.items() if not _same(self._known.get(id), one)]
        standing = book.standing
        if standing == self._written and not (fresh or self._ended or self._untold):
            return
        told = list(self._untold)
        await asyncio.to_thread(store.save, book.snapshot(), [*fresh, *self._ended.values()], told)
        del self._untold[: len(told)]
        self._known = {id: one for id, one in self._known.items() if id not in self._ended} | {
            one.id: one for one in fresh
        }
        self._written, self._ended = standing, {}

    async def _forget(self, store: AlertStore) -> None:
        if self._clock() >= self._forget_due_s:
            forgotten = await asyncio.to_thread(store.forget, self._wall_clock() - self._history_s)
            self._forget_due_s = self._clock() + (0.0 if forgotten else FORGET_S)

    # -- what people ask

    def alerts(self) -> list[Alert]:
        """What is on, and what may be soon.

        Raises:
            StoreUnavailable: what was on before is not known yet.
        """
        return self._there.alerts()

    def silences(self) -> list[Silence]:
        """Those that are, and those to come.

        Raises:
            StoreUnavailable: see `alerts`.
        """
        return self._there.silences()

    @to_its_end
    async def acknowledge(self, store: AlertStore, id: str, by: str) -> Alert:
        """See `AlertBook.acknowledge`; it is written before this returns.

        Raises:
            UnknownAlert: none that is on has this id.
            StoreError: it could not be written; it counts until this registry ends.
        """
        async with self._changing:
            alert = self._there.acknowledge(id, by, self._wall_clock())
            await self._write(store, self._there)
            return alert

    @to_its_end
    async def silence(
        self,
        store: AlertStore,
        until_s: float,
        by: str,
        reason: str,
        rule: str | None,
        subject: str | None,
        from_s: float | None,
    ) -> Silence:
        """See `AlertBook.silence`; it is written before this returns.

        Raises:
            SilenceInvalid: it cannot be, or there are too many.
            StoreError: see `acknowledge`.
        """
        async with self._changing:
            now_s = self._wall_clock()
            made = self._there.silence(now_s, until_s, by, reason, rule=rule, subject=subject, from_s=from_s)
            await self._write(store, self._there)
            return made

    @to_its_end
    async def unsilence(self, store: AlertStore, id: str) -> Silence:
        """End a silence; it is written before this returns.

        Raises:
            UnknownSilence: there is none of this id.
            StoreError: see `acknowledge`.
        """
        async with self._changing:
            ended = self._there.unsilence(id)
            await self._write(store, self._there)
            return ended

    @property
    def _there(self) -> AlertBook:
        if self._book is None:
            raise StoreUnavailable("alerts are not known yet")
        return self._book


def _record(alert: Alert) -> AlertRecord:
    assert alert.raised_s is not None
    return AlertRecord(
        alert.id,
        alert.rule,
        alert.subject,
        alert.severity,
        alert.summary,
        alert.detail,
        alert.since_s,
        alert.raised_s,
        None,
        alert.acknowledged_by,
        alert.acknowledged_s,
        alert.told,
    )


def _same(before: AlertRecord | None, now: AlertRecord) -> bool:
    """Whether only its detail has changed, which it does all the time."""
    return before is not None and dataclasses.replace(before, detail=now.detail) == now
