"""Cameras whose frames come as messages of a Kafka topic: key = camera, timestamp = event time.

Partitions are assigned, not subscribed: which reader owns a stream is the registry's decision, not the consumer
group's, and the place to go on is part of the checkpoint. Offsets are committed to the group only so that the usual lag
monitors see where we are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Literal

import av.error
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    UnsupportedCodecError,
)
from kafka.structs import OffsetAndMetadata

from pipelines.errors import (
    SourceDisconnected,
    SourceError,
    SourceNotFound,
    SourceReordered,
    SourceUnauthorized,
    SourceUnreachable,
    SourceUnsupported,
)
from pipelines.sources.base import Position, Reached, SourceFrame, SourceLimits
from pipelines.sources.kafka_client import REFUSALS, KafkaClient, KafkaLogin, host_of
from pipelines.sources.kafka_frames import Passed, TopicDecoder
from pipelines.sources.kafka_place import PartitionPlace, TopicPlace
from pipelines.types import StreamInfo

logger = logging.getLogger(__name__)
REFRESH_S = 30.0
"""How often the broker is asked for partitions that were added."""
MAX_DAMAGED = 1000
"""Undecodable messages in a row after which the topic is taken to hold something else than video."""


class KafkaSource:
    """One consumer of one camera's messages.

    A message's number in positions and pictures is its offset. To resume inside a group of H.264 pictures, the consumer
    goes back to the message where decoding can begin and throws away what was counted already.

    Args:
        brokers: ``host:port``, comma-separated.
        topic: read in all its partitions; order is kept within one, so a camera should stay in one (a producer that
            sets the key does this by itself).
        key: the camera's; None takes every message.
        group: consumer group for lag monitors.
        start: where to begin without a position: with what comes, or with what is still there.
        login: user, password, TLS.
        limits: how long to wait.
    """

    def __init__(
        self,
        brokers: str,
        topic: str,
        key: str | None,
        *,
        group: str,
        start: Literal["latest", "earliest"] = "latest",
        login: KafkaLogin | None = None,
        limits: SourceLimits | None = None,
    ) -> None:
        self._brokers = [broker.strip() for broker in brokers.split(",") if broker.strip()]
        self._topic = topic
        self._key = key.encode() if key is not None else None
        self._group = group
        self._start = start
        self._login = login or KafkaLogin()
        self._limits = limits or SourceLimits()
        self._client: KafkaClient | None = None
        self._consumer: KafkaConsumer | None = None
        self._messages = TopicDecoder(topic)
        self._reached: Reached | None = None
        self._rewinding: dict[int, tuple[int, int]] = {}
        self._acknowledged: Position | None = None
        self._waiting: deque[Passed] = deque()
        self._looked = time.monotonic()

    def connect(self, resume: Position | None = None) -> StreamInfo:
        try:
            for broker in self._brokers:
                self._limits.reach.addresses(host_of(broker))
            self._client = KafkaClient(
                self._login,
                self._limits.reach,
                bootstrap_servers=self._brokers,
                client_id="footfall",
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=int(self._limits.open_s * 1000),
                reconnect_backoff_max_ms=500,
                request_timeout_ms=int(max(self._limits.read_s, 1.0) * 1000),
                fetch_max_wait_ms=100,
                max_poll_records=64,
                metadata_max_age_ms=int(REFRESH_S * 1000),
            )
            self._consumer = self._client.open()
            numbers = self._consumer.partitions_for_topic(self._topic)
            if not numbers:
                raise SourceNotFound(f"broker {self._where} has no topic {self._topic!r}")
            self._assign(self._consumer, numbers, TopicPlace.of(resume), beginning=resume is not None)
            self._reached = Reached(0, self._messages.place.position())
            return self._first_decoded(self._consumer)
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=True) from error

    def _assign(
        self, consumer: KafkaConsumer, numbers: Collection[int], stored: TopicPlace, *, beginning: bool = False
    ) -> None:
        """Read more partitions, each from its stored place.

        Args:
            consumer: of this connection.
            numbers: of the partitions that are not read yet.
            stored: where they go on.
            beginning: those without a place are new since it was stored, and read from their beginning.
        """
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        consumer.assign([*consumer.assignment(), *partitions])
        wait_ms = int(self._limits.open_s * 1000)
        first = consumer.beginning_offsets(partitions, timeout_ms=wait_ms)
        end = consumer.end_offsets(partitions, timeout_ms=wait_ms)
        fresh = first if beginning or self._start == "earliest" else end
        for partition in partitions:
            number = partition.partition
            known = stored.partitions.get(number, PartitionPlace.at(fresh[partition]))
            place = known.within(first[partition], end[partition])
            if place.next > known.next:
                logger.warning(
                    "topic %s partition %d: %d messages were deleted by the broker before they were read",
                    *(self._topic, number, place.next - known.next),
                )
            elif place.next < known.next:
                logger.warning("topic %s partition %d was cut or made anew; going on at its end", self._topic, number)
            self._messages.begin(number, place)
            if place.own < place.next:
                self._rewinding[number] = (place.own, place.next)
            consumer.seek(partition, place.decode_from)

    def _first_decoded(self, consumer: KafkaConsumer) -> StreamInfo:
        """Size and codec from the first message, if one comes soon; a silent topic is no error."""
        deadline = time.monotonic() + min(self._limits.open_s, 2.0)
        while time.monotonic() < deadline and not self._waiting:
            self._poll(consumer, wait_s=0.1)
        for passed in self._waiting:
            # A damaged message tells nothing; whether all are, shows later.
            with suppress(av.error.FFmpegError, SourceUnsupported, KeyError, ValueError, TypeError):
                size = self._messages.size_of(passed)
                if size is not None:
                    return StreamInfo(*size)
        return StreamInfo("unknown", 0, 0)

    def _poll(self, consumer: KafkaConsumer, wait_s: float) -> None:
        """Fetch what has come: our camera's messages in the order of their offsets, and how far others' reach."""
        batches = consumer.poll(timeout_ms=int(wait_s * 1000))
        for partition in sorted(batches, key=lambda p: p.partition):
            number, records = partition.partition, batches[partition]
            end = records[-1].offset + 1
            self._waiting.extend(
                Passed(number, r.offset + 1, r) for r in records if self._key is None or r.key == self._key
            )
            own, beyond = self._rewinding.get(number, (0, 0))
            if end < own:
                continue
            if beyond:  # decoding is where it was; what others wrote since has been passed already
                del self._rewinding[number]
                consumer.seek(partition, max(end, beyond))
            self._waiting.append(Passed(number, end))

    def _look_for_partitions(self, consumer: KafkaConsumer) -> None:
        """Read partitions that were added, from their beginning; what the client knows is refreshed behind our back."""
        if time.monotonic() - self._looked < REFRESH_S / 3 or self._client is None:
            return
        self._looked = time.monotonic()
        added = self._client.partitions(self._topic) - self._messages.place.partitions.keys()
        if added:
            logger.info("topic %s has new partitions: %s", self._topic, sorted(added))
            self._assign(consumer, added, TopicPlace(), beginning=True)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        consumer = self._consumer
        if consumer is None:
            raise RuntimeError("connect() comes first")
        heard, damaged, handed = time.monotonic(), 0, 0
        try:
            while not stop.is_set():
                if not self._waiting:
                    self._look_for_partitions(consumer)
                    self._poll(consumer, wait_s=0.2)
                    self._commit(consumer)
                if not self._waiting:
                    # poll() says nothing when the broker is gone; a question to the broker does.
                    if time.monotonic() - heard > self._limits.read_s:
                        consumer.end_offsets(list(consumer.assignment()), timeout_ms=int(self._limits.read_s * 1000))
                        heard = time.monotonic()
                    continue
                heard = time.monotonic()
                passed = self._waiting.popleft()
                try:
                    for frame in self._messages.frames_of(passed):
                        handed, damaged = handed + 1, 0
                        yield frame
                except SourceReordered:
                    raise
                except (av.error.FFmpegError, SourceUnsupported) as error:
                    damaged += 1
                    if damaged > MAX_DAMAGED:
                        raise SourceUnsupported(
                            f"topic {self._topic!r} holds no video that can be decoded: {error}"
                        ) from error
                self._messages.pass_by(passed)
                self._reached = Reached(handed, self._messages.place.position())
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=False) from error

    def reached(self) -> Reached | None:
        return self._reached

    def acknowledge(self, position: Position) -> None:
        self._acknowledged = position

    def _commit(self, consumer: KafkaConsumer, wait_ms: int = 0) -> None:
        """Tell the group how far the checkpoint is; for monitors only, so a failure is nobody's loss."""
        position, self._acknowledged = self._acknowledged, None
        if position is None:
            return
        offsets = {
            TopicPartition(self._topic, int(partition)): OffsetAndMetadata(offset, "", -1)
            for partition, offset in position["next"].items()
        }
        with suppress(KafkaError):
            if wait_ms:
                consumer.commit(offsets, timeout_ms=wait_ms)
            else:
                consumer.commit_async(offsets)

    def _translate(self, error: Exception, *, opening: bool) -> SourceError:
        if isinstance(error, REFUSALS):
            return SourceUnauthorized(f"broker {self._where} refuses this user for topic {self._topic!r}")
        if isinstance(error, UnsupportedCodecError):
            return SourceUnsupported(f"topic {self._topic!r} is compressed with a codec that is not installed")
        if isinstance(error, KafkaTimeoutError) and opening:
            return SourceUnreachable(f"no Kafka broker answers at {self._where}")
        if opening:
            return SourceUnreachable(f"broker {self._where}: {error}")
        return SourceDisconnected(f"broker {self._where} does not answer any more")

    @property
    def _where(self) -> str:
        return ",".join(self._brokers)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        client, self._client = self._client, None
        try:
            if consumer is not None:
                self._commit(consumer, wait_ms=1000)
        finally:
            if client is not None:
                client.close()
