"""Where sinks are asked for, looked at, tried and set right; what the API knows of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from analytics.events import TEST, Event, EventContext, identity
from analytics.storage.outbox import EVERYTHING, NumberedEvent, Outbox, Waiting
from analytics.storage.sinks import DeadLetter, SinkRecord, SinkStore, Standing
from pipelines.sources.reach import Reach
from serve.control.preconditions import ANY, Precondition
from serve.control.sealing import Sealing
from serve.errors import DefinitionRefused, NotDelivered, SinkConflict, UnknownSink
from serve.events.definition import BY_SETTINGS, SinkDefinition, require_alone
from serve.events.opening import definition_of

MAX_SINKS = 100
TRIAL_S = 25.0
"""For an event that somebody sends by hand."""


@dataclass(frozen=True, slots=True)
class SinkView:
    """A sink, wanted and observed.

    Attributes:
        id: chosen by whoever made it.
        definition: what is wanted of it; None if that is not understood here, such as a type of another version.
        version: 1 for the first, one more with every change.
        by_settings: whether the settings say so, and nobody else may.
        standing: how far events are there.
        waiting: those that are not.
    """

    id: str
    definition: SinkDefinition | None
    version: int
    by_settings: bool
    standing: Standing
    waiting: Waiting

    @property
    def etag(self) -> str:
        """Names what is wanted, not how it is."""
        return f'"{self.version}"'


class SinkDesk:
    """See the module; every method may raise `StoreError`.

    Args:
        store: of sinks, asked in threads.
        outbox: likewise.
        sealing: of secrets.
        reach: where receivers may be.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        store: SinkStore,
        outbox: Outbox,
        sealing: Sealing,
        reach: Reach,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._sealing = sealing
        self._reach = reach
        self._wall_clock = wall_clock
        self._putting = threading.Lock()
        """Between a look at all sinks and the change of one, no other comes in between; of this desk, that is: while a
        service is updated there are two."""

    async def views(self) -> list[SinkView]:
        """All sinks, by id."""
        return await asyncio.to_thread(self._views)

    async def view(self, sink: str) -> SinkView:
        """One of them.

        Raises:
            UnknownSink: there is none.
        """
        return await asyncio.to_thread(self._view, sink)

    def _views(self) -> list[SinkView]:
        standings = self._store.standings(with_dead=True)
        return [self._view_of(record, standings.get(record.id)) for record in self._store.sinks()]

    def _view(self, sink: str) -> SinkView:
        for record in self._store.sinks():
            if record.id == sink:
                return self._view_of(record, self._store.standings(with_dead=True).get(sink))
        raise UnknownSink(f"there is no sink {sink!r}")

    def _view_of(self, record: SinkRecord, standing: Standing | None) -> SinkView:
        definition = definition_of(self._sealing, record)
        standing = standing or Standing(record.id, 0)
        wanted = EVERYTHING if definition is None else definition.wanted
        waiting = self._outbox.waiting(standing.position, wanted)
        by_settings = bool(record.definition.get(BY_SETTINGS))
        return SinkView(record.id, definition, record.version, by_settings, standing, waiting)

    async def put(
        self, sink: str, wanted: SinkDefinition, after: int | None = None, expected: Precondition = ANY
    ) -> tuple[SinkView, bool]:
        """Make a sink, or change it; the same again changes nothing.

        Args:
            sink: id.
            wanted: its definition; secrets may stand in it as they were shown.
            after: number of the event after which a new one begins; None: now.
            expected: what the caller believes to be there.

        Returns:
            The sink, and whether it is new.

        Raises:
            DefinitionRefused: a secret is hidden and not known, another sink is in the way, or there are too many.
            SourceNotAllowed: its receiver is where nothing may be sent to.
            PreconditionFailed: something else is there.
            SinkConflict: the settings say what it is, or somebody else was faster.
        """
        return await asyncio.to_thread(self._put, sink, wanted, after, expected)

    def _put(
        self, sink: str, wanted: SinkDefinition, after: int | None, expected: Precondition
    ) -> tuple[SinkView, bool]:
        with self._putting:
            created = self._change(sink, wanted, after, expected)
        return self._view(sink), created

    def _change(self, sink: str, wanted: SinkDefinition, after: int | None, expected: Precondition) -> bool:
        """Returns whether it is new."""
        records = {record.id: record for record in self._store.sinks()}
        known = self._view_of(records[sink], None) if sink in records else None
        expected.check(None if known is None else known.etag, "sink")
        _require_ours(known)
        wanted.target.check(self._reach)
        definition = wanted.completed(None if known is None else known.definition)
        require_alone(sink, definition, {name: definition_of(self._sealing, one) for name, one in records.items()})
        if known is None:
            if len(records) >= MAX_SINKS:
                raise DefinitionRefused(f"there are {MAX_SINKS} sinks already, which are enough")
            position = self._outbox.number() if after is None else self._kept(after)
            document = self._sealing.sealed(SinkRecord(sink, definition.model_dump(mode="json"))).definition
            if not self._store.add_sink(sink, document, position):
                raise SinkConflict(f"somebody else has just made the sink {sink!r}")
        elif definition != known.definition:
            document = self._sealing.sealed(SinkRecord(sink, definition.model_dump(mode="json"))).definition
            if not self._store.change_sink(sink, document, known.version):
                raise SinkConflict(f"somebody else has just changed the sink {sink!r}: read it again")
        return known is None

    async def delete(self, sink: str, expected: Precondition = ANY) -> None:
        """Forget a sink, with its dead letters.

        Raises:
            UnknownSink, PreconditionFailed, SinkConflict: see `put`.
        """
        view = await self.view(sink)
        expected.check(view.etag, "sink")
        _require_ours(view)
        await asyncio.to_thread(self._store.delete_sink, sink)

    async def rewind(self, sink: str, after: int) -> SinkView:
        """Send again what comes after a number, as far as it is kept.

        Raises:
            UnknownSink: there is none.
        """
        position = await asyncio.to_thread(self._kept, after)
        if not await asyncio.to_thread(self._store.rewind, sink, position):
            raise UnknownSink(f"there is no sink {sink!r}")
        return await self.view(sink)

    def _kept(self, after: int) -> int:
        """The number, or the next one behind which something is, or may come to be."""
        return max(min(after, self._outbox.number()), self._outbox.oldest() - 1)

    async def test(self, sink: str) -> None:
        """Send a single event that says that it is a test.

        Raises:
            UnknownSink: there is none.
            NotDelivered: it does not arrive, with the reason.
        """
        view = await self.view(sink)
        now_s = self._wall_clock()
        context = EventContext("test", "", 0, "")
        event = Event(identity(TEST, sink, now_s), TEST, context, "", now_s, {"sink": sink})
        await self._send(view, NumberedEvent(await asyncio.to_thread(self._outbox.number), event, now_s))

    async def dead_letters(self, sink: str, limit: int, after: int = 0) -> list[DeadLetter]:
        """Events that it refused, the oldest first.

        Raises:
            UnknownSink: there is none.
        """
        await self.view(sink)
        return await asyncio.to_thread(self._store.dead_letters, sink, limit, after)

    async def resend(self, sink: str, number: int) -> None:
        """Send a dead letter again; it is forgotten once it has arrived.

        Raises:
            UnknownSink: there is no such sink, or no such letter.
            NotDelivered: it is refused again, or nobody answers.
        """
        view = await self.view(sink)
        found = await asyncio.to_thread(self._store.dead_letters, sink, 1, number - 1)
        if not found or found[0].number != number:
            raise UnknownSink(f"the sink {sink!r} has no dead letter {number}")
        await self._send(view, NumberedEvent(found[0].event_number, found[0].event, found[0].died_s))
        await asyncio.to_thread(self._store.forget_dead, sink, number)

    async def forget(self, sink: str, number: int) -> None:
        """Throw a dead letter away.

        Raises:
            UnknownSink: there is no such sink, or no such letter.
        """
        if not await asyncio.to_thread(self._store.forget_dead, sink, number):
            raise UnknownSink(f"the sink {sink!r} has no dead letter {number}")

    async def _send(self, view: SinkView, event: NumberedEvent) -> None:
        if view.definition is None:
            raise NotDelivered("its definition is not understood here")
        target = view.definition.target
        if target.hides_a_secret:
            raise NotDelivered("its secret cannot be read: give it again, or the key back")
        target.check(self._reach)
        sink = target.open_trial(self._reach)
        try:
            async with asyncio.timeout(TRIAL_S):
                outcome = await sink.send([event])
        except TimeoutError:
            raise NotDelivered(f"no answer within {TRIAL_S:.0f} s") from None
        finally:
            await sink.close()
        if outcome.refused:
            raise NotDelivered(outcome.refused[0][1])
        if not outcome.done:
            raise NotDelivered(outcome.error or "it was not taken")


def _require_ours(view: SinkView | None) -> None:
    if view is not None and view.by_settings:
        raise SinkConflict(f"the settings say what the sink {view.id!r} is: change it there (events.sinks)")
