"""What a topic may hold beside good pictures; see tests/integration for whole streams over Apache Kafka."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import cv2
import pytest
from kafka import KafkaProducer

from pipelines.errors import SourceNotFound, SourceUnreachable, SourceUnsupported
from pipelines.sources import kafka
from pipelines.sources.base import Position, SourceFrame, SourceLimits
from pipelines.sources.kafka import KafkaLogin, KafkaSource
from tests.integration.brokers import NoidaBroker, free_port
from tests.pipelines.sources.videos import access_units, number_of, numbered

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
    return KafkaSource(broker.address, topic, "cam", group="tests", start="earliest", limits=LIMITS)


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


def test_a_topic_or_broker_that_is_not_there_is_told(broker: NoidaBroker) -> None:
    with pytest.raises(SourceNotFound, match="no topic"):
        read(source(broker, "never-made"), 1)
    nobody = KafkaSource(f"127.0.0.1:{free_port()}", "frames", None, group="tests", limits=SourceLimits(1.0, 1.0, 1.0))
    with pytest.raises(SourceUnreachable):
        read(nobody, 1)


def test_a_login_becomes_the_clients_options() -> None:
    assert KafkaLogin().options() == {"security_protocol": "PLAINTEXT"}
    assert KafkaLogin(tls=True).options() == {"security_protocol": "SSL"}
    options = KafkaLogin("user", "secret", "PLAIN", tls=True).options()
    assert options["security_protocol"] == "SASL_SSL"
    assert (options["sasl_mechanism"], options["sasl_plain_password"]) == ("PLAIN", "secret")
