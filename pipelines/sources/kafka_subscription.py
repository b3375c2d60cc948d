"""One camera's part in a lane: what waits for it, and what it needs next."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from kafka import TopicPartition

from pipelines.sources.kafka_frames import Passed
from pipelines.sources.kafka_place import PartitionPlace


class ReadBy(Protocol):
    """What a part asks of its lane.

    Attributes:
        read: offset up to which each partition was handed out to all who are not behind.
    """

    read: dict[TopicPartition, int]


class Subscription:
    """One camera's part in a lane.

    Args:
        topic: that it reads in all partitions.
        key: of its messages; None for all.
        places: where each partition begins for it.
        home: the only partition that holds anything of its own; None if that is not known.
        aside: the other partitions then, and up to where that is certain.

    Attributes:
        astray: all partitions have to be read again: there are more, or a message came from one that was left aside.
    """

    def __init__(
        self,
        topic: str,
        key: bytes | None,
        places: Mapping[int, PartitionPlace],
        home: int | None = None,
        aside: Mapping[int, int] | None = None,
    ) -> None:
        self.topic, self.key = topic, key
        self.home = home
        self.astray = False
        self._aside = dict(aside or {})
        self._needs: dict[int, int] = {}
        self._holes: dict[int, tuple[int, int]] = {}
        self._behind: set[int] = set()
        self._lane: ReadBy | None = None
        self._changed = threading.Condition()
        self._waiting: deque[Passed] = deque()
        self._counts: Counter[int] = Counter()
        self._error: Exception | None = None
        self._first: dict[int, int] = {}
        self._cpu_s = 0.0
        self.acknowledged: Mapping[int, int] = {}
        for number, place in places.items():
            self.begin(number, place)

    def take(self, timeout_s: float) -> Passed | None:
        """The next message, or None if there was none in time.

        Raises:
            Exception: whatever ended the lane, once all that came before was taken.
        """
        with self._changed:
            if not self._waiting and self._error is None and not self.astray:
                self._changed.wait(timeout_s)
            if self._waiting:
                taken = self._waiting.popleft()
                self._counts[taken.partition] -= 1
                return taken
            if self._error is not None:
                raise self._error
            return None

    def seen(self) -> list[Passed]:
        """How far partitions were read, if nothing waits to be taken: up to there is nothing more of ours."""
        # In this order: the lane gives us what is ours before it says how far it is.
        read = dict(self._lane.read) if self._lane is not None else {}
        with self._changed:
            if self._waiting:
                return []
            aside = [Passed(number, end) for number, end in self._aside.items()]
            return aside + [Passed(number, self._seen(number, read)) for number in self._needs]

    def _seen(self, number: int, read: Mapping[TopicPartition, int]) -> int:
        needs = self._needs[number]
        if number in self._behind:
            return needs
        return max(needs, read.get(TopicPartition(self.topic, number), 0))

    def first(self, number: int) -> int:
        """Offset where a partition began for it."""
        return self._first[number]

    def wait(self, timeout_s: float) -> list[Passed]:
        """What waits to be taken, as soon as there is anything."""
        with self._changed:
            if not self._waiting and self._error is None:
                self._changed.wait(timeout_s)
            return list(self._waiting)

    def spent_s(self) -> float:
        """CPU seconds of the lane for this camera, since it was asked last."""
        with self._changed:
            spent_s, self._cpu_s = self._cpu_s, 0.0
            return spent_s

    # -- what the lane calls

    def settle(self, home: int, numbers: Collection[int]) -> bool:
        """Nothing of ours is in any other of these partitions; False if something of another waits, or there are more.

        Called by the lane, which goes through partitions without a lock.
        """
        with self._changed:
            if self._needs.keys() != set(numbers) or any(passed.partition != home for passed in self._waiting):
                return False
            self.home = home
            self._aside = {number: needs for number, needs in self._needs.items() if number != home}
            self._needs = {home: self._needs[home]}
            self._behind &= {home}
            self._holes = {number: hole for number, hole in self._holes.items() if number == home}
            return True

    @property
    def partitions(self) -> list[int]:
        """That it needs."""
        return list(self._needs)

    @property
    def known(self) -> set[int]:
        """Partitions of the topic, as far as it knows."""
        with self._changed:
            return self._needs.keys() | self._aside.keys()

    def reads(self, number: int) -> bool:
        """Whether it needs a partition."""
        return number in self._needs

    def pass_aside(self, ends: Mapping[int, int]) -> None:
        """Partitions hold nothing of ours up to these offsets."""
        with self._changed:
            self._aside = {number: max(end, ends.get(number, end)) for number, end in self._aside.items()}

    def widen(self) -> None:
        """Have it read all partitions again."""
        with self._changed:
            self.astray = True
            self._changed.notify_all()

    def begin(self, number: int, place: PartitionPlace) -> None:
        """A partition, from the beginning on or because it was added."""
        with self._changed:
            self._first[number] = self._needs[number] = place.decode_from
            self._behind.add(number)
            if place.own < place.next:
                self._holes[number] = place.own, place.next

    def needs(self, number: int) -> int:
        """The offset that is next for it."""
        return self._needs[number]

    def joined(self, lane: ReadBy) -> None:
        self._lane = lane

    def behind(self, number: int, read: int) -> bool:
        """Whether it needs what lies before what the others have ``read``; once it does not, it never will again."""
        if number in self._behind and number not in self._holes and self._needs[number] >= read:
            self._behind.discard(number)
        return number in self._behind

    def put(self, number: int, records: Collection[Any], end: int, message_s: float = 0.0) -> None:
        """Messages that are ours, and how far the partition was read with them.

        Args:
            number: of the partition.
            records: in it.
            end: offset behind all that was read.
            message_s: CPU seconds that each of them cost.
        """
        with self._changed:
            self._cpu_s += message_s * len(records)
            if number not in self._needs:
                # What is read again for others' sake may be older than its home.
                self.astray = self.astray or any(one.offset >= self._aside.get(number, 0) for one in records)
                self._changed.notify_all()
                return
            needs = self._needs[number]
            mine = [Passed(number, one.offset + 1, one) for one in records if one.offset >= needs]
            self._waiting.extend(mine)
            self._counts[number] += len(mine)
            needs = max(needs, end)
            own, beyond = self._holes.get(number, (0, 0))
            if beyond and needs >= own:  # decoding is where it was; what others wrote since has been passed already
                del self._holes[number]
                needs = max(needs, beyond)
            self._needs[number] = needs
            if mine:
                self._changed.notify_all()

    def waiting(self, number: int) -> int:
        """Messages of a partition that it has not taken yet."""
        return self._counts[number]

    def fail(self, error: Exception) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()
