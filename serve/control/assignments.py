"""Who has which stream: readers' sessions and heartbeats, plans carried out, streams released and handed back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from analytics.errors import StoreError
from analytics.storage.base import Store
from serve.control.entry import StreamEntry
from serve.control.messages import Assignment, DesiredState, Heartbeat
from serve.control.planner import Plan, plan

logger = logging.getLogger(__name__)
SETTLING_S = 4.0
RELEASE_TIMEOUT_S = 20.0
TICK_S = 1.0


@dataclass(slots=True)
class _Reader:
    """A reader with an open session."""

    capacity: float
    heartbeat_s: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Assignments:
    """Carries out the planner's decisions. All methods run on one event loop; the store is asked in threads.

    Args:
        entries: all streams, shared with the registry.
        store: gives the store, once it is open.
        watched: gives the streams that somebody looks at.
        heartbeat_timeout_s: silence after which a reader counts as frozen.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        entries: dict[str, StreamEntry],
        store: Callable[[], Store],
        watched: Callable[[], Iterable[str]],
        heartbeat_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.changing = asyncio.Lock()
        """Held while owners or the set of streams change."""
        self._entries = entries
        self._store = store
        self._watched = watched
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._clock = clock
        self._begun_s: float | None = None
        self._readers: dict[str, _Reader] = {}
        self._replanning: asyncio.Task[None] | None = None

    @property
    def readers(self) -> dict[str, float]:
        """Readers with a session, and the weight they take."""
        return {name: reader.capacity for name, reader in self._readers.items()}

    @property
    def _settling(self) -> bool:
        return self._begun_s is None or self._clock() - self._begun_s < SETTLING_S

    def begin(self) -> None:
        """Streams are known from now on; for a while, readers may come back with what they hold."""
        self._begun_s = self._clock()

    async def tick(self) -> None:
        """Once a second: give up frozen readers, and plan.

        Raises:
            StoreError: the plan could not be stored; the next tick tries again.
        """
        now = self._clock()
        for name, reader in list(self._readers.items()):
            if now - reader.heartbeat_s > self._heartbeat_timeout_s:
                logger.warning("reader %s is silent; its streams move", name)
                self._readers.pop(name)
                reader.wake.set()
        await asyncio.to_thread(self._store().check)
        await self.plan()

    async def plan(self) -> None:
        """Carry out what the planner says; one plan at a time."""
        async with self.changing:
            claims = {name: entry.claim() for name, entry in self._entries.items()}
            await self._carry_out(plan(claims, self.readers, settling=self._settling))
            self._give_up_releases()

    async def plan_soon(self) -> None:
        """The same, but a database that is away is left to the next tick."""
        with contextlib.suppress(StoreError):
            await self.plan()

    async def _carry_out(self, made: Plan) -> None:
        touched: set[str] = set()
        for stream in made.orphaned:
            if stream not in made.assign:
                await self._assign(stream, None)
        for stream, owner in made.assign.items():
            await self._assign(stream, owner)
            touched.add(owner)
        for stream in made.release:
            entry = self._entries[stream]
            entry.release_asked_s = self._clock()
            touched.add(entry.record.owner or "")
        for stream, entry in self._entries.items():
            entry.waiting = stream in made.waiting
        for name in touched & self._readers.keys():
            self._readers[name].wake.set()

    async def _assign(self, stream: str, owner: str | None) -> None:
        epoch = await asyncio.to_thread(self._store().assign, stream, owner)
        entry = self._entries.get(stream)
        if entry is None:
            return
        entry.record = replace(entry.record, owner=owner, epoch=epoch)
        entry.release_asked_s = None
        entry.status = None
        if owner is None:
            entry.free.set()
        else:
            entry.free.clear()

    def _give_up_releases(self) -> None:
        """A reader that does not let go in time is treated as if it had: the epoch keeps it out."""
        now = self._clock()
        for entry in self._entries.values():
            if entry.release_asked_s is not None and now - entry.release_asked_s > RELEASE_TIMEOUT_S:
                logger.warning("reader %s does not let go", entry.record.owner, extra={"stream": entry.record.id})
                entry.record = replace(entry.record, owner=None)
                entry.release_asked_s = None

    def wake_all(self) -> None:
        """Something changed that readers should hear of now."""
        for reader in self._readers.values():
            reader.wake.set()

    async def release(self, entry: StreamEntry, timeout_s: float) -> None:
        """Ask the owner to drain a stream and wait until it has, or the time is up."""
        owner = entry.record.owner
        if owner is None or owner not in self._readers:
            return
        entry.free.clear()
        entry.release_asked_s = self._clock()
        self._readers[owner].wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(entry.free.wait(), timeout_s)

    # -- what readers call, through the registry

    async def session(
        self, reader: str, capacity: float, held: Mapping[str, int]
    ) -> AsyncGenerator[DesiredState, None]:
        """See `serve.control.registry.Registry.session`."""
        link = self._readers[reader] = _Reader(capacity, self._clock())
        try:
            logger.info("reader %s opens a session, holding %d streams", reader, len(held))
            # Under the lock: a plan that is being carried out may be giving the same streams to somebody else.
            async with self.changing:
                for stream, epoch in held.items():
                    entry = self._entries.get(stream)
                    if entry is not None and entry.record.owner is None and entry.record.epoch == epoch:
                        entry.record = replace(entry.record, owner=reader)
            await self.plan_soon()
            told: Mapping[str, Assignment] = {}
            # A reader that came back has a new link under its name; the session of its old one ends here.
            while self._readers.get(reader) is link:
                # Cleared before the state is read: what changes from here on sets it again, and is told next time.
                link.wake.clear()
                desired = self._desired_state(reader, told)
                told = desired.assignments
                yield desired
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(link.wake.wait(), TICK_S)
        finally:
            if self._readers.get(reader) is link:
                del self._readers[reader]
                logger.info("reader %s has gone", reader)
                self._replanning = asyncio.get_running_loop().create_task(self.plan_soon())

    def _desired_state(self, reader: str, told: Mapping[str, Assignment]) -> DesiredState:
        mine = {
            name: entry
            for name, entry in self._entries.items()
            if entry.record.owner == reader and entry.release_asked_s is None
        }
        assignments = {name: entry.assignment for name, entry in mine.items()}
        return DesiredState(
            assignments=assignments,
            work={name: mine[name].work for name, assigned in assignments.items() if told.get(name) != assigned},
            watched=tuple(name for name in self._watched() if name in mine),
            total_weight=sum(e.claim().weight for e in self._entries.values() if e.definition.enabled),
        )

    def heartbeat(self, heartbeat: Heartbeat) -> list[str]:
        """See `serve.control.registry.Registry.heartbeat`."""
        link = self._readers.get(heartbeat.reader)
        if link is None:
            return []
        link.heartbeat_s = self._clock()
        lost = []
        for stream, reported in heartbeat.streams.items():
            entry = self._entries.get(stream)
            # Both must agree: a reader that was given up and came back may name a stream that has moved on since.
            if entry is None or (entry.record.owner, entry.record.epoch) != (heartbeat.reader, reported.epoch):
                lost.append(stream)
            else:
                entry.status, entry.heard_s = reported.status, self._clock()
        return lost

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        """See `serve.control.registry.Registry.handback`."""
        async with self.changing:
            for stream, epoch in streams.items():
                entry = self._entries.get(stream)
                if entry is not None and entry.record.owner == reader and entry.record.epoch == epoch:
                    await self._assign(stream, None)
        await self.plan_soon()
