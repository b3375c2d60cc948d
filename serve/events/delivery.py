"""Brings events to one sink: in order, from where it is, for as long as somebody holds its lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analytics.errors import LeaseLost, StoreError
from analytics.storage.outbox import EventFilter, NumberedEvent
from analytics.storage.sinks import Lease, Progress, SinkStore
from serve.events.sinks.base import Outcome, Sink
from serve.events.tail import EventTail, Heard

logger = logging.getLogger(__name__)
RENEW_S = 1.0
"""How often a deliverer says that it is there, and how far."""
HELD_S = 3.5
"""For which a lease is good that was renewed; a little later others may take it for given up."""
FIRST_S, LONGEST_S = 0.5, 60.0
"""Pauses before what failed is tried again: twice as long each time, and each a little different."""
CLOSE_S = 3.0
_CLOSING: set[asyncio.Future[None]] = set()
LONGEST_ASKED_S = 600.0
"""However long a receiver asks us to wait."""
PATIENCE_S = 3600.0
"""An event that somebody has answered to for so long, and never taken, is given up; the others go on."""


@dataclass(slots=True)
class _State:
    """What is not stored so far."""

    position: int
    delivered: int = 0
    error: str | None = None
    dead: list[tuple[NumberedEvent, str]] = field(default_factory=list)
    missed: int = 0


class Delivery:
    """One sink's deliveries, from taking its lease to losing it.

    Args:
        name: of the sink.
        sink: where events go; closed at the end.
        wanted: which of them.
        tail: where they come from.
        store: for the position, asked in threads.
        lease: on the sink.
        position: number of the last event that is there.
        error: what went wrong last, as far as is known.
        held_s: when the lease was asked for, by the clock; None: now.
        chance: from 0 to 1; for tests.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        wanted: EventFilter,
        tail: EventTail,
        store: SinkStore,
        lease: Lease,
        position: int,
        error: str | None = None,
        *,
        held_s: float | None = None,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._sink = sink
        self._wanted = wanted
        self._tail = tail
        self._store = store
        self._lease = lease
        self._state = _State(position, error=error)
        self._chance = chance
        self._clock = clock
        self._asked_s = clock()
        self._renewed_s = self._asked_s if held_s is None else held_s
        self._idle_pause_s = 0.0
        self._storing = asyncio.Lock()
        self._stored = {position}

    async def run(self) -> None:
        """Until it is cancelled, or somebody else delivers; then the position is stored, as far as that goes."""
        renewing = asyncio.create_task(self._renew())
        delivering = asyncio.create_task(self._deliver())
        try:
            done, _ = await asyncio.wait({renewing, delivering}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            ending = asyncio.ensure_future(self._finish(renewing, delivering))
            while not ending.done():  # whoever ends it a second time meanwhile does not keep it from letting go
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(ending)

    async def _finish(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        if not any(isinstance(one, LeaseLost) for one in ended):
            with contextlib.suppress(StoreError):
                await self._save()
        closing = asyncio.ensure_future(self._sink.close())
        _CLOSING.add(closing)  # who is dead may take long to let go of, and is let go of all the same
        closing.add_done_callback(_CLOSING.discard)
        await asyncio.wait({closing}, timeout=CLOSE_S)

    async def _renew(self) -> None:
        """Say how far it is, once a second; raises LeaseLost once that is another's business."""
        while True:
            try:
                await self._save()
            except LeaseLost:
                raise
            except StoreError as error:
                logger.debug("the position of sink %s is not stored: %s", self._name, error)
            await asyncio.sleep(RENEW_S)

    async def _save(self) -> None:
        """To its end, also when it is not waited for any more: what is stored must not be stored a second time."""
        await asyncio.shield(asyncio.ensure_future(self._store_progress()))

    async def _store_progress(self) -> None:
        async with self._storing:
            state = self._state
            stored, dead = frozenset(self._stored), tuple(state.dead)
            progress = Progress(state.position, state.delivered, state.error, dead, state.missed, stored)
            asked_s = self._clock()
            self._stored.add(progress.position)  # it may be, also where no answer comes
            await asyncio.to_thread(self._store.proceed, self._name, self._lease, progress)
            self._renewed_s, self._stored = asked_s, {progress.position}
            state.delivered -= progress.delivered
            state.missed -= progress.missed
            del state.dead[: len(progress.dead)]

    async def _deliver(self) -> None:
        listening = self._tail.listen(self._state.position, self._wanted, passing=True)
        try:
            coming: asyncio.Future[Heard] | None = None
            while True:
                coming = coming or asyncio.ensure_future(anext(listening))
                done, _ = await asyncio.wait({coming}, timeout=self._due_in_s())
                if self._due_in_s() == 0:
                    await self._look_after()
                if not done:
                    continue
                try:
                    heard, coming = coming.result(), None
                except StopAsyncIteration:  # where it is stands in the database, whichever that is by now
                    raise LeaseLost(f"sink {self._name}: the database was set back") from None
                if heard.oldest is not None:
                    # What was forgotten while it was read is here all the same.
                    self._pass_over(min([heard.oldest, *(one.number for one in heard.events[:1])]))
                for first in range(0, len(heard.events), self._sink.at_once):
                    await self._bring(heard.events[first : first + self._sink.at_once])
                self._state.position = max(self._state.position, heard.upto)
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            await listening.aclose()

    def _pass_over(self, oldest: int) -> None:
        """What is not kept any more cannot be brought."""
        missed = max(0, oldest - 1 - self._state.position)
        logger.warning("sink %s: %d events are not kept any more, up to number %d", self._name, missed, oldest - 1)
        self._state.missed += missed
        self._state.position = oldest - 1  # in the same step: else whoever comes next would count them again

    def _due_in_s(self) -> float | None:
        """Until the sink has been left alone for long enough; None: never."""
        if self._sink.idle_s is None:
            return None
        return max(0.0, self._asked_s + max(self._sink.idle_s, self._idle_pause_s) - self._clock())

    async def _look_after(self) -> None:
        """Without an event, and less and less often if it does not work."""
        await self._until_held()
        outcome = await self._send([])
        self._asked_s = self._clock()
        self._idle_pause_s = 0.0 if outcome.error is None else min(2 * self._idle_pause_s + FIRST_S, LONGEST_S)
        self._hear_of(outcome.error)

    async def _bring(self, events: Sequence[NumberedEvent]) -> None:
        """All of these, however long it takes."""
        pause_s, state, since_s = FIRST_S, self._state, self._clock()
        at_once = len(events)
        while events:
            since_s += await self._until_held()
            outcome = await self._send(events[:at_once])
            self._asked_s, self._idle_pause_s = self._clock(), 0.0
            if not outcome.answered:  # nobody has said anything against this event
                since_s = self._clock()
            # Whichever is in the way is found by sending one at a time, and then more and more.
            at_once = 2 * at_once if outcome.error is None else 1
            if outcome.done:
                pause_s, since_s = FIRST_S, self._clock()
                state.position = events[outcome.done - 1].number
                state.delivered += outcome.done - len(outcome.refused)
                state.dead += outcome.refused
            self._hear_of(outcome.error)
            events = events[outcome.done :]
            if outcome.error is None:
                continue
            if events and outcome.answered and self._clock() - since_s >= PATIENCE_S:
                logger.error("sink %s: an event is given up: %s", self._name, outcome.error)
                state.dead.append((events[0], outcome.error or "it was never taken"))
                state.position, events, since_s = events[0].number, events[1:], self._clock()
            elif events:
                asked_s = min(outcome.pause_s or 0.0, LONGEST_ASKED_S)
                await asyncio.sleep(max(asked_s, pause_s * (0.75 + self._chance() / 2)))
                pause_s = min(2 * pause_s, LONGEST_S)

    async def _until_held(self) -> float:
        """Wait for the lease to be good; returns the seconds that this took.

        Who could not renew it for so long may have been followed by somebody, and at an MQTT broker each would throw
        the other out. There is little to send without the database.
        """
        begun_s = self._clock()
        while self._clock() - self._renewed_s > HELD_S:
            await asyncio.sleep(RENEW_S / 10)
        return self._clock() - begun_s

    async def _send(self, events: Sequence[NumberedEvent]) -> Outcome:
        try:
            return await self._sink.send(events)
        except Exception as error:  # which no sink should do; it must not look as if all were well
            if self._state.error is None:
                logger.exception("sink %s fails", self._name)
            return Outcome(0, error=f"it fails in here: {type(error).__name__}")

    def _hear_of(self, error: str | None) -> None:
        if error is not None and error != self._state.error:
            logger.warning("sink %s: %s", self._name, error)
        self._state.error = error
