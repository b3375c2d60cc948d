"""What a topic may hold beside good pictures; see tests/integration for whole streams over Apache Kafka."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Literal

import cv2
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewPartitions

from pipelines.errors import SourceNotFound, SourceUnreachable, SourceUnsupported
from pipelines.sources import kafka, kafka_lane
from pipelines.sources.base import Position, Reached, SourceFrame, SourceLimits
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_client import KafkaLogin
from tests.integration.brokers import NoidaBroker, count_fetched, free_port
from tests.pipelines.sources.remains import nothing_left_behind, open_and_close, without_collecting
from tests.pipelines.sources.videos import access_units, in_parts, number_of, numbered
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
LIMITS = SourceLimits(open_s=2.0, read_s=1.0, stall_s=2.0)
BEGUN_S = float(int(time.time()) - 600)  # brokers delete what is old
Send = Callable[..., None]


@pytest.fixture(scope="module")
def broker() -> Iterator[NoidaBroker]:
    with NoidaBroker() as running:
        yield running


@pytest.fixture
def topic() -> str:
    return f"frames-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def send(broker: NoidaBroker, topic: str) -> Iterator[Send]:
    """Sends messages, a tenth of a second of event time apart."""
    producer = KafkaProducer(bootstrap_servers=[broker.address])
    times = (BEGUN_S + number / 10 for number in itertools.count())

    def send(*values: bytes | None, key: bytes = b"cam", headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        for value in values:
            stamp_ms = round(next(times) * 1000)
            producer.send(topic, value, key=key, headers=list(headers), timestamp_ms=stamp_ms)
        producer.flush()

    yield send
    producer.close()


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", numbered(number))[1].tobytes()


def source(broker: NoidaBroker, topic: str) -> KafkaSource:
    return KafkaSource(broker.address, topic, "cam", start="earliest", limits=LIMITS)


def read(opened: KafkaSource, count: int, resume: Position | None = None) -> list[SourceFrame]:
    with closing(opened):
        opened.connect(resume)
        return list(itertools.islice(opened.frames(threading.Event()), count))


def numbers(frames: list[SourceFrame]) -> list[int]:
    return [number_of(frame.video_frame) for frame in frames]


def test_damaged_and_empty_messages_cost_only_themselves(broker: NoidaBroker, topic: str, send: Send) -> None:
    send(b"", None, b"rubbish", jpeg(0), jpeg(1)[:150], jpeg(2), b"\x00\x00\x01", jpeg(3))
    frames = read(source(broker, topic), 3)
    assert numbers(frames) == [0, 2, 3]
    assert [f.raw_time_s for f in frames] == pytest.approx([BEGUN_S + 0.3, BEGUN_S + 0.5, BEGUN_S + 0.7])


def test_a_topic_of_something_else_fails_for_good(
    broker: NoidaBroker, topic: str, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "MAX_DAMAGED", 5)
    send(*[b"temperature 21.5"] * 10)
    with pytest.raises(SourceUnsupported, match="holds no video"):
        read(source(broker, topic), 1)


def test_messages_of_other_cameras_are_not_read(broker: NoidaBroker, topic: str, send: Send) -> None:
    for number in range(5):
        send(jpeg(100 + number), key=b"other")
        send(jpeg(number))
    assert numbers(read(source(broker, topic), 5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("frame", [3, 9, 10, 17])
def test_h264_goes_on_in_the_middle_of_a_group_of_pictures(
    broker: NoidaBroker, topic: str, send: Send, frame: int
) -> None:
    send(*access_units(25, gop=10), headers=(("codec", b"h264"),))
    whole = read(source(broker, topic), 25)
    assert numbers(whole) == list(range(25))
    rest = read(source(broker, topic), 24 - frame, whole[frame].position)
    assert [(number_of(f.video_frame), f.raw_time_s, f.position) for f in rest] == [
        (number_of(f.video_frame), f.raw_time_s, f.position) for f in whole[frame + 1 :]
    ]


def test_a_topic_that_was_made_anew_is_read_from_its_end_on(broker: NoidaBroker, topic: str, send: Send) -> None:
    send(jpeg(0))
    (frame,) = read(source(broker, topic), 1)
    assert frame.position is not None
    far = {part: dict.fromkeys(offsets, 1_000_000) for part, offsets in frame.position.items()}
    opened = source(broker, topic)
    with closing(opened):
        opened.connect(far)
        send(jpeg(7), jpeg(8))
        assert numbers(list(itertools.islice(opened.frames(threading.Event()), 2))) == [7, 8]


def test_a_message_without_a_credible_time_costs_only_itself(broker: NoidaBroker, topic: str, send: Send) -> None:
    send(jpeg(0))
    producer = KafkaProducer(bootstrap_servers=[broker.address])
    producer.send(topic, jpeg(1), key=b"cam", timestamp_ms=5_000_000_000_000).get(10)
    producer.close()
    send(jpeg(2))
    assert numbers(read(source(broker, topic), 2)) == [0, 2]


def test_messages_ahead_of_our_clock_are_read_like_all_others(broker: NoidaBroker, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=[broker.address])
    ahead_s = float(int(time.time()) + 7200)
    for number in range(5):
        producer.send(topic, jpeg(number), key=b"cam", timestamp_ms=round(1000 * (ahead_s + number / 10)))
    producer.close()
    frames = read(source(broker, topic), 5)
    assert numbers(frames) == [0, 1, 2, 3, 4]
    assert frames[0].raw_time_s == ahead_s


def test_others_messages_are_not_read_again_after_a_restart(
    broker: NoidaBroker, topic: str, send: Send, fetched: list[int]
) -> None:
    send(jpeg(0))
    send(*[b"another camera's"] * 300, key=b"other")
    send(jpeg(1))
    send(*[b"another camera's"] * 300, key=b"other")
    opened = source(broker, topic)
    with closing(opened):
        opened.connect(None)
        frames = opened.frames(threading.Event())
        assert numbers(list(itertools.islice(frames, 2))) == [0, 1]
        behind = opened.reached()
        assert behind is not None
        watching = threading.Thread(target=list, args=(opened.frames(stop := threading.Event()),))
        watching.start()
        wait_until(lambda: reads_from(opened.reached()) == 602, 10, "a place behind others' messages")
        stop.set()
        watching.join(10)
        silent = opened.reached()
        assert silent is not None
    fetched.clear()
    again = source(broker, topic)
    with closing(again):
        again.connect(silent.position)
        send(jpeg(2))
        assert numbers(list(itertools.islice(again.frames(threading.Event()), 1))) == [2]
    assert sum(fetched) == 1


def reads_from(reached: Reached | None) -> int:
    return int(reached.position["next"]["0"]) if reached is not None else 0


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages brokers sent, poll by poll."""
    return count_fetched(monkeypatch)


def test_h264_behind_others_messages_is_decoded_from_its_key_frame_without_reading_these_again(
    broker: NoidaBroker, topic: str, send: Send, fetched: list[int]
) -> None:
    units = list(access_units(20, gop=20))
    send(*units[:10])
    send(*[b"another camera's"] * 500, key=b"other")
    opened = source(broker, topic)
    with closing(opened):
        opened.connect(None)
        stop = threading.Event()
        seen: list[SourceFrame] = []
        watching = threading.Thread(target=lambda: seen.extend(opened.frames(stop)))
        watching.start()
        wait_until(lambda: reads_from(opened.reached()) == 510, 10, "a place behind others' messages")
        stop.set()
        watching.join(10)
        place = opened.reached()
    assert numbers(seen) == list(range(10))
    assert place is not None
    send(*units[10:])
    fetched.clear()
    again = source(broker, topic)
    with closing(again):
        again.connect(json.loads(json.dumps(place.position)))
        rest = list(itertools.islice(again.frames(threading.Event()), 10))
    assert numbers(rest) == list(range(10, 20))
    assert not any(frame.corrupt for frame in rest)
    assert sum(fetched) < 200


@pytest.mark.parametrize("repeated", [True, False])
def test_h264_whose_parameter_sets_are_messages_of_their_own_goes_on_anywhere(
    broker: NoidaBroker, topic: str, send: Send, repeated: bool
) -> None:
    for number, unit in enumerate(access_units(25, gop=10)):
        send(*in_parts(unit, keep=repeated or number == 0))
    whole = read(source(broker, topic), 25)
    assert numbers(whole) == list(range(25))
    for frame in (3, 9, 10, 17):
        rest = read(source(broker, topic), 24 - frame, json.loads(json.dumps(whole[frame].position)))
        assert [(number_of(f.video_frame), f.position, f.corrupt) for f in rest] == [
            (number_of(f.video_frame), f.position, False) for f in whole[frame + 1 :]
        ]


def test_what_comes_between_the_first_connection_and_the_next_is_not_skipped(
    broker: NoidaBroker, topic: str, send: Send
) -> None:
    send(jpeg(0))
    first = KafkaSource(broker.address, topic, "cam", start="latest", limits=LIMITS)
    with closing(first):
        first.connect(None)
        place = first.reached()
    send(jpeg(1), jpeg(2))
    assert place is not None
    assert place.frames == 0
    second = KafkaSource(broker.address, topic, "cam", start="latest", limits=LIMITS)
    assert numbers(read(second, 2, place.position)) == [1, 2]


WAYS_TO_OPEN = ["well", "no such topic", "nobody answers", "speaks no TLS", "no address"]


def opener_of(how: str, broker: NoidaBroker, topic: str) -> Callable[[], KafkaSource]:
    short = SourceLimits(0.2, 1.0, 1.0)

    def opener(address: str, topic: str, tls: bool = False) -> Callable[[], KafkaSource]:
        return lambda: KafkaSource(address, topic, "cam", limits=short, login=KafkaLogin(tls=tls))

    return {
        "well": opener(broker.address, topic),
        "no such topic": opener(broker.address, "never-made"),
        "nobody answers": opener(f"127.0.0.1:{free_port()}", topic),
        "speaks no TLS": opener(broker.address, topic, tls=True),
        "no address": opener("127.0.0.1:9:9,::", topic),
    }[how]


@pytest.mark.parametrize("how", WAYS_TO_OPEN)
def test_a_connection_leaves_no_thread_and_no_descriptor_behind_whatever_became_of_it(
    broker: NoidaBroker, topic: str, send: Send, how: str
) -> None:
    send(jpeg(0))
    make = opener_of(how, broker, topic)
    with without_collecting():
        open_and_close(make())
        with nothing_left_behind():
            outcomes = [open_and_close(make()) for _ in range(20)]
    assert all(error is None for error in outcomes) == (how == "well")


@pytest.mark.parametrize("start", ["latest", "earliest"])
def test_a_partition_that_is_added_is_read_from_its_beginning(
    broker: NoidaBroker, topic: str, send: Send, monkeypatch: pytest.MonkeyPatch, start: Literal["latest", "earliest"]
) -> None:
    monkeypatch.setattr(kafka_lane, "REFRESH_S", 0.3)
    send(jpeg(0))
    opened = KafkaSource(broker.address, topic, None, start=start, limits=LIMITS)
    with closing(opened):
        opened.connect(None)
        frames = opened.frames(threading.Event())
        if start == "earliest":
            assert number_of(next(frames).video_frame) == 0
        admin = KafkaAdminClient(bootstrap_servers=[broker.address])
        admin.create_partitions({topic: NewPartitions(total_count=2)})
        admin.close()
        producer = KafkaProducer(bootstrap_servers=[broker.address])
        wait_until(lambda: len(producer.partitions_for(topic)) == 2, 10, "the new partition")
        for number in (1, 2):
            producer.send(topic, jpeg(number), partition=1, timestamp_ms=round(1000 * (BEGUN_S + number)))
        producer.close()
        added = list(itertools.islice(frames, 2))
    assert numbers(added) == [1, 2]
    assert (added[-1].position or {})["next"]["1"] == 2


def test_a_topic_or_broker_that_is_not_there_is_told(broker: NoidaBroker) -> None:
    with pytest.raises(SourceNotFound, match="no topic"):
        read(source(broker, "never-made"), 1)
    nobody = KafkaSource(f"127.0.0.1:{free_port()}", "frames", None, limits=SourceLimits(1.0, 1.0, 1.0))
    with pytest.raises(SourceUnreachable):
        read(nobody, 1)


def test_a_login_becomes_the_clients_options() -> None:
    assert KafkaLogin().options() == {"security_protocol": "PLAINTEXT"}
    assert KafkaLogin(tls=True).options() == {"security_protocol": "SSL"}
    options = KafkaLogin("user", "secret", "PLAIN", tls=True).options()
    assert options["security_protocol"] == "SASL_SSL"
    assert (options["sasl_mechanism"], options["sasl_plain_password"]) == ("PLAIN", "secret")
