"""Many cameras of one topic: read once, each gets its own, and none holds up the others for ever."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import cv2
import numpy as np
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError

from pipelines.errors import SourceDisconnected, SourceError, SourceUnreachable
from pipelines.sources import kafka, kafka_home, kafka_lane, kafka_offsets
from pipelines.sources.base import Position, SourceLimits
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_home import homes
from pipelines.sources.kafka_lane import MOST_WAITING
from pipelines.sources.kafka_lanes import Lanes
from pipelines.sources.kafka_place import PartitionPlace, TopicPlace
from tests.integration.brokers import Broker, count_fetched, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
LIMITS = SourceLimits(5.0, 2.0, 5.0)
BEGIN_S = 1_790_000_000.0
PICTURE = cv2.imencode(".jpg", np.full((36, 64, 3), 90, np.uint8))[1].tobytes()
Send = Callable[..., None]


@pytest.fixture
def topic(broker: Broker) -> str:
    """With two partitions."""
    name = f"many-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(name, 2, 1)])
    admin.close()
    return name


@pytest.fixture
def send(broker: Broker, topic: str) -> Iterator[Send]:
    """Sends numbered pictures of a camera to a partition."""
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all")

    def sent(camera: str, *pictures: int, partition: int = 0) -> None:
        for picture in pictures:
            stamp_ms = round(BEGIN_S * 1000) + picture * 100
            producer.send(topic, PICTURE, key=camera.encode(), partition=partition, timestamp_ms=stamp_ms)
        producer.flush()

    yield sent
    producer.close()


@pytest.fixture
def lanes() -> Lanes:
    return Lanes()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages brokers sent, poll by poll."""
    return count_fetched(monkeypatch)


class Camera:
    """A source in a thread of its own, as its supervisor has it."""

    def __init__(self, broker: Broker, topic: str, key: str | None, lanes: Lanes, start: str = "earliest") -> None:
        self.source = KafkaSource(broker.address, topic, key, start=start, limits=LIMITS, lanes=lanes)  # type: ignore
        self.seen: list[int] = []
        self.cpu_s = 0.0
        self.error: Exception | None = None
        self._resume: Position | None = None
        self.going = threading.Event()
        self.going.set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self, resume: Position | None = None) -> Camera:
        self._resume = resume
        self._thread.start()
        wait_until(lambda: self.source._subscription or self.error, 10, "its part of a lane")
        return self

    def _run(self) -> None:
        try:
            self.source.connect(self._resume)
            for frame in self.source.frames(self._stop):
                self.seen.append(round((frame.raw_time_s - BEGIN_S) * 10))
                self.cpu_s += frame.shared_cpu_s
                self.going.wait()
        except SourceError as error:
            self.error = error

    def sees(self, count: int) -> None:
        wait_until(lambda: len(self.seen) >= count or self.error, 10, f"{count} frames")
        assert self.error is None

    def close(self) -> None:
        self._stop.set()
        self.going.set()
        self._thread.join(10)
        self.source.close()


@pytest.fixture
def camera(broker: Broker, topic: str, lanes: Lanes) -> Iterator[Callable[..., Camera]]:
    with ExitStack() as ends:

        def begun(key: str | None, resume: Position | None = None, **options: Any) -> Camera:
            made = Camera(broker, topic, key, lanes, **options)
            ends.callback(made.close)
            return made.begin(resume)

        yield begun


def lane_threads() -> int:
    return sum(thread.name == "kafka-lane" for thread in threading.enumerate())


def test_a_partition_is_read_once_whoever_is_in_it(
    camera: Callable[..., Camera], send: Send, fetched: list[int]
) -> None:
    cameras = [camera(f"cam{number}", start="latest") for number in range(12)]
    every = camera(None, start="latest")
    assert lane_threads() == 1
    for picture in range(10):
        for number in range(12):
            send(f"cam{number}", picture, partition=number % 2)
    for one in cameras:
        one.sees(10)
        assert one.seen == list(range(10))
        assert one.cpu_s > 0
    every.sees(120)
    assert sum(fetched) == 120


def test_who_joins_a_little_behind_has_all_of_its_own_and_nobody_has_anything_twice(
    camera: Callable[..., Camera], send: Send
) -> None:
    first = camera("a")
    send("a", *range(20))
    send("b", *range(20))
    first.sees(20)
    second = camera("b")
    second.sees(20)
    send("a", *range(20, 30))
    send("b", *range(20, 30))
    first.sees(30)
    second.sees(30)
    assert first.seen == second.seen == list(range(30))
    assert lane_threads() == 1


def test_who_goes_on_behind_an_end_that_is_still_believed_has_nothing_twice(
    camera: Callable[..., Camera], send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that comes from another reader, while others of its topic have just begun here."""
    monkeypatch.setattr(kafka_offsets, "BELIEVED_S", 60.0)
    send("b", 0)
    camera("a")  # has asked for the end
    send("b", *range(1, 5))
    moved = camera("b", TopicPlace({0: PartitionPlace.at(5), 1: PartitionPlace.at(0)}).position())
    send("b", 5)
    moved.sees(1)
    assert moved.seen == [5]


def test_who_is_far_behind_has_a_lane_of_its_own_until_it_has_caught_up(
    camera: Callable[..., Camera], send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_lane, "NEAR", 15)
    send("b", *range(100))
    others = [camera(name, start="latest") for name in ("a", "c")]
    late = camera("b")
    assert lane_threads() == 2
    late.sees(100)
    wait_until(lambda: lane_threads() == 1, 10, "one lane")
    send("a", *range(5))
    send("b", *range(100, 110))
    others[0].sees(5)
    late.sees(110)
    assert late.seen == list(range(110))
    assert others[0].seen == list(range(5))


def test_a_camera_that_is_slow_holds_up_its_partition_only_once_its_room_is_full(
    camera: Callable[..., Camera], send: Send
) -> None:
    slow, same, other = (camera(name, start="latest") for name in ("slow", "same", "other"))
    slow.going.clear()
    for picture in range(3):
        send("slow", picture)
        send("same", picture)
    same.sees(3)
    for picture in range(3, 200):
        send("slow", picture)
    send("same", 3)
    for picture in range(20):
        send("other", picture, partition=1)
    other.sees(20)
    assert same.seen == [0, 1, 2]
    assert len(slow.seen) == 1
    held = slow.source._subscription
    assert held is not None
    assert MOST_WAITING <= held.waiting(0) <= MOST_WAITING + 64  # one poll's more
    slow.going.set()
    slow.sees(200)
    same.sees(4)
    assert slow.seen == list(range(200))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras settle soon, and new partitions are looked for often."""
    monkeypatch.setattr(kafka_home, "SETTLED_S", 0.5)
    monkeypatch.setattr(kafka, "LOOK_S", 0.1)
    monkeypatch.setattr(kafka_lane, "REFRESH_S", 0.6)


def key_of(home: int, later: int | None = None) -> str:
    """A key that all producers put into this of two partitions, and of three into that."""
    keys = (f"cam{number}" for number in range(1000))
    fits = (key for key in keys if homes(key.encode(), 2) == {home})
    return next(key for key in fits if later is None or homes(key.encode(), 3) == {later})


def wait_settled(*cameras: Camera) -> None:
    for one in cameras:
        wait_until(lambda one=one: one.source.reached().shard is not None, 10, "its home to be known")


@pytest.mark.usefixtures("soon")
def test_once_its_home_is_known_a_camera_reads_no_other_partition(
    camera: Callable[..., Camera], send: Send, topic: str, fetched: list[int]
) -> None:
    first, second = key_of(0), key_of(1)
    one, two = camera(first, start="latest"), camera(second, start="latest")
    send(first, 0, partition=0)
    send(second, 0, partition=1)
    wait_settled(one, two)
    shards = [source.reached().shard for source in (one.source, two.source)]  # type: ignore[union-attr]
    assert [shard.rpartition("/")[2] for shard in shards if shard] == ["0", "1"]
    lane = two.source._lane
    assert lane is not None
    two.close()
    wait_until(lambda: set(lane.read) == {(topic, 0)}, 5, "the other's partition to be left")
    before = sum(fetched)
    send(second, *range(1, 50), partition=1)
    send(first, *range(1, 10), partition=0)
    one.sees(10)
    assert sum(fetched) - before == 9
    # What it had not read yet is there for the other, whenever it comes back.
    again = camera(second, two.source._messages.place.position())
    again.sees(49)
    assert again.seen == list(range(1, 50))
    assert again.source.reached().shard == shards[1]  # it knows from the beginning


@pytest.mark.usefixtures("soon")
def test_a_key_that_producers_put_elsewhere_is_read_in_all_partitions(
    camera: Callable[..., Camera], send: Send
) -> None:
    key = key_of(0)
    one = camera(key, start="latest")
    begun_s = time.monotonic()
    for number in itertools.count(1):
        send(key, number, partition=1)
        one.sees(number)
        if time.monotonic() - begun_s > 4 * kafka_home.SETTLED_S:
            break
    assert one.source.reached().shard is None  # type: ignore[union-attr]
    send(key, 0, partition=0)
    one.sees(number + 1)


@pytest.mark.usefixtures("soon")
def test_a_message_that_came_elsewhere_all_the_same_is_not_lost(camera: Callable[..., Camera], send: Send) -> None:
    first, second = key_of(0), key_of(1)
    one, other = camera(first, start="latest"), camera(second, start="latest")
    send(first, 0, partition=0)
    send(second, 0, partition=1)
    wait_settled(one, other)
    send(first, 1, partition=1)
    one.sees(2)
    send(first, 2, partition=0)
    one.sees(3)
    assert one.seen == [0, 1, 2]


@pytest.mark.usefixtures("soon")
def test_a_topic_that_is_deleted_takes_no_camera_of_another_with_it(
    broker: Broker, camera: Callable[..., Camera], send: Send, lanes: Lanes, topic: str
) -> None:
    key, other = key_of(0), f"other-{uuid.uuid4().hex[:8]}"
    one = camera(key, start="latest")
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        admin.create_topics([NewTopic(other, 2, 1)])
        with closing(Camera(broker, other, key, lanes, "latest").begin()) as doomed:
            send(key, 0, partition=0)
            with closing(KafkaProducer(bootstrap_servers=broker.address)) as producer:
                producer.send(other, PICTURE, key=key.encode(), partition=0, timestamp_ms=round(BEGIN_S * 1000)).get(10)
            wait_settled(one, doomed)
            lane = one.source._lane
            assert doomed.source._lane is lane
            admin.delete_topics([other])
            assert lane is not None
            looked_s = lane._looked_s
            wait_until(lambda: lane._looked_s > looked_s + 2 * kafka_lane.REFRESH_S, 10, "the lane to look again")
    send(key, 1, partition=0)
    one.sees(2)
    assert not lane.broken


@pytest.mark.usefixtures("soon")
def test_what_is_read_again_for_another_sends_no_camera_astray(camera: Callable[..., Camera], send: Send) -> None:
    first, second = key_of(0), key_of(1)
    send(first, 0, partition=1)  # before its home was its home
    one = camera(first, start="latest")
    other = camera(second, start="latest")
    send(first, 1, partition=0)
    send(second, 0, partition=1)
    wait_settled(one, other)
    late = camera("late")  # from the beginning of both
    send(first, 2, partition=0)
    one.sees(2)
    wait_until(lambda: late.source._subscription.needs(1) >= 2, 10, "both partitions to be read again")
    assert one.source._subscription is not None
    assert not one.source._subscription.astray
    assert one.source.reached().shard is not None  # type: ignore[union-attr]


@pytest.mark.usefixtures("soon")
def test_with_more_partitions_a_camera_is_looked_for_anew(
    broker: Broker, camera: Callable[..., Camera], send: Send, topic: str
) -> None:
    key = key_of(0, later=2)
    one = camera(key, start="latest")
    send(key, 0, partition=0)
    wait_settled(one)
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_partitions({topic: NewPartitions(3)})
    admin.close()
    send(key, 1, partition=0)  # by a producer that has not heard of it yet
    one.sees(2)
    anew = KafkaProducer(bootstrap_servers=broker.address)
    with closing(anew):
        anew.send(topic, PICTURE, key=key.encode(), partition=2, timestamp_ms=round(BEGIN_S * 1000) + 200).get(10)
    one.sees(3)
    assert one.seen == [0, 1, 2]
    wait_until(lambda: (one.source.reached().shard or "").endswith("/2"), 10, "its new home")


@pytest.mark.usefixtures("soon")
def test_a_camera_that_was_away_while_partitions_were_added_looks_in_all(
    broker: Broker, camera: Callable[..., Camera], send: Send, topic: str
) -> None:
    key = key_of(0, later=2)
    one = camera(key, start="latest")
    send(key, 0, partition=0)
    wait_settled(one)
    one.close()
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_partitions({topic: NewPartitions(3)})
    admin.close()
    with closing(KafkaProducer(bootstrap_servers=broker.address)) as producer:
        producer.send(topic, PICTURE, key=key.encode(), partition=2, timestamp_ms=round(BEGIN_S * 1000) + 100).get(10)
    again = camera(key, one.source._messages.place.position())
    again.sees(1)
    assert again.seen == [1]


def test_lanes_have_few_topics_and_leave_those_that_nobody_reads(
    broker: Broker, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_lane, "MOST_PARTITIONS", 3)
    producer = KafkaProducer(bootstrap_servers=broker.address)
    topics = [f"few-{uuid.uuid4().hex[:8]}" for _ in range(4)]
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(name, 2, 1) for name in topics])
    admin.close()
    with ExitStack() as ends:
        ends.callback(producer.close)
        cameras = [ends.enter_context(closing(Camera(broker, name, None, lanes, "latest").begin())) for name in topics]
        assert lane_threads() == 4  # two partitions each
        monkeypatch.setattr(kafka_lane, "MOST_PARTITIONS", 8)
        other = f"few-{uuid.uuid4().hex[:8]}"
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        admin.create_topics([NewTopic(other, 2, 1)])
        admin.close()
        guest = ends.enter_context(closing(Camera(broker, other, "a", lanes, "latest").begin()))
        assert lane_threads() == 4
        lane = guest.source._lane
        assert lane is not None
        assert other in {partition.topic for partition in lane.read}
        guest.close()
        wait_until(lambda: other not in {partition.topic for partition in lane.read}, 5, "the topic to be left")
        for name in topics:
            producer.send(name, PICTURE, key=b"a", timestamp_ms=round(BEGIN_S * 1000)).get(10)
        for one in cameras:
            one.sees(1)


def test_a_lane_that_cannot_be_opened_leaves_none_behind(
    broker: Broker, camera: Callable[..., Camera], lanes: Lanes, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    monkeypatch.setattr(kafka_lane, "MOST_PARTITIONS", 0)
    first = camera("a", start="latest")
    monkeypatch.setattr(kafka_lane.Lane, "near", lambda *_: False)  # everybody needs one of his own
    for _ in range(3):
        source = KafkaSource(broker.address, topic, "b", limits=LIMITS, lanes=lanes)
        with monkeypatch.context() as patch:
            patch.setattr(kafka_lane.KafkaClient, "open", _refuse)
            with closing(source), pytest.raises(SourceUnreachable):
                source.connect(None)
    first.close()
    assert lane_threads() == 0


def _refuse(client: object) -> None:
    raise KafkaError("no more connections")


def test_all_hear_of_it_when_the_broker_goes(broker: Broker, camera: Callable[..., Camera], send: Send) -> None:
    cameras = [camera(name, start="latest") for name in ("a", "b")]
    send("a", 0)
    cameras[0].sees(1)
    broker.kill()
    try:
        for one in cameras:
            wait_until(lambda one=one: one.error is not None, 20, "the error")
            assert isinstance(one.error, SourceDisconnected)
            one.close()
        assert lane_threads() == 0
    finally:
        broker.start()


def test_a_camera_that_takes_nothing_hides_from_nobody_that_the_broker_went(
    broker: Broker, camera: Callable[..., Camera], send: Send
) -> None:
    slow, other = (camera(name, start="latest") for name in ("slow", "other"))
    slow.going.clear()
    for picture in range(4 * MOST_WAITING):
        send("slow", picture)
    send("other", 0, partition=1)
    other.sees(1)
    subscription = slow.source._subscription
    wait_until(lambda: subscription is not None and subscription.waiting(0) >= MOST_WAITING, 10, "its room to be full")
    broker.kill()
    try:
        wait_until(lambda: other.error is not None, 20, "the error")
        assert isinstance(other.error, SourceDisconnected)
    finally:
        broker.start()


def test_the_last_one_closes_the_lane(camera: Callable[..., Camera], send: Send) -> None:
    first, second = camera("a"), camera("b")
    first.close()
    send("b", 0, 1)
    second.sees(2)
    second.close()
    assert lane_threads() == 0
    again = camera("b", second.source._messages.place.position())
    send("b", 2)
    again.sees(1)
    assert again.seen == [2]


def test_many_who_ask_a_dead_broker_at_once_are_told_at_once(lanes: Lanes) -> None:
    """And not one after the other, each after its own wait."""
    limits = SourceLimits(1.0, 1.0, 1.0)
    address = f"127.0.0.1:{free_port()}"
    errors: list[SourceError] = []

    def ask(number: int) -> None:
        with closing(KafkaSource(address, "frames", f"cam{number}", limits=limits, lanes=lanes)) as source:
            try:
                source.connect(None)
            except SourceError as error:
                errors.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 30
    assert all(isinstance(error, SourceUnreachable) for error in errors)
    assert time.monotonic() - begun_s < 15
    assert lane_threads() == 0


def test_where_a_busy_camera_goes_on_moves_in_partitions_that_hold_none_of_its_own(
    camera: Callable[..., Camera], send: Send
) -> None:
    busy = camera("busy", start="latest")
    stop = threading.Event()

    def feed() -> None:
        for picture in itertools.count():
            send("busy", picture)
            if stop.wait(0.05):
                return

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        send("other", *range(50), partition=1)

        def passed() -> bool:
            reached = busy.source.reached()
            return reached is not None and reached.position["next"]["1"] == 50

        wait_until(passed, 10, "a place behind others' messages")
    finally:
        stop.set()
        feeding.join(10)
