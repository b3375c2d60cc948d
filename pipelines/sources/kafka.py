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
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import av.error
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
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
from pipelines.sources.base import Position, SourceFrame, SourceLimits
from pipelines.sources.messages import MessageDecoder, codec_of, starts_anew
from pipelines.types import StreamInfo

logger = logging.getLogger(__name__)
FUTURE_S = 3600.0
"""A message whose event time is further ahead of our clock than this has no credible time, and is left out."""
MAX_DAMAGED = 1000
"""Undecodable messages in a row after which the topic is taken to hold something else than video."""


@dataclass(frozen=True, slots=True)
class KafkaLogin:
    """SASL user and password; ``tls`` encrypts with or without them."""

    username: str | None = None
    password: str | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: bool = False

    def options(self) -> dict[str, Any]:
        """As keyword arguments of ``KafkaConsumer``."""
        sasl = self.username is not None
        protocol = ("SASL_" if sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {"security_protocol": protocol}
        if sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password or "",
            }
        return options


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
        wall_clock: for tests.
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
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._wall_clock = wall_clock
        self._brokers = [broker.strip() for broker in brokers.split(",") if broker.strip()]
        self._topic = topic
        self._key = key.encode() if key is not None else None
        self._group = group
        self._start = start
        self._login = login or KafkaLogin()
        self._limits = limits or SourceLimits()
        self._consumer: KafkaConsumer | None = None
        self._decoder = MessageDecoder()
        self._next: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        self._decode_from: dict[int, int] = {}
        self._acknowledged: Position | None = None
        self._waiting: deque[Any] = deque()
        self._pending: dict[int, tuple[float, Position]] = {}

    def connect(self, resume: Position | None = None) -> StreamInfo:
        try:
            self._consumer = KafkaConsumer(
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
                **self._login.options(),
            )
            partitions = self._partitions(self._consumer)
            self._consumer.assign(partitions)
            self._seek(self._consumer, partitions, resume)
            return self._first_decoded(self._consumer)
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=True) from error

    def _partitions(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        numbers = consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise SourceNotFound(f"broker {self._where} has no topic {self._topic!r}")
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]

    def _seek(self, consumer: KafkaConsumer, partitions: list[TopicPartition], resume: Position | None) -> None:
        """Set where each partition goes on, and remember up to which offset it was counted already."""
        wait_ms = int(self._limits.open_s * 1000)
        first = consumer.beginning_offsets(partitions, timeout_ms=wait_ms)
        end = consumer.end_offsets(partitions, timeout_ms=wait_ms)
        fresh = first if self._start == "earliest" or resume else end
        stored = resume or {"next": {}, "decode_from": {}}
        for partition in partitions:
            name = str(partition.partition)
            wanted = int(stored["next"].get(name, fresh[partition]))
            begin = int(stored["decode_from"].get(name, wanted))
            if wanted < first[partition]:
                logger.warning(
                    "topic %s partition %s: %d messages were deleted by the broker before they were read",
                    *(self._topic, name, first[partition] - wanted),
                )
                wanted = first[partition]
            elif wanted > end[partition]:  # to wait until offsets have caught up would be to see nothing for days
                logger.warning("topic %s partition %s was cut or made anew; going on at its end", self._topic, name)
                wanted = begin = end[partition]
            self._next[partition.partition] = self._counted[partition.partition] = wanted
            self._decode_from[partition.partition] = max(begin, first[partition])
            consumer.seek(partition, self._decode_from[partition.partition])

    def _first_decoded(self, consumer: KafkaConsumer) -> StreamInfo:
        """Size and codec from the first message, if one comes soon; a silent topic is no error."""
        deadline = time.monotonic() + min(self._limits.open_s, 2.0)
        while time.monotonic() < deadline and not self._waiting:
            self._poll(consumer, wait_s=0.1)
        for record in self._waiting:
            headers = dict(record.headers or ())
            try:
                codec = codec_of(record.value or b"", record.headers or ())
            except SourceUnsupported:  # a damaged message; whether all are, shows later
                continue
            with suppress(av.error.FFmpegError):
                for _, video_frame in MessageDecoder().decode(record.value, codec, 0):
                    return StreamInfo(codec, video_frame.width, video_frame.height)
            with suppress(KeyError, ValueError, TypeError):
                return StreamInfo(codec, int(headers["width"]), int(headers["height"]))
        return StreamInfo("unknown", 0, 0)

    def _poll(self, consumer: KafkaConsumer, wait_s: float) -> None:
        """Fetch what has come and keep the messages of our camera, in the order of their offsets."""
        batches = consumer.poll(timeout_ms=int(wait_s * 1000))
        for partition in sorted(batches, key=lambda p: p.partition):
            self._waiting.extend(r for r in batches[partition] if self._key is None or r.key == self._key)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        consumer = self._consumer
        if consumer is None:
            raise RuntimeError("connect() comes first")
        heard, damaged = time.monotonic(), 0
        try:
            while not stop.is_set():
                if not self._waiting:
                    self._poll(consumer, wait_s=0.2)
                    self._commit(consumer)
                if not self._waiting:
                    # poll() says nothing when the broker is gone; a question to the broker does.
                    if time.monotonic() - heard > self._limits.read_s:
                        consumer.end_offsets(list(consumer.assignment()), timeout_ms=int(self._limits.read_s * 1000))
                        heard = time.monotonic()
                    continue
                heard = time.monotonic()
                record = self._waiting.popleft()
                try:
                    yield from self._frames_of(record)
                    damaged = 0
                except SourceReordered:
                    raise
                except (av.error.FFmpegError, SourceUnsupported) as error:
                    damaged += 1
                    if damaged > MAX_DAMAGED:
                        raise SourceUnsupported(f"topic {self._topic!r} holds no video that can be decoded") from error
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=False) from error

    def _frames_of(self, record: Any) -> Iterator[SourceFrame]:
        """The pictures that a message completes, unless they were counted before."""
        value, partition = record.value or b"", record.partition
        codec = codec_of(value, record.headers or ())
        if starts_anew(value, codec):
            self._decode_from[partition] = record.offset
        self._next[partition] = max(self._next[partition], record.offset + 1)
        self._pending[record.offset] = (record.timestamp / 1000.0, self._position())
        try:
            for offset, video_frame in self._decoder.decode(value, codec, record.offset):
                time_s, position = self._pending.pop(offset, (record.timestamp / 1000.0, self._position()))
                if offset < self._counted.get(partition, 0):
                    continue
                if offset < record.offset:
                    raise SourceReordered(f"topic {self._topic!r} holds H.264 with B-frames; encode it without (-bf 0)")
                if time_s > self._wall_clock() + FUTURE_S:
                    # One such message would carry the stream's time away for good.
                    raise SourceUnsupported(f"a message of topic {self._topic!r} has a timestamp in the future")
                yield SourceFrame(video_frame, time_s, position, bool(video_frame.is_corrupt))
        finally:
            while len(self._pending) > 32:  # messages that never became a picture
                del self._pending[next(iter(self._pending))]

    def _position(self) -> Position:
        return {
            "next": {str(p): offset for p, offset in self._next.items()},
            "decode_from": {str(p): min(self._decode_from[p], offset) for p, offset in self._next.items()},
        }

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
        if isinstance(
            error, (SaslAuthenticationFailedError, TopicAuthorizationFailedError, UnsupportedSaslMechanismError)
        ):
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
        if consumer is not None:
            with suppress(KafkaError, OSError):
                self._commit(consumer, wait_ms=1000)
                consumer.close(timeout_ms=1000)
