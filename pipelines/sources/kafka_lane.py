"""One consumer for many cameras: a partition is read once, however many of them are in it.

A lane is a consumer with a thread of its own. Cameras join one that is near the place where they go on; one that is far
from all others has a lane of its own until it has caught up. What a camera does not take in time waits in a bounded
buffer, and then its partition does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipelines.errors import SourceNotFound
from pipelines.sources.errands import Errands
from pipelines.sources.kafka_client import Cluster, KafkaClient, host_of
from pipelines.sources.kafka_home import Confirmed
from pipelines.sources.kafka_offsets import Offsets, TopicOffsets
from pipelines.sources.kafka_place import PartitionPlace
from pipelines.sources.kafka_subscription import Subscription

logger = logging.getLogger(__name__)
T = TypeVar("T")
GROUP = "footfall"
"""Consumer group, for lag monitors alone."""
REFRESH_S = 30.0
"""How often the broker is asked for partitions that were added."""
POLL_S = 0.1
COMMIT_S = 2.0
NEAR = 5000
"""Messages of a partition that are read again so that a camera can share a lane."""
MOST_PARTITIONS = 32
"""Of several topics in a lane: kafka-python looks at all of them with every poll, so a message costs more with each."""
MOST_WAITING, FEW_WAITING = 32, 8
"""Messages of a partition that wait for a camera when the partition begins to wait for it, and when it goes on."""


class Lane:
    """A consumer of a broker cluster, and who shares it.

    Args:
        cluster: that it reads from.

    Attributes:
        read: offset up to which each partition was handed out to all who are not behind.

    Raises:
        KafkaError, OSError, ValueError: nobody answers, or refuses.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        limits = cluster.limits
        for broker in cluster.brokers:
            limits.reach.addresses(host_of(broker))
        self._client = KafkaClient(
            cluster.login,
            limits.reach,
            bootstrap_servers=list(cluster.brokers),
            client_id="footfall",
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=int(limits.open_s * 1000),
            reconnect_backoff_max_ms=500,
            request_timeout_ms=int(max(limits.read_s, 1.0) * 1000),
            fetch_max_wait_ms=100,
            max_poll_records=64,
            metadata_max_age_ms=int(REFRESH_S * 1000),
        )
        self.read: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._late: dict[TopicPartition, list[Subscription]] = {}
        self._heavy: dict[TopicPartition, set[Subscription]] = {}
        self._paused: set[TopicPartition] = set()
        self._claimed: frozenset[TopicPartition] = frozenset()
        self._left = False
        self._last_told: list[tuple[str, Mapping[int, int]]] = []
        self._members: dict[Subscription, None] = {}
        self._by_key: dict[tuple[str, bytes | None], list[Subscription]] = {}
        self._confirmed: dict[str, Confirmed] = {}
        self._errands = Errands()
        self._changing = threading.Lock()
        self._stop = threading.Event()
        try:
            self._consumer: KafkaConsumer = self._client.open()
        except BaseException:
            self._client.close()
            raise
        self._offsets = TopicOffsets(self._consumer, cluster)
        self._spent_s = 0.0
        self._heard_s = self._looked_s = self._committed_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="kafka-lane", daemon=True)
        self._thread.start()

    # -- from any thread

    @property
    def broken(self) -> bool:
        """Whether it reads no more, and somebody has to open another."""
        return self._errands.over

    @property
    def members(self) -> int:
        return len(self._members)

    def offsets(self, topic: str, places: Mapping[int, PartitionPlace]) -> Offsets:
        """Of a topic's partitions, no older than a second, and not from before these places.

        Raises:
            SourceNotFound: there is no such topic.
            KafkaError: no answer.
        """
        return self._ask(lambda: self._offsets.of(topic, places))

    def near(self, topic: str, needs: Mapping[int, int]) -> bool:
        """Whether a camera that needs these offsets next keeps nobody waiting for long, and nobody it."""
        known = {number: self.read.get(TopicPartition(topic, number)) for number in needs}
        claimed = self._claimed | {TopicPartition(topic, number) for number in needs}
        if self._claimed and len(claimed) > max(MOST_PARTITIONS, len(self._claimed)):
            return False
        return all(at is None or abs(at - needs[number]) <= NEAR for number, at in known.items())

    def claim(self, topic: str, numbers: Collection[int]) -> None:
        """These partitions will be read here: many cameras may look for a lane at once."""
        with self._changing:
            self._claimed |= {TopicPartition(topic, number) for number in numbers}

    def reads(self, topic: str) -> bool:
        """Whether others have it read the topic."""
        return any(partition.topic == topic for partition in list(self.read))

    def join(self, member: Subscription) -> None:
        """Hand out messages to a camera from now on."""
        self._ask(lambda: self._join(member))

    def settle(self, member: Subscription, home: int, numbers: Collection[int]) -> bool:
        """Read no partition but one for a camera; see `Subscription.settle`."""
        return self._ask(lambda: self._settle(member, home, numbers))

    def leave(self, member: Subscription) -> None:
        """Nothing more for this one."""
        with self._changing:
            if member in self._members:
                del self._members[member]
                self._index()
                self._left = True
                self._last_told.append((member.topic, member.acknowledged))

    def close(self) -> None:
        """Let go of everything, after a second or two; idempotent."""
        self._stop.set()
        self._thread.join(2.0)
        self._client.close()

    def _ask(self, question: Callable[[], T]) -> T:
        """Have something done by the thread that may use the consumer."""
        limits = self._cluster.limits
        try:
            return self._errands.ask(question, 3 * (limits.open_s + limits.read_s) + 5)
        except TimeoutError:
            raise KafkaError("the lane does not answer") from None

    # -- in the lane's thread

    def _run(self) -> None:
        error: Exception = KafkaError("this lane was closed")
        try:
            while not self._stop.is_set():
                self._errands.do()
                self._leave_partitions()
                self._look_for_partitions()
                self._let_wait()
                self._poll()
                self._commit()
            self._commit(last=True)
        except Exception as failure:  # whatever it was, all who share it have to hear of it
            error = failure
        self._errands.end(error)
        with self._changing:
            members = list(self._members)
        for member in members:
            member.fail(error)

    def _join(self, member: Subscription) -> None:
        for number in member.partitions:
            self._read_for(member, number)
        member.joined(self)
        with self._changing:
            self._members[member] = None
            self._index()

    def _index(self) -> None:
        self._by_key = {}
        for member in self._members:
            self._by_key.setdefault((member.topic, member.key), []).append(member)

    def _read_for(self, member: Subscription, number: int) -> None:
        """Read a partition from where this one goes on, if that is before where the others are."""
        partition = TopicPartition(member.topic, number)
        if partition not in self._next:
            self.read[partition] = self._next[partition] = member.needs(number)
            self._assign()
            self._seek(partition, member.needs(number))
        if not member.behind(number, self.read[partition]):
            return
        self._late.setdefault(partition, []).append(member)
        if member.needs(number) < self._next[partition]:
            self._seek(partition, member.needs(number))

    def _assign(self) -> None:
        """Those that are read; each goes on where it was."""
        self._consumer.assign([partition for partition in self._next if partition not in self._paused])

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        self._next[partition] = offset
        if partition not in self._paused:
            self._consumer.seek(partition, offset)

    def _poll(self) -> None:
        """Hand out what has come."""
        if not self._next.keys() - self._paused:
            self._heard_s = time.monotonic()  # nothing is asked for, so silence tells nothing
            self._stop.wait(POLL_S / 10)
            return
        batches = self._consumer.poll(timeout_ms=int(POLL_S * 1000))
        now_s = time.monotonic()
        if batches:
            self._heard_s = now_s
        elif now_s - self._heard_s > self._cluster.limits.read_s:
            # poll() says nothing when the broker is gone; a question to the broker does.
            self._consumer.end_offsets(list(self._next), timeout_ms=int(self._cluster.limits.read_s * 1000))
            self._heard_s = now_s
        count = sum(map(len, batches.values()))
        message_s, self._spent_s = (time.thread_time() - self._spent_s) / max(1, count), time.thread_time()
        for partition in sorted(batches):
            self._hand_out(partition, batches[partition], message_s)

    def _hand_out(self, partition: TopicPartition, records: list[Any], message_s: float) -> None:
        topic, number = partition
        end = records[-1].offset + 1
        by_key: dict[bytes | None, list[Any]] = {}
        for record in records:
            by_key.setdefault(record.key, []).append(record)
        with self._changing:
            theirs = [(one, by_key[key]) for key in by_key if key is not None for one in self._of(topic, key)]
            theirs += [(one, records) for one in self._of(topic, None)]
        for member, its in theirs:
            member.put(number, its, end, message_s)
            if member.waiting(number) >= MOST_WAITING:
                self._heavy.setdefault(partition, set()).add(member)
        late = self._late.get(partition, [])
        for member in late:
            member.put(number, (), end)
        self._next[partition] = end
        self.read[partition] = max(self.read[partition], end)
        if late:
            self._catch_up(partition, late)

    def _catch_up(self, partition: TopicPartition, late: list[Subscription]) -> None:
        """Leave out what nobody needs: what others have read, and what lies behind a camera's last message."""
        number, read = partition.partition, self.read[partition]
        with self._changing:
            members = [one for one in self._members if one.topic == partition.topic and one.reads(number)]
        self._late[partition] = late = [one for one in late if one in self._members and one.behind(number, read)]
        needs = (one.needs(number) if one in late else max(one.needs(number), read) for one in members)
        needed = min(needs, default=read)
        if needed > self._next[partition]:
            self._seek(partition, needed)
            self.read[partition] = max(read, needed)

    def _of(self, topic: str, key: bytes | None) -> list[Subscription]:
        return self._by_key.get((topic, key), [])

    def _leave_partitions(self) -> None:
        """Read no more what nobody is left for."""
        if not self._left:
            return
        with self._changing:
            self._left = False
            needed = {TopicPartition(one.topic, number) for one in self._members for number in one.partitions}
        over = self._next.keys() - needed
        for partition in over:
            del self._next[partition], self.read[partition]
            self._late.pop(partition, None)
            self._heavy.pop(partition, None)
            self._paused.discard(partition)
        if over:
            with self._changing:
                self._claimed -= over
            self._assign()

    def _let_wait(self) -> None:
        """Partitions wait for cameras that have too much of them to do."""
        if not self._heavy and not self._paused:
            return
        for partition, members in list(self._heavy.items()):
            heavy = {one for one in members if one.waiting(partition.partition) > FEW_WAITING and one in self._members}
            self._heavy[partition] = heavy
            if not heavy:
                del self._heavy[partition]
        over, before = set(self._heavy), self._paused
        if over == before:
            return
        # Not pause() and resume(): what kafka-python 3.0 had fetched of a paused partition never comes back once
        # another partition was empty meanwhile, and nothing behind it is fetched.
        self._paused = over
        self._assign()
        for partition in before - over:
            self._seek(partition, self._next[partition])

    def _look_for_partitions(self) -> None:
        """Read partitions that were added, from their beginning; what the client knows is refreshed behind our back."""
        now_s = time.monotonic()
        if now_s - self._looked_s < REFRESH_S / 3:
            return
        self._looked_s = now_s
        with self._changing:
            members = list(self._members)
        for topic in {member.topic for member in members}:
            # Whether the broker is gone, those who read will see; and one topic's end is not that of the others.
            with suppress(KafkaError, SourceNotFound):
                self._look_at(topic, [one for one in members if one.topic == topic], now_s)

    def _look_at(self, topic: str, members: Collection[Subscription], now_s: float) -> None:
        """Asked for each member: one that has just joined knows what others do not."""
        there = self._client.partitions(topic)
        added = {one: there - one.known for one in members if there - one.known}
        if added:
            logger.info("topic %s has new partitions", topic)
            self._offsets.forget(topic)
            first = self._offsets.of(topic).first
            for member, numbers in added.items():
                self._begin(member, numbers, first)
        elif any(one.home is not None for one in members):
            confirmed = self._confirmed.setdefault(topic, Confirmed()).see(self._offsets.of(topic).end, now_s)
            # What is read for others is handed out first.
            ends = {n: min(end, self.read.get(TopicPartition(topic, n), end)) for n, end in confirmed.items()}
            for member in members:
                member.pass_aside(ends)

    def _begin(self, member: Subscription, numbers: Collection[int], first: Mapping[int, int]) -> None:
        if member.home is not None:  # with more partitions it may be another
            member.widen()
            return
        for number in numbers:
            member.begin(number, PartitionPlace.at(first[number]))
            self._read_for(member, number)

    def _settle(self, member: Subscription, home: int, numbers: Collection[int]) -> bool:
        self._left = True
        return member.settle(home, numbers)

    def _commit(self, *, last: bool = False) -> None:
        """Tell the group how far checkpoints are; for monitors only, so a failure is nobody's loss."""
        if not last and time.monotonic() - self._committed_s < COMMIT_S:
            return
        self._committed_s = time.monotonic()
        with self._changing:
            told = [*self._last_told, *((one.topic, one.acknowledged) for one in self._members)]
            self._last_told = []
        offsets: dict[TopicPartition, int] = {}
        for topic, acknowledged in told:
            for number, offset in acknowledged.items():
                partition = TopicPartition(topic, number)
                offsets[partition] = min(offset, offsets.get(partition, offset))
        if not offsets:
            return
        named = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        try:
            if last:
                self._consumer.commit(named, timeout_ms=1000)
            else:
                self._consumer.commit_async(named)
        except KafkaError as error:
            logger.debug("the group was not told: %s", error)
