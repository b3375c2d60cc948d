"""What a frame costs a reader: a thousand cameras in 16 partitions of one topic, against 16 cameras with a topic each.

Both send the same number of frames, and are read by two processes with half of the partitions or topics each, which do
what readers do with every frame up to counting: receive, decode, scale, find people. In other rounds nobody looks for
people: what is left is what differs.
"""

from __future__ import annotations

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
from typing import Any

import av
import cv2
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.partitioner import murmur2

from pipelines.batching.batch_detector import ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.batching.mailbox import WaitingFrame
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.base import SourceLimits
from pipelines.sources.clock import Timeline
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.supervisor import FrameSink, SourceSupervisor
from pipelines.types import Detections, FrameStamp

CAMERAS, PARTITIONS, READERS = 1000, 16, 2
FRAMES = {"whole": 4_000, "received": 16_000}
WARM = 3
"""Frames of each camera that come first and are not counted: decoders and scalers are made with the first one."""
BEGIN_S = 1_790_000_000
LIMITS = SourceLimits(60.0, 20.0, 60.0)
TIMEOUT_S = 240.0
Place = tuple[str, str | None]
"""Topic and key of a camera."""


class _Counter:
    """Takes frames, or what was found in them, and forgets all."""

    def __init__(self) -> None:
        self.frames = 0

    def offer(
        self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, *, wait: bool = False
    ) -> None:
        del video_frame, stamp, stop, wait
        self.frames += 1

    def consume(self, frame: WaitingFrame, detections: Detections) -> None:
        del frame, detections
        self.frames += 1


def _read(broker: str, places: list[Place], frames: int, whole: bool, link: Connection) -> None:
    """One reader: says when it is ready, and then what it took."""
    stop = threading.Event()
    counters = [_Counter() for _ in places]
    sinks: list[FrameSink] = list(counters)
    if whole:
        detector = OnnxDetector(resolve(DEFAULT_MODEL), threads=1, target_class="person")
        collector = BatchCollector(ThreadedDetector(detector, 1))
        collector.start()
        sinks = [collector.add(str(number), counter, live=False) for number, counter in enumerate(counters)]
    supervisors = [
        SourceSupervisor(
            f"{topic} {key}",
            lambda topic=topic, key=key: KafkaSource(broker, topic, key, limits=LIMITS),  # type: ignore[misc]
            sink,
            Timeline.of(None),
        )
        for (topic, key), sink in zip(places, sinks, strict=True)
    ]
    threads = [threading.Thread(target=one.run, args=(stop,), daemon=True) for one in supervisors]
    for thread in threads:
        thread.start()
    while any(one.place() is None or one.status.info is None for one in supervisors):
        time.sleep(0.2)
    link.send("ready")
    while any(counter.frames < WARM for counter in counters):
        time.sleep(0.1)
    keyed = [one for one, (_, key) in zip(supervisors, places, strict=True) if key is not None]
    while any(one.status.shard is None for one in keyed):
        time.sleep(0.1)
    link.send("warm")
    link.recv()
    begun_s, warm = time.process_time(), WARM * len(places)
    deadline = time.monotonic() + TIMEOUT_S
    while sum(counter.frames for counter in counters) < warm + frames and time.monotonic() < deadline:
        time.sleep(0.1)
    link.send((time.process_time() - begun_s, sum(counter.frames for counter in counters) - warm))
    stop.set()
    os._exit(0)


def _reader_of(place: Place, partitions: int, topics: list[str]) -> int:
    """Which reader has it: one for each partition, as the registry has it."""
    topic, key = place
    if key is None:
        return topics.index(topic) % READERS
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions % READERS


def _cost_s(broker: str, places: list[Place], pictures: list[bytes], partitions: int, kind: str) -> float:
    """CPU seconds of the readers for each frame."""
    each = FRAMES[kind] // len(places)
    topics = sorted({topic for topic, _ in places})
    admin = KafkaAdminClient(bootstrap_servers=broker, request_timeout_ms=120_000)
    for begin in range(0, len(topics), 100):
        admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics[begin : begin + 100]])
    context = multiprocessing.get_context("spawn")
    links, processes = [], []
    for number in range(READERS):
        ours, theirs = context.Pipe()
        mine = [place for place in places if _reader_of(place, partitions, topics) == number]
        process = context.Process(target=_read, args=(broker, mine, len(mine) * each, kind == "whole", theirs))
        process.start()
        links.append(ours)
        processes.append(process)
    assert [link.recv() for link in links] == ["ready"] * READERS
    producer = KafkaProducer(bootstrap_servers=broker, linger_ms=20, batch_size=1 << 20)

    def send(first: int, end: int) -> None:
        for frame in range(first, end):
            for topic, key in places:
                stamp_ms = BEGIN_S * 1000 + frame * 200
                named = key.encode() if key is not None else None
                producer.send(topic, pictures[frame % len(pictures)], key=named, timestamp_ms=stamp_ms)
        producer.flush()

    send(0, WARM)
    assert [link.recv() for link in links] == ["warm"] * READERS
    for link in links:
        link.send("go")
    send(WARM, WARM + each)
    told = [link.recv() for link in links]
    producer.close()
    for process in processes:
        process.join()
    admin.delete_topics(topics)
    admin.close()
    frames = sum(count for _, count in told)
    if frames != len(places) * each:
        raise RuntimeError(f"{frames} of {len(places) * each} frames came")
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


def measure(rounds: int = 5, cameras: int = CAMERAS) -> dict[str, Any]:
    """Figures of several rounds of both."""
    scene = Scene(Camera(320, 180), people=4, seconds=2, fps=10, seed=5)
    pictures = [cv2.imencode(".jpg", scene.image(number))[1].tobytes() for number in range(20)]
    found: dict[str, Any] = {"cameras": cameras, "partitions": PARTITIONS, "readers": READERS}
    with _broker(Path(os.environ.get("FOOTFALL_TEST_CACHE", ".test-cache"))) as address:
        for kind in FRAMES:
            costs: list[tuple[float, float]] = []
            for number in range(rounds):
                mark = f"{kind}-{number}"
                keyed: list[Place] = [(f"all-{mark}", f"camera-{index}") for index in range(cameras)]
                apart: list[Place] = [(f"own-{mark}-{index}", None) for index in range(PARTITIONS)]
                pair = (keyed, PARTITIONS), (apart, 1)
                one, other = (_cost_s(address, places, pictures, count, kind) for places, count in pair)
                costs.append((round(1000 * one, 3), round(1000 * other, 3)))
                print(f"kafka {kind} {number}: {costs[-1]}", file=sys.stderr, flush=True)
            found[kind] = {
                "frames": FRAMES[kind],
                "keyed_ms": statistics.median(one for one, _ in costs),
                "topic_each_ms": statistics.median(other for _, other in costs),
                "ratio": round(statistics.median(one / other for one, other in costs), 3),
                "rounds_ms": costs,
            }
    return found


if __name__ == "__main__":
    print(json.dumps(measure()))
