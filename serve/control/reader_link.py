"""A reader with an open session: what it was told, and what it has not heard yet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from serve.control.entry import StreamEntry
from serve.control.heartbeat import HEARTBEAT_S
from serve.control.messages import Assignment, DesiredState, Greeting, Heartbeat, ReaderFigures, ReaderView
from serve.control.planner import Room


@dataclass(eq=False, slots=True)
class ReaderLink:
    """See the module.

    Attributes:
        greeting: what it said of itself.
        leaving: it hands back what it has, and takes nothing more.
        silence_s: how long others were heard since its last heartbeat.
        holding: streams that it works on and nobody has, as far as is known; with their epochs.
        told: what it is to work on, as of the last message.
        preparing: what it is to prepare, likewise.
        changed: streams to look at for the next message; None for all.
        missing: streams that it was told of, and did not report in its last heartbeat.
        watched: streams of its own that somebody looks at, as of the last message.
        total_weight: what it was told of the weight of all streams.
        heartbeat_s: seconds that it was told to leave between two heartbeats.
        capacity: CPU cores that it was told to take streams for.
        disk_free: share of its disk, as of its last heartbeat.
        stages: how long frames took in it, likewise.
        batches: how many it has made of them, likewise.
        figures: more of that, likewise.
        wake: set while there may be something to tell.
    """

    greeting: Greeting
    leaving: bool = False
    silence_s: float = 0.0
    holding: dict[str, int] = field(default_factory=dict)
    told: dict[str, Assignment] = field(default_factory=dict)
    preparing: dict[str, Assignment] = field(default_factory=dict)
    changed: set[str] | None = None
    missing: set[str] = field(default_factory=set)
    watched: tuple[str, ...] = ()
    total_weight: float = -1.0
    heartbeat_s: float = HEARTBEAT_S
    capacity: float | None = None
    disk_free: float | None = None
    stages: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    batches: tuple[int, int, int] = (0, 0, 0)
    figures: ReaderFigures = field(default_factory=ReaderFigures)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, stream: str) -> None:
        """It is to hear how things stand with a stream."""
        if self.changed is not None:
            self.changed.add(stream)
        self.wake.set()

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take in what it says of itself."""
        self.disk_free, self.stages, self.batches = heartbeat.disk_free, heartbeat.stages, heartbeat.batches
        self.figures = heartbeat.figures

    def remind(self, known: Collection[str]) -> None:
        """Tell it again of streams that it did not speak of twice: it may not have heard of them.

        Args:
            known: streams that it works on, or drains.
        """
        missing = self.told.keys() - known
        for stream in missing & self.missing:
            del self.told[stream]
            self.tell(stream)
        self.missing = missing

    def news(
        self,
        entries: Mapping[str, StreamEntry],
        watched: Iterable[str],
        total_weight: float,
        heartbeat_s: float = HEARTBEAT_S,
        capacity: float | None = None,
    ) -> DesiredState | None:
        """What it has not been told yet, and counts as told from here on; None if there is nothing.

        Args:
            entries: all streams.
            watched: those that somebody looks at.
            total_weight: CPU cores that all of them want.
            heartbeat_s: seconds between its heartbeats.
            capacity: CPU cores that it takes streams for.
        """
        whole, changed = self.changed is None, self.changed or set()
        self.changed = set()
        mine, next_ones = self._shares(entries, entries.keys() if whole else changed)
        work = {name: entry.work for name, entry in mine.items() if self.told.get(name) != entry.assignment}
        prepare = {
            name: entry.work for name, entry in next_ones.items() if self.preparing.get(name) != entry.assignment
        }
        known = self.told.keys() | self.preparing.keys()
        dropped = tuple(name for name in changed & known if name not in mine and name not in next_ones)
        seen = tuple(name for name in watched if name in entries and entries[name].record.owner == self.greeting.reader)
        before = self.watched, self.total_weight, self.heartbeat_s, self.capacity
        same = (seen, total_weight, heartbeat_s, capacity) == before
        if same and not (whole or work or dropped or prepare):
            return None
        self.told |= {name: entry.assignment for name, entry in mine.items()}
        self.preparing |= {name: entry.assignment for name, entry in next_ones.items()}
        for name in dropped:
            self.told.pop(name, None)
        for name in (*dropped, *mine):
            self.preparing.pop(name, None)
        for name in next_ones:
            self.told.pop(name, None)
        self.watched, self.total_weight, self.heartbeat_s, self.capacity = seen, total_weight, heartbeat_s, capacity
        return DesiredState(work, dropped, seen, total_weight, whole, heartbeat_s, prepare, capacity)

    def _shares(
        self, entries: Mapping[str, StreamEntry], names: Collection[str]
    ) -> tuple[dict[str, StreamEntry], dict[str, StreamEntry]]:
        """Of these streams, those that it is to work on, and those that it is to prepare."""
        mine, next_ones = {}, {}
        for name in names:
            entry = entries.get(name)
            if entry is None:
                continue
            if entry.record.owner == self.greeting.reader and entry.release_asked_s is None:
                mine[name] = entry
            elif entry.target == self.greeting.reader and entry.definition.source.live:
                next_ones[name] = entry
        return mine, next_ones


def views(readers: Mapping[str, ReaderLink], entries: Iterable[StreamEntry]) -> dict[str, ReaderView]:
    """Readers as people see them: how they are filled."""
    has: dict[str, list[float]] = {name: [] for name in readers}
    for entry in entries:
        if entry.record.owner in has:
            has[entry.record.owner].append(entry.weight.wanted)
    return {
        name: ReaderView(
            room.node,
            room.capacity,
            sum(has[name]),
            len(has[name]),
            room.leaving,
            readers[name].disk_free,
            readers[name].stages,
            readers[name].batches,
            readers[name].figures,
        )
        for name, room in rooms(readers).items()
    }


def rooms(readers: Mapping[str, ReaderLink]) -> dict[str, Room]:
    """Readers as the planner sees them; those of one node share its cores."""
    sharing = Counter(reader.greeting.node for reader in readers.values() if not reader.leaving)
    found = {}
    for name, reader in readers.items():
        greeting = reader.greeting
        share = greeting.cores / max(1, sharing[greeting.node])
        found[name] = Room(greeting.capacity or share, greeting.node, reader.leaving)
    return found
