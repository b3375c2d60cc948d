"""Who has which stream: readers' sessions and heartbeats, plans carried out, streams released and handed back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace

from analytics.errors import StoreError
from analytics.storage.base import Store
from serve.control.entry import StreamEntry
from serve.control.heartbeat import interval_s
from serve.control.messages import DesiredState, Greeting, Heartbeat, ReaderView
from serve.control.moves import Moves, Why
from serve.control.planner import Plan, plan
from serve.control.reader_link import ReaderLink, rooms, views
from serve.streams.status import StreamStatus

logger = logging.getLogger(__name__)
SETTLING_S = 4.0
RELEASE_TIMEOUT_S = 20.0
PREPARE_S = 10.0
"""For another reader to open a camera ahead of time; later it is done the other way round, with a gap."""
TICK_S = 1.0
LISTENED_S = TICK_S
"""What a tick counts for at most: when it comes late, nobody was listening, and silence tells nothing."""
UNHEARD_S = 2.0
"""What the time between two heartbeats of whichever readers counts for at most: in longer ones nobody was heard."""
LOOKED_AT_S = 5.0
"""A plan is made anew after this time even if nothing was heard that might change it."""
WORTH_TELLING = 0.05
"""Readers hear of another total weight once it is off by this share."""


class Assignments:
    """Carries out the planner's decisions. All methods run on one event loop; the store is asked in threads.

    Args:
        entries: all streams, shared with the registry.
        store: gives the store, once it is open.
        watched: gives the streams that somebody looks at.
        store_works: whether the store can be expected to answer.
        heartbeat_timeout_s: silence after which a reader counts as frozen.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        entries: dict[str, StreamEntry],
        store: Callable[[], Store],
        watched: Callable[[], Iterable[str]],
        store_works: Callable[[], bool],
        heartbeat_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.changing = asyncio.Lock()
        """Held while owners or the set of streams change."""
        self._entries = entries
        self._store = store
        self._watched = watched
        self._store_works = store_works
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._clock = clock
        self._ticked_s = clock()
        self._unheard_s = 0.0
        self._settling_s = SETTLING_S
        self._readers: dict[str, ReaderLink] = {}
        self.sessions = self._readers.keys()
        """Names of the readers that have one."""
        self._total_weight = 0.0
        self.heartbeat_s = interval_s(0, heartbeat_timeout_s)
        """Between two heartbeats of a reader."""
        self.moves = Moves(clock)
        self._capacities: dict[str, float] = {}
        self._happened = 0  # what a plan may depend on, counted
        self._planned_for: int | None = None  # of these, those after which there was nothing to change
        self._planned_s = 0.0
        self._weighed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def readers(self) -> dict[str, ReaderView]:
        """Readers with a session, and how they are filled."""
        return views(self._readers, self._entries.values())

    def begin(self) -> None:
        """Streams are known from now on; for a while, readers may come back with what they hold."""
        self._settling_s = SETTLING_S
        for entry in self._entries.values():
            entry.given_s = self._clock()

    def dismiss(self) -> None:
        """Somebody else leads: all sessions end, so that readers turn to him."""
        for reader in self._readers.values():
            reader.wake.set()
        self._readers.clear()

    def listen(self) -> None:
        """Once a second: who has been silent for too long while others were heard is given up.

        Time counts only while somebody listened, and only up to the newest heartbeat. After a stall of this process
        heartbeats are still on their way; a registry that is being replaced gets none any more; where the network is
        cut, nobody is heard. In all of these, all readers would look dead at once, and the first one back would be
        given everything.
        """
        now_s = self._clock()
        listened_s, self._ticked_s = min(now_s - self._ticked_s, LISTENED_S), now_s
        self._settling_s = max(0.0, self._settling_s - listened_s)
        self._unheard_s = min(self._unheard_s + listened_s, UNHEARD_S)
        for name, reader in list(self._readers.items()):
            if reader.silence_s > self._heartbeat_timeout_s:
                logger.warning("reader %s is silent; its streams move", name)
                del self._readers[name]
                self._share_out()
                self._happened += 1
                reader.wake.set()

    async def plan_if_due(self) -> None:
        """Plan, unless nothing has happened since there was nothing to change: thousands of streams take their time.

        Raises:
            StoreError: it could not be stored; the next one tries again.
        """
        if self._happened != self._planned_for or self._clock() - self._planned_s >= LOOKED_AT_S:
            await self.plan()

    async def plan(self) -> None:
        """Carry out what the planner says; one plan at a time.

        Raises:
            StoreError: it could not be stored; the next one tries again.
        """
        async with self.changing:
            happened = self._happened
            await self._reclaim()
            await self._give_up_releases()
            self._get_on_with_moves()
            await self._remember_weights()
            claims = {name: entry.claim(self._clock()) for name, entry in self._entries.items()}
            # Without any reader there is nobody to give a stream to: it is kept for the one that had it.
            settling = self._settling_s > 0 or not self._readers
            moving = {entry.shard or name for name, entry in self._entries.items() if entry.moving}
            most_moves = self.moves.left(len(moving))
            made = plan(claims, rooms(self._readers), settling=settling, most_moves=most_moves)
            await self._carry_out(made)
            total_weight = sum(claim.weight.wanted for claim in claims.values() if claim.wanted)
            heavier = abs(total_weight - self._total_weight) > WORTH_TELLING * self._total_weight
            heartbeat_s = interval_s(len(self._readers), self._heartbeat_timeout_s)
            if heavier or heartbeat_s != self.heartbeat_s:
                self._total_weight, self.heartbeat_s = total_weight, heartbeat_s
                self.wake_all()
            under_way = any(claim.releasing or claim.target is not None for claim in claims.values())
            self._planned_s, self._planned_for = self._clock(), None if under_way or settling else happened

    async def plan_soon(self) -> None:
        """The same, but a database that is away is left to the next tick."""
        # Known to be away, it is not even tried: who is asked to let go could not be followed by anybody.
        if self._store_works():
            with contextlib.suppress(StoreError):
                await self.plan()

    async def _reclaim(self) -> None:
        """Give readers back what they work on and nobody has."""
        for name, reader in list(self._readers.items()):
            held = dict(reader.holding)
            records = {s: self._entries[s].record for s in held if s in self._entries}
            claimed = {s: held[s] for s, record in records.items() if record.owner is None}
            for stream in await asyncio.to_thread(self._store().reclaim, name, claimed) if claimed else ():
                entry = self._entries.get(stream)
                if entry is not None:  # and whatever was edited meanwhile stays as it is
                    entry.record = replace(entry.record, owner=name)
                    self._tell(stream, name)
            for stream in held:
                reader.holding.pop(stream, None)

    async def _remember_weights(self) -> None:
        """Store what was measured anew, so that the next registry need not guess."""
        weighed = {name: self._entries[name].weight for name in self._weighed if name in self._entries}
        if weighed:
            measured = {name: (weight.wanted, weight.least) for name, weight in weighed.items()}
            await asyncio.to_thread(self._store().weigh, measured)
        self._weighed -= weighed.keys()

    async def _carry_out(self, made: Plan) -> None:
        await self._assign(dict.fromkeys(made.orphaned) | dict(made.assign))
        self.moves.counts[Why.LOST] += sum(self._entries[name].definition.enabled for name in made.orphaned)
        for stream in made.release:
            self._ask_for_release(self._entries[stream])
        for_balance = {name for name in made.move if not self._leaves(self._entries[name].record.owner)}
        self.moves.begun_for_balance(len({self._entries[name].shard or name for name in for_balance}))
        for stream, target in made.move.items():
            self._move(self._entries[stream], target, Why.BALANCE if stream in for_balance else Why.LEAVING)
        waiting = set(made.waiting)
        for stream, entry in self._entries.items():
            entry.waiting = stream in waiting

    def _move(self, entry: StreamEntry, target: str, why: Why) -> None:
        stream, owner = entry.record.id, entry.record.owner
        self.moves.counts[why] += 1
        logger.info("moves from %s to %s: %s", owner, target, why, extra={"stream": stream})
        entry.target, entry.target_since_s = target, self._clock()
        if entry.may_rehearse:
            self._tell(stream, target)
        else:
            self._ask_for_release(entry)

    async def _assign(self, owners: Mapping[str, str | None]) -> None:
        """Streams get new owners, in one step."""
        if not owners:
            return
        epochs = await asyncio.to_thread(self._store().assign, owners)
        for stream, epoch in epochs.items():
            entry = self._entries.get(stream)
            if entry is not None:
                self._assigned(stream, entry, owners[stream], epoch)
        for stream in owners.keys() - epochs.keys():
            logger.error("the database does not know it any more", extra={"stream": stream})

    def _assigned(self, stream: str, entry: StreamEntry, owner: str | None, epoch: int) -> None:
        before, entry.record = entry.record.owner, replace(entry.record, owner=owner, epoch=epoch)
        self._tell(stream, entry.target)
        entry.release_asked_s = entry.target = None
        entry.status, entry.given_s = None, self._clock()
        if owner is None:
            entry.free.set()
        else:
            entry.free.clear()
        self._tell(stream, before, owner)

    def _get_on_with_moves(self) -> None:
        """Moves whose target is not there any more are off; what takes too long to prepare is moved all the same."""
        for stream, entry in self._entries.items():
            if entry.target is None:
                continue
            target = self._readers.get(entry.target)
            if target is None or target.leaving or not entry.definition.enabled:
                self._tell(stream, entry.target)
                entry.target = None
            elif entry.release_asked_s is None and not self._may_still_prepare(entry):
                self._ask_for_release(entry)

    def _may_still_prepare(self, entry: StreamEntry) -> bool:
        return entry.may_rehearse and self._clock() - entry.target_since_s <= PREPARE_S

    def _next_owner(self, entry: StreamEntry) -> str | None:
        """Who has the stream as soon as nobody else has; None if that is to be planned."""
        target = self._readers.get(entry.target) if entry.target is not None else None
        return entry.target if target is not None and not target.leaving and entry.definition.enabled else None

    def _leaves(self, reader: str | None) -> bool:
        link = self._readers.get(reader) if reader is not None else None
        return link is not None and link.leaving

    def _ask_for_release(self, entry: StreamEntry) -> None:
        entry.release_asked_s = self._clock()
        self._tell(entry.record.id, entry.record.owner)

    async def _give_up_releases(self) -> None:
        """A reader that does not let go in time is treated as if it had: the epoch keeps it out."""
        now = self._clock()
        kept: dict[str, str | None] = {}
        for name, entry in self._entries.items():
            if entry.release_asked_s is not None and now - entry.release_asked_s > RELEASE_TIMEOUT_S:
                logger.warning("reader %s does not let go", entry.record.owner, extra={"stream": name})
                kept[name] = self._next_owner(entry)
        await self._assign(kept)

    def _tell(self, stream: str, *readers: str | None) -> None:
        """These readers are to hear how things stand with a stream."""
        self._happened += 1
        for name in readers:
            reader = self._readers.get(name) if name is not None else None
            if reader is not None:
                reader.tell(stream)

    def changed(self, stream: str, owner: str | None) -> None:
        """A stream is new, another or gone by now: its owner has to hear of it, and who is to have it next."""
        entry = self._entries.get(stream)
        self._tell(stream, owner, entry.target if entry is not None else None)

    def _share_out(self) -> None:
        """Readers came, or went, or are about to: those of their nodes have other shares of the cores from now on."""
        before, self._capacities = (
            self._capacities,
            {name: room.capacity for name, room in rooms(self._readers).items()},
        )
        for name, capacity in self._capacities.items():
            if before.get(name) != capacity:
                self._readers[name].wake.set()

    def wake_all(self) -> None:
        """Something changed that any reader may have to hear of now."""
        for reader in self._readers.values():
            reader.wake.set()

    async def release(self, entry: StreamEntry, timeout_s: float) -> None:
        """Ask the owner to drain a stream and wait until it has, or the time is up."""
        if entry.record.owner in self._readers:
            self._ask_for_release(entry)
            await self.parted(entry, timeout_s)

    async def parted(self, entry: StreamEntry, timeout_s: float) -> None:
        """Wait until the owner has handed a stream back, or the time is up; not at all for one that is away."""
        if entry.record.owner in self._readers:
            entry.free.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await entry.free.wait()

    # -- what readers call, through the registry

    async def session(self, greeting: Greeting) -> AsyncGenerator[DesiredState, None]:
        """See `serve.control.registry.Registry.session`."""
        reader, held = greeting.reader, greeting.held
        if not self._readers:  # the first after nobody: the others may be on their way, too
            self._settling_s = max(self._settling_s, SETTLING_S if self._anybody_expected(reader) else 0.0)
        link = self._readers[reader] = ReaderLink(greeting, holding=dict(held))
        self._happened += 1
        try:
            logger.info("reader %s opens a session, holding %d streams", reader, len(held))
            await self.plan_soon()
            self._share_out()
            # A reader that came back has a new link under its name; the session of its old one ends here.
            while self._readers.get(reader) is link:
                # Cleared before the state is read: what changes from here on sets it again, and is told next time.
                link.wake.clear()
                told = self._total_weight, self.heartbeat_s, self._capacities.get(reader)
                desired = link.news(self._entries, self._watched(), *told)
                if desired is not None:
                    yield desired
                else:
                    await link.wake.wait()
        finally:
            if self._readers.get(reader) is link:
                del self._readers[reader]
                self._happened += 1
                self._share_out()
                logger.info("reader %s has gone", reader)
                self._later(self._bury(reader))

    def _anybody_expected(self, but: str) -> bool:
        """Whether a stream has an owner that is not there."""
        return any(entry.record.owner not in (None, but) for entry in self._entries.values())

    async def _bury(self, reader: str) -> None:
        """Its session ended, so it is dead: nobody waits for it."""
        with contextlib.suppress(StoreError):
            async with self.changing:
                if reader not in self._readers:
                    had = [name for name, entry in self._entries.items() if entry.record.owner == reader]
                    await self._assign({name: self._next_owner(self._entries[name]) for name in had})
                    self.moves.counts[Why.LOST] += sum(self._entries[name].definition.enabled for name in had)
        await self.plan_soon()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def heartbeat(self, heartbeat: Heartbeat) -> list[str] | None:
        """See `serve.control.registry.Registry.heartbeat`."""
        link = self._readers.get(heartbeat.reader)
        if link is None:
            return None
        for reader in self._readers.values():
            reader.silence_s += self._unheard_s
        link.silence_s = self._unheard_s = 0.0
        link.hear(heartbeat)
        now_s, epochs = self._clock(), heartbeat.epochs
        lost = []
        for stream, epoch in epochs.items():
            entry = self._entries.get(stream)
            if entry is None or entry.record.epoch != epoch or entry.record.owner not in (heartbeat.reader, None):
                lost.append(stream)  # a reader that was given up and came back may name one that has moved on since
                continue
            entry.heard_s = now_s
            if entry.record.owner is None:
                link.holding[stream] = epoch
                self._happened += 1
            reported = heartbeat.streams.get(stream)
            if reported is not None:
                self._hear(stream, entry, reported.status, now_s)
        # Who has let go while the store is away cannot be followed by anybody: it stays where it is counted.
        for stream in heartbeat.prepared if self._store_works() else ():
            entry = self._entries.get(stream)
            if entry is not None and entry.target == heartbeat.reader and entry.release_asked_s is None:
                self._ask_for_release(entry)
        link.remind(epochs.keys() | set(heartbeat.draining))
        return lost

    def _hear(self, stream: str, entry: StreamEntry, status: StreamStatus, now_s: float) -> None:
        before = entry.status.state if entry.status is not None else None, entry.shard
        if weighed := entry.hear(status, now_s):
            self._weighed.add(stream)
        self._happened += weighed or before != (status.state, entry.shard)

    async def leave(self, reader: str) -> bool:
        """See `serve.control.registry.Registry.leave`."""
        link = self._readers.get(reader)
        if link is None:
            return False
        link.leaving = True
        self._share_out()
        self._happened += 1
        if not self._any_moving(reader):  # so far, or since the last ones have arrived
            await self.plan_soon()
        return self._any_moving(reader) or not self._store_works()

    def _any_moving(self, reader: str) -> bool:
        return any(entry.record.owner == reader and entry.moving for entry in self._entries.values())

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        """See `serve.control.registry.Registry.handback`."""
        async with self.changing:
            has = {name: (reader, epoch) for name, epoch in streams.items()}
            entries = {name: self._entries[name] for name in has if name in self._entries}
            mine = [name for name, entry in entries.items() if (entry.record.owner, entry.record.epoch) == has[name]]
            if self._leaves(reader):  # without waiting for others to get ready
                self.moves.counts[Why.LEAVING] += sum(not entries[name].moving for name in mine)
            await self._assign({name: self._next_owner(entries[name]) for name in mine})
        await self.plan_soon()
