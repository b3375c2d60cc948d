"""What a frame costs a reader: a thousand cameras in 16 partitions of one topic, against a topic for each camera.

Both are read by two processes with half of the cameras each, which receive, decode and sample every frame, as readers
do; nobody looks for people in them, which would hide the difference.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import av
import cv2
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.base import SourceLimits
from pipelines.sources.clock import Timeline
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.supervisor import SourceSupervisor
from pipelines.types import FrameStamp

CAMERAS, PARTITIONS, READERS, FRAMES = 1000, 16, 2, 12
BEGIN_S = 1_790_000_000
LIMITS = SourceLimits(60.0, 20.0, 60.0)
TIMEOUT_S = 240.0
Place = tuple[str, str | None]
"""Topic and key of a camera."""


class _Counter:
    """Takes frames and forgets them."""

    def __init__(self) -> None:
        self.frames = 0

    def offer(
        self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, *, wait: bool = False
    ) -> None:
        del video_frame, stamp, stop, wait
        self.frames += 1


def _read(broker: str, places: list[Place], frames: int, link: Connection) -> None:
    """One reader: says when it is ready, and then what it took."""
    stop = threading.Event()
    counters = [_Counter() for _ in places]
    supervisors = [
        SourceSupervisor(
            f"{topic} {key}",
            lambda topic=topic, key=key: KafkaSource(broker, topic, key, limits=LIMITS),  # type: ignore[misc]
            counter,
            Timeline.of(None),
        )
        for (topic, key), counter in zip(places, counters, strict=True)
    ]
    threads = [threading.Thread(target=one.run, args=(stop,), daemon=True) for one in supervisors]
    for thread in threads:
        thread.start()
    while any(one.place() is None or one.status.info is None for one in supervisors):
        time.sleep(0.2)
    link.send("ready")
    link.recv()
    begun_s = time.process_time()
    deadline = time.monotonic() + TIMEOUT_S
    while sum(counter.frames for counter in counters) < frames and time.monotonic() < deadline:
        time.sleep(0.1)
    link.send((time.process_time() - begun_s, sum(counter.frames for counter in counters)))
    stop.set()
    os._exit(0)


def _cost_s(broker: str, places: list[Place], pictures: list[bytes], partitions: int) -> float:
    """CPU seconds of the readers for each frame."""
    topics = sorted({topic for topic, _ in places})
    admin = KafkaAdminClient(bootstrap_servers=broker, request_timeout_ms=120_000)
    for begin in range(0, len(topics), 100):
        admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics[begin : begin + 100]])
    context = multiprocessing.get_context("spawn")
    links, processes = [], []
    for number in range(READERS):
        ours, theirs = context.Pipe()
        mine = places[number::READERS]
        process = context.Process(target=_read, args=(broker, mine, len(mine) * FRAMES, theirs))
        process.start()
        links.append(ours)
        processes.append(process)
    assert [link.recv() for link in links] == ["ready"] * READERS
    for link in links:
        link.send("go")
    producer = KafkaProducer(bootstrap_servers=broker, linger_ms=20, batch_size=1 << 20)
    for frame in range(FRAMES):
        for topic, key in places:
            stamp_ms = BEGIN_S * 1000 + frame * 200
            named = key.encode() if key is not None else None
            producer.send(topic, pictures[frame % len(pictures)], key=named, timestamp_ms=stamp_ms)
    producer.flush()
    told = [link.recv() for link in links]
    producer.close()
    for process in processes:
        process.join()
    admin.delete_topics(topics)
    admin.close()
    frames = sum(count for _, count in told)
    if frames != len(places) * FRAMES:
        raise RuntimeError(f"{frames} of {len(places) * FRAMES} frames came")
    cost_s: float = sum(seconds for seconds, _ in told) / frames
    return cost_s


@contextmanager
def _broker(cache: Path) -> Iterator[str]:
    """Apache Kafka, as the tests start it."""
    from tests.integration.brokers import ApacheKafka, fetch_jars

    jars = fetch_jars(cache)
    if jars is None:
        raise SystemExit("Maven and Java are needed for Apache Kafka")
    with ApacheKafka(jars) as running:
        yield running.address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("FOOTFALL_TEST_CACHE", ".test-cache")))
    arguments = parser.parse_args()
    scene = Scene(Camera(320, 180), people=4, seconds=2, fps=10, seed=5)
    pictures = [cv2.imencode(".jpg", scene.image(number))[1].tobytes() for number in range(12)]
    rounds: list[tuple[float, float]] = []
    with _broker(arguments.cache) as address:
        for number in range(arguments.rounds):
            keyed = [(f"all-{number}", f"camera-{index}") for index in range(arguments.cameras)]
            apart = [(f"own-{number}-{index}", None) for index in range(arguments.cameras)]
            rounds.append(
                (_cost_s(address, keyed, pictures, PARTITIONS), _cost_s(address, list(apart), pictures, 1))
            )
            print(number, rounds[-1], file=sys.stderr, flush=True)
    document = {
        "cameras": arguments.cameras,
        "partitions": PARTITIONS,
        "readers": READERS,
        "frames": FRAMES,
        "keyed_ms": round(1000 * statistics.median(one for one, _ in rounds), 3),
        "topic_each_ms": round(1000 * statistics.median(other for _, other in rounds), 3),
        "ratio": round(statistics.median(one / other for one, other in rounds), 3),
        "rounds_ms": [[round(1000 * one, 3), round(1000 * other, 3)] for one, other in rounds],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
