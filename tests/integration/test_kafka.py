"""Frames over Apache Kafka: exact, whoever dies."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from analytics.events import EVENT_TYPES, STREAM_STATE
from footfall import Client
from footfall.types import KafkaDefinition, StreamBody
from pipelines.errors import SourceDisconnected, SourceError, SourceUnauthorized
from pipelines.simulator.kafka_feed import Codec, KafkaFeed
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.base import SourceLimits
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_client import KafkaLogin
from tests.integration.brokers import ApacheKafka, Broker
from tests.integration.conftest import kill_replica, wait_state
from tests.pipelines.sources.remains import nothing_left_behind, open_and_close, without_collecting
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
FPS, SECONDS = 8, 40
CROSSING = "footfall.crossing.v1"
BEGUN_S = 1_790_000_030.0  # half a minute into a minute, so that a minute ends in the middle of the scene
WINDOW = {"start": str(int(BEGUN_S) - 600), "end": str(int(BEGUN_S) + 600)}


@pytest.fixture(scope="module")
def scene(test_cache: Path) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        made = Scene(Camera(480, 270), people=6, seconds=SECONDS, fps=FPS, seed=77, max_overlap=0.3)
        made.warm()
        return made


@pytest.fixture
def feed(broker: Broker, request: pytest.FixtureRequest) -> Iterator[KafkaFeed]:
    codec: Codec = getattr(request, "param", "jpeg")
    made = KafkaFeed(broker.address, f"frames-{os.urandom(4).hex()}", "camera-1", codec=codec, keyframe_every=40)
    yield made
    made.close()


def send(feed: KafkaFeed, scene: Scene, first: int = 0, end: int | None = None) -> None:
    for number in range(first, scene.frames if end is None else end):
        feed.send(scene.image(number), BEGUN_S + number / FPS, FPS)
    feed.flush()


def register(
    api: Client,
    stream: str,
    broker: Broker,
    feed: KafkaFeed,
    scene: Scene,
    key: str | None = "camera-1",
    geometry: dict[str, Any] | None = None,
) -> None:
    source = {"type": "kafka", "brokers": broker.address, "topic": feed.topic, "key": key, "start": "earliest"}
    body = cast(StreamBody, {"source": source, "analysis_fps": None, "geometry": geometry or scene.geometry()})
    api.put_stream(stream, body, only_new=True)


def report(api: Client, stream: str) -> dict[str, Any]:
    """Everything that the window holds: what is asked last is at least as new as the covered seconds."""
    heat = api.heatmap(stream, **WINDOW)
    counts = api.counts(stream, **WINDOW, bucket="1m")
    return {"buckets": counts["buckets"], "grid": heat["grid"], "covered_s": heat["covered_s"]}


def happened(api: Client, stream: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Time, type and subject of all events of the counters, and their data; a person's number may be another."""
    kinds = [kind for kind in EVENT_TYPES if kind != STREAM_STATE]
    events = list(api.events(type=kinds, stream=[stream]))
    assert len({event["id"] for event in events}) == len(events) > 10
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    return [
        (event["time"], event["type"], event.get("subject") or "", {**event["data"], "track": 0}) for event in events
    ]


def wait_all_counted(api: Client, stream: str, frames: int, timeout_s: float = 40) -> dict[str, Any]:
    """The report, once the whole scene is in it."""
    expected_s = (frames - 1) / FPS

    def complete() -> dict[str, Any] | None:
        found = report(api, stream)
        return found if found["covered_s"] >= expected_s - 0.01 else None

    try:
        return wait_until(complete, timeout_s, f"{expected_s} covered seconds of {stream}", every_s=0.2)  # type: ignore
    except AssertionError as error:
        raise AssertionError(f"{error}; {report(api, stream)['buckets']}; {api.get_stream(stream)}") from None


@pytest.mark.parametrize("feed", [pytest.param("jpeg", marks=pytest.mark.slow), "h264"], indirect=True)
def test_counts_are_equal_when_the_consumer_is_killed_in_the_middle_of_a_minute(
    api: Client, broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    send(feed, scene)
    register(api, "undisturbed", broker, feed, scene)
    truth = wait_all_counted(api, "undisturbed", scene.frames)
    assert len(truth["buckets"]) == 2
    assert sum(sum(counts.values()) for b in truth["buckets"] for counts in b["lines"].values()) > 0

    # Frames come while the reader is killed, so that it dies in the middle of them, twice.
    slow = threading.Event()
    half = KafkaFeed(broker.address, feed.topic + "-slow", "camera-1", codec=feed.codec, keyframe_every=40)
    sender = threading.Thread(target=_send_slowly, args=(half, scene, slow), daemon=True)
    sender.start()
    register(api, "disturbed", broker, half, scene)
    for share in (0.25, 0.6):
        reached_s = share * SECONDS
        wait_until(lambda least=reached_s: report(api, "disturbed")["covered_s"] > least, 60, "a part of the scene")
        kill_replica("StreamReader")
    sender.join(60)
    half.close()
    assert wait_all_counted(api, "disturbed", scene.frames) == truth
    assert api.get_stream("disturbed")["epoch"] >= 3
    assert happened(api, "disturbed") == happened(api, "undisturbed")
    crossed = Counter(
        (event["subject"], event["data"]["direction"]) for event in api.events(type=[CROSSING], stream=["disturbed"])
    )
    counted = {
        (line, way): sum(bucket["lines"].get(line, {}).get(way, 0) for bucket in truth["buckets"])
        for bucket in truth["buckets"]
        for line, ways in bucket["lines"].items()
        for way in ways
    }
    assert crossed == Counter(counted)


def _send_slowly(feed: KafkaFeed, scene: Scene, pause: threading.Event) -> None:
    for number in range(scene.frames):
        feed.send(scene.image(number), BEGUN_S + number / FPS, FPS)
        pause.wait(0.03)
    feed.flush()


def test_counts_are_equal_when_the_broker_is_killed_and_restarted(
    api: Client, broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    half = scene.frames // 2
    send(feed, scene, 0, half)
    register(api, "survivor", broker, feed, scene)
    wait_until(lambda: report(api, "survivor")["covered_s"] > 5, 40, "the first seconds")
    broker.kill()
    wait_state(api, "survivor", "reconnecting", timeout_s=30)
    assert api.get_stream("survivor")["error_code"] in ("source-disconnected", "source-unreachable")
    broker.start()
    send(feed, scene, half)
    disturbed = wait_all_counted(api, "survivor", scene.frames)
    register(api, "undisturbed2", broker, feed, scene)
    assert wait_all_counted(api, "undisturbed2", scene.frames) == disturbed


def test_a_topic_of_many_cameras_gives_each_stream_its_own_frames(
    api: Client, broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    other = KafkaFeed(broker.address, feed.topic, "camera-2")
    for number in range(40):
        feed.send(scene.image(number), BEGUN_S + number / FPS, FPS)
        other.send(scene.image(200), BEGUN_S + number / FPS, FPS)
    feed.flush()
    other.flush()
    other.close()
    register(api, "one-of-two", broker, feed, scene)
    wait_all_counted(api, "one-of-two", 40)
    wait_until(lambda: api.get_stream("one-of-two")["frames"] >= 40, 10, "a beat that tells of all frames")
    assert api.get_stream("one-of-two")["frames"] == 40


def test_a_missing_topic_and_a_missing_broker_have_their_own_errors(
    api: Client, broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    def put(stream: str, brokers: str, topic: str) -> None:
        source: KafkaDefinition = {"type": "kafka", "brokers": brokers, "topic": topic, "start": "earliest"}
        api.put_stream(stream, {"source": source}, only_new=True)

    put("no-topic", broker.address, "never-made")
    assert wait_state(api, "no-topic", "reconnecting")["error_code"] == "source-not-found"
    put("no-broker", "127.0.0.1:9", feed.topic)
    assert wait_state(api, "no-broker", "reconnecting", 30)["error_code"] == "source-unreachable"


def test_the_group_offset_follows_the_checkpoint_for_lag_monitors(
    broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    from kafka import KafkaConsumer, TopicPartition

    send(feed, scene, 0, 10)
    source = KafkaSource(broker.address, feed.topic, "camera-1", start="earliest", limits=SourceLimits(5, 2, 5))
    stop = threading.Event()
    source.connect(None)
    frames = source.frames(stop)
    taken = [next(frames) for _ in range(10)]
    position = taken[-1].position
    assert position is not None
    source.acknowledge(position)
    source.close()
    consumer = KafkaConsumer(bootstrap_servers=[broker.address], group_id="footfall")
    committed = [
        consumer.committed(TopicPartition(feed.topic, number)) or 0
        for number in consumer.partitions_for_topic(feed.topic) or ()
    ]
    consumer.close()
    assert sum(committed) == 10


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_logins_leave_nothing_behind_be_they_refused_or_not(
    broker: Broker, feed: KafkaFeed, scene: Scene, password: str
) -> None:
    if not isinstance(broker, ApacheKafka):
        pytest.skip("the broker from PyPI asks nobody for a password")
    send(feed, scene, 0, 1)
    login = KafkaLogin("viewer", password, "PLAIN")

    def attempt() -> SourceError | None:
        return open_and_close(source_of(broker.login_address, feed, login))

    with without_collecting():
        outcomes = [attempt()]
        with nothing_left_behind():
            outcomes += [attempt() for _ in range(10)]
    if password == "right":
        assert outcomes == [None] * 11
    else:
        assert all(isinstance(outcome, SourceUnauthorized) for outcome in outcomes)


def test_a_broker_that_dies_while_it_is_read_leaves_nothing_behind(
    broker: Broker, feed: KafkaFeed, scene: Scene
) -> None:
    send(feed, scene, 0, 1)
    feed.close()

    def watch_it_die() -> None:
        with closing(source_of(broker.address, feed)) as source:
            source.connect(None)
            frames = source.frames(threading.Event())
            next(frames)
            broker.kill()
            with pytest.raises(SourceDisconnected):
                next(frames)
        broker.start()
        wait_until(lambda: open_and_close(source_of(broker.address, feed)) is None, 30, "the broker")

    with without_collecting():
        watch_it_die()
        with nothing_left_behind():
            watch_it_die()


def source_of(address: str, feed: KafkaFeed, login: KafkaLogin | None = None) -> KafkaSource:
    limits = SourceLimits(5, 1, 5)
    return KafkaSource(address, feed.topic, None, start="earliest", login=login, limits=limits)
