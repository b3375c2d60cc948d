"""Cameras whose frames come as messages of a Kafka topic: key = camera, timestamp = event time.

Partitions are assigned, not subscribed: which reader owns a stream is the registry's decision, not the consumer
group's, and the place to go on is part of the checkpoint. Offsets are committed to the group only so that the usual lag
monitors see where we are. What is read from the broker is shared with all cameras of the process: `kafka_lane`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import av.error
from kafka.errors import KafkaError, KafkaTimeoutError, UnsupportedCodecError

from pipelines.errors import (
    SourceDisconnected,
    SourceError,
    SourceReordered,
    SourceUnauthorized,
    SourceUnreachable,
    SourceUnsupported,
)
from pipelines.sources.base import Position, Reached, SourceFrame, SourceLimits
from pipelines.sources.kafka_client import REFUSALS, Cluster, KafkaLogin
from pipelines.sources.kafka_frames import TopicDecoder
from pipelines.sources.kafka_home import Home
from pipelines.sources.kafka_lane import Lane
from pipelines.sources.kafka_lanes import LANES, Lanes
from pipelines.sources.kafka_offsets import Offsets
from pipelines.sources.kafka_place import PartitionPlace, TopicPlace
from pipelines.sources.kafka_subscription import Subscription
from pipelines.types import StreamInfo

logger = logging.getLogger(__name__)
MAX_DAMAGED = 1000
"""Undecodable messages in a row after which the topic is taken to hold something else than video."""
IDLE_S = 0.5
"""For so long a message is waited for before it is looked whether this is the end."""
LOOK_S = 1.0
"""So often it is looked how far partitions were read that hold nothing of ours: hundreds of cameras do."""


class KafkaSource:
    """One camera's messages.

    A message's number in positions and pictures is its offset. To resume inside a group of H.264 pictures, the consumer
    goes back to the message where decoding can begin and throws away what was counted already.

    Args:
        brokers: ``host:port``, comma-separated.
        topic: read in all its partitions, until it is known which one has this camera; order is kept within one, so a
            camera should stay in one (a producer that sets the key does this by itself).
        key: the camera's; None takes every message.
        start: where to begin without a position: with what comes, or with what is still there.
        login: user, password, TLS.
        limits: how long to wait.
        lanes: that are shared with other cameras.
    """

    def __init__(
        self,
        brokers: str,
        topic: str,
        key: str | None,
        *,
        start: Literal["latest", "earliest"] = "latest",
        login: KafkaLogin | None = None,
        limits: SourceLimits | None = None,
        lanes: Lanes = LANES,
    ) -> None:
        addresses = (broker.strip() for broker in brokers.split(","))
        self._cluster = Cluster(tuple(filter(None, addresses)), login or KafkaLogin(), limits or SourceLimits())
        self._topic = topic
        self._key = key.encode() if key is not None else None
        self._start = start
        self._lanes = lanes
        self._lane: Lane | None = None
        self._subscription: Subscription | None = None
        self._messages = TopicDecoder(topic)
        self._home = Home(self._key)
        self._reached: Reached | None = None

    def connect(self, resume: Position | None = None) -> StreamInfo:
        try:
            self._lane = self._lanes.enter(self._cluster)
            stored = TopicPlace.of(resume)
            offsets = self._lane.offsets(self._topic, stored.partitions)
            self._place(offsets, stored, beginning=resume is not None)
            self._reached = self._reached_now(0)
            self._join(self._messages.place.partitions)
            return self._first_decoded()
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=True) from error

    def _place(self, offsets: Offsets, stored: TopicPlace, *, beginning: bool) -> None:
        """Where each partition is read.

        Args:
            offsets: of the partitions that there are.
            stored: where they go on.
            beginning: those without a place are new since it was stored, and read from their beginning.
        """
        fresh = offsets.first if beginning or self._start == "earliest" else offsets.end
        # With other partitions than there were, it may live in another.
        home = stored.home if stored.partitions.keys() == offsets.end.keys() else None
        self._messages.place.home, self._messages.place.was = home, stored.was
        self._home.look(offsets.end, time.monotonic(), stored.was)
        for number in sorted(offsets.end):
            known = stored.partitions.get(number, PartitionPlace.at(fresh[number]))
            place = known.within(offsets.first[number], offsets.end[number])
            if home not in (None, number):
                pass  # whatever became of it, it held nothing of ours
            elif place.next > known.next:
                logger.warning(
                    "topic %s partition %d: %d messages were deleted by the broker before they were read",
                    *(self._topic, number, place.next - known.next),
                )
            elif place.next < known.next:
                logger.warning("topic %s partition %d was cut or made anew; going on at its end", self._topic, number)
            self._messages.begin(number, place)

    def _join(self, places: Mapping[int, PartitionPlace]) -> None:
        """Share a lane from there on."""
        assert self._lane is not None
        home = self._messages.place.home
        needed = {number: place for number, place in places.items() if home in (None, number)}
        aside = {number: place.next for number, place in places.items() if number not in needed}
        member = Subscription(self._topic, self._key, needed, home, aside)
        lane, self._lane = self._lane, None
        self._lane = self._lanes.join(self._cluster, lane, member)
        self._subscription = member

    def _first_decoded(self) -> StreamInfo:
        """Size and codec from the first message, if one comes soon; a silent topic is no error."""
        assert self._subscription is not None
        deadline = time.monotonic() + min(self._cluster.limits.open_s, 2.0)
        waiting = self._subscription.wait(0.0)
        while not waiting and time.monotonic() < deadline:
            waiting = self._subscription.wait(IDLE_S)
        for passed in waiting:
            # A damaged message tells nothing; whether all are, shows later.
            with suppress(av.error.FFmpegError, SourceUnsupported, KeyError, ValueError, TypeError):
                size = self._messages.size_of(passed)
                if size is not None:
                    return StreamInfo(*size)
        return StreamInfo("unknown", 0, 0)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        if self._subscription is None:
            raise RuntimeError("connect() comes first")
        damaged, handed, looked_s = 0, 0, time.monotonic()
        try:
            while not stop.is_set():
                if self._subscription.astray:
                    self._widen()
                passed = self._subscription.take(IDLE_S)
                if passed is not None:
                    self._know(passed.partition)
                    self._home.saw(passed.partition, time.monotonic())
                    try:
                        for frame in self._messages.frames_of(passed):
                            handed, damaged = handed + 1, 0
                            yield replace(frame, shared_cpu_s=self._subscription.spent_s())
                    except SourceReordered:
                        raise
                    except (av.error.FFmpegError, SourceUnsupported) as error:
                        damaged += 1
                        if damaged > MAX_DAMAGED:
                            raise SourceUnsupported(
                                f"topic {self._topic!r} holds no video that can be decoded: {error}"
                            ) from error
                    self._messages.pass_by(passed)
                # What lies in other partitions moves on, whether this camera is busy or silent.
                now_s = time.monotonic()
                if now_s - looked_s > LOOK_S:
                    looked_s = now_s
                    self._pass_by()
                    self._settle(now_s)
                    self._share()
                elif passed is None:
                    continue
                self._reached = self._reached_now(handed)
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error, opening=False) from error

    def _know(self, number: int) -> None:
        """Also of a partition that was added."""
        assert self._subscription is not None
        if number not in self._messages.place.partitions:
            self._messages.begin(number, PartitionPlace.at(self._subscription.first(number)))

    def _pass_by(self) -> None:
        """What was read meanwhile was none of ours."""
        assert self._subscription is not None
        for passed in self._subscription.seen():
            self._know(passed.partition)
            self._messages.pass_by(passed)

    def _settle(self, now_s: float) -> None:
        """Read one partition alone from now on, if all that is ours is in there."""
        assert self._lane is not None
        assert self._subscription is not None
        place = self._messages.place
        home = self._home.known(place.partitions, now_s) if place.home is None else None
        if home is not None and self._lane.settle(self._subscription, home, place.partitions.keys()):
            place.home, place.was = home, (home, len(place.partitions))

    def _widen(self) -> None:
        """Read all partitions again, each from where it is certain that nothing before it is ours."""
        assert self._lane is not None
        assert self._subscription is not None
        self._pass_by()
        self._lane.leave(self._subscription)
        place = self._messages.place
        place.home = None
        offsets = self._lane.offsets(self._topic, place.partitions)
        for number in offsets.end.keys() - place.partitions.keys():
            self._messages.begin(number, PartitionPlace.at(offsets.first[number]))
        self._home.look(offsets.end, time.monotonic(), place.was)
        logger.info("topic %s: key %r is looked for in all partitions", self._topic, self._key)
        goes_on = {number: PartitionPlace.at(one.next) for number, one in place.partitions.items()}
        self._join({n: one.within(offsets.first[n], offsets.end[n]) for n, one in goes_on.items()})

    def _reached_now(self, handed: int) -> Reached:
        place = self._messages.place
        shard = f"{self._where}/{self._topic}/{place.home}" if place.home is not None else None
        return Reached(handed, place.position(), shard)

    def _share(self) -> None:
        """Having caught up, go on in the lane of the others."""
        assert self._lane is not None
        assert self._subscription is not None
        if self._subscription.astray:
            return
        places = self._messages.place.partitions
        needs = {number: place.next for number, place in places.items() if self._subscription.reads(number)}
        if not self._lanes.better(self._cluster, self._lane, self._topic, needs):
            return
        self._lane.leave(self._subscription)
        # The decoder is where it was: nothing is decoded twice.
        self._join({number: PartitionPlace.at(place.next) for number, place in places.items()})

    def reached(self) -> Reached | None:
        return self._reached

    def acknowledge(self, position: Position) -> None:
        subscription = self._subscription
        if subscription is not None:
            home = position.get("home")
            subscription.acknowledged = {
                int(number): offset for number, offset in position["next"].items() if home in (None, int(number))
            }

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
        return ",".join(self._cluster.brokers)

    def close(self) -> None:
        lane, self._lane = self._lane, None
        subscription, self._subscription = self._subscription, None
        if lane is not None:
            self._lanes.leave(self._cluster, lane, subscription)
