"""What it costs that the service watches itself: CPU seconds of drift for each analysed frame, and of figures.

Each part is measured by itself, in one process and thread, by the thread's CPU time: drift with a simulated hall whose
people are found by the default detector; figures with what a reader of 24 cameras adds up with each frame and tells
with each heartbeat, and what the API makes of them for Prometheus. Writes benchmarks/results/watching.json and a table
in docs/monitoring.md. Usage: watching.py. Run by ``make watching``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from analytics.drift.camera import CameraDrift
from analytics.drift.people import PeopleFrame
from analytics.storage.base import StreamRecord
from benchmarks.compare import machine
from benchmarks.tables import put_table
from pipelines.batching.batch_detector import ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.batching.letterbox import SlotWriter
from pipelines.batching.stages import Stage
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.supervisor import StreamState
from pipelines.tracking.bytetrack import ByteTracker
from pipelines.types import Detections, FrameStamp, Image, Tracks
from serve.control.entry import StreamEntry
from serve.control.messages import Overview, ReaderView
from serve.deployments.collecting import collected
from serve.metrics.streams import Scrape, StreamCollector
from serve.streams.drift import StreamDrift
from serve.streams.status import QUANTILES, StreamStatus
from tests.fakes import MemoryReferences, MemoryStore

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "watching.json"
PAGE = ROOT / "docs" / "monitoring.md"
CAMERAS, FPS, PEOPLE = 24, 5.0, 8
ROUNDS = 5
DRIFT_S, SCENE_S = 1200.0, 60.0
"""Capture time of one round, after as much that is learnt; and of the scene, which is shown again and again."""
HEARTBEATS, SCRAPES = 200, 20
SCRAPED_EACH_S = 15.0
STAGES_A_FRAME = len(Stage) - 1
"""All but storing, which belongs to checkpoints."""


class Hall:
    """Pictures as they are scaled for the detector, and the people in them."""

    def __init__(self) -> None:
        scene = Scene(Camera(1280, 720), people=PEOPLE, seconds=SCENE_S, fps=FPS, seed=5)
        detector, tracker = OnnxDetector(resolve(DEFAULT_MODEL)), ByteTracker()
        writer = SlotWriter(detector.input_size)
        slot = np.zeros((1, *detector.input_size, 3), np.uint8)
        self.pictures: list[Image] = []
        self.people: list[tuple[Tracks, Detections, tuple[int, int]]] = []
        for number in range(scene.frames):
            letterbox = writer.write(av.VideoFrame.from_ndarray(scene.image(number), "bgr24"), slot[0])
            height, width = letterbox.content_size
            self.pictures.append(slot[0, :height, :width].copy())
            detections = letterbox.to_source(detector.detect(slot)[0])
            tracks = tracker.update(detections, number / FPS)
            self.people.append((tracks, detections, letterbox.source_size))


def drift_ms(hall: Hall) -> list[float]:
    """Of each round, for an analysed frame."""
    camera, frames, rounds = CameraDrift(1), round(DRIFT_S * FPS), []
    grain = np.random.default_rng(1).integers(0, 3, (8, *hall.pictures[0].shape), np.uint8)
    for number in range(frames * (ROUNDS + 1)):
        if number % frames == 0:
            spent_s = 0.0
        time_s, shown = number / FPS, number % len(hall.pictures)
        picture = hall.pictures[shown] + grain[number % len(grain)]
        begun_s = time.thread_time()
        camera.show(picture, FrameStamp(number, time_s))
        camera.count(PeopleFrame.of(*hall.people[shown], time_s, 1 / FPS))
        spent_s += time.thread_time() - begun_s
        if number % frames == frames - 1:
            rounds.append(1000 * spent_s / frames)
    return rounds[1:]


def _cpu_s(work: Callable[[], object], times: int) -> float:
    begun_s = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun_s) / times


def figures_s() -> dict[str, float]:
    """CPU seconds in a second of a reader with 24 cameras, and of the API."""
    detector = OnnxDetector(resolve(DEFAULT_MODEL))
    collector = BatchCollector(ThreadedDetector(detector, 1))
    for number in range(CAMERAS):
        collector.add(f"cam-{number}", _Nobody(), live=True)

    def frame() -> None:
        for stage in list(Stage)[:STAGES_A_FRAME]:
            collector.stages.add(stage, 0.001)
        collector.latency.add(0.2)

    drift = StreamDrift("cam", 1, 1, "origin", MemoryReferences(MemoryStore()))

    def status() -> StreamStatus:
        latency_s = tuple(collector.latency.total_s for _ in QUANTILES)
        return StreamStatus(StreamState.RUNNING, 0.0, codec="h264", latency_s=latency_s, drift=drift.report())

    def heartbeat() -> None:
        for _ in range(CAMERAS):
            status()
        collected(collector)

    entries = [StreamEntry.of(StreamRecord(f"cam-{number}", _DEFINITION), 0.0) for number in range(CAMERAS)]
    for entry in entries:
        entry.status = status()
    views = [entry.view(now_s=0.0, silence_s=0.0, readers=1) for entry in entries]
    stages, batches, figures = collected(collector)
    overview = Overview(
        True, None, {"reader": ReaderView("node", 2.0, 1.0, CAMERAS, False, 0.5, stages, batches, figures)}, CAMERAS
    )

    def scrape() -> None:
        registry = CollectorRegistry()
        registry.register(StreamCollector(Scrape(views, overview)))
        generate_latest(registry)

    found = {
        "frames": _cpu_s(frame, round(HEARTBEATS * FPS)) * FPS * CAMERAS,
        "heartbeats": _cpu_s(heartbeat, HEARTBEATS),
        "scrapes": _cpu_s(scrape, SCRAPES) / SCRAPED_EACH_S,
    }
    collector.stop()
    return found


class _Nobody:
    """Consumes nothing."""

    def consume(self, *_: Any) -> None:
        raise AssertionError("nothing is detected here")


_DEFINITION = {"source": {"type": "rtsp", "url": "rtsp://10.0.0.1/"}}


def measure() -> dict[str, Any]:
    """Medians of some rounds."""
    hall = Hall()
    drift = drift_ms(hall)
    rounds = [figures_s() for _ in range(ROUNDS)]
    parts = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    share = [sum(one.values()) for one in rounds]
    return {
        "machine": machine(),
        "cameras": CAMERAS,
        "fps": FPS,
        "rounds": ROUNDS,
        "drift_ms_a_frame": round(statistics.median(drift), 4),
        "drift_ms_a_frame_most": round(max(drift), 4),
        "figures_core_share": round(statistics.median(share), 5),
        "figures_core_share_most": round(max(share), 5),
        "parts": {name: round(value, 6) for name, value in parts.items()},
    }


def table(found: dict[str, Any]) -> str:
    """For the document."""
    parts = found["parts"]
    rows = [
        ("drift: CPU ms for each analysed frame, learning and judging", found["drift_ms_a_frame"]),
        ("the same, of the round in which it was most", found["drift_ms_a_frame_most"]),
        (f"figures of {CAMERAS} cameras: share of one core", f"{found['figures_core_share']:.3%}"),
        ("of that: adding up with each frame", f"{parts['frames']:.3%}"),
        ("of that: telling with each heartbeat, once a second", f"{parts['heartbeats']:.3%}"),
        (f"of that: answering Prometheus, every {SCRAPED_EACH_S:.0f} s", f"{parts['scrapes']:.3%}"),
    ]
    head = f"| {CAMERAS} cameras, {FPS:g} analysed frames a second each; medians of {ROUNDS} rounds | |"
    lines = [head, "| --- | ---: |", *(f"| {words} | {value} |" for words, value in rows)]
    return "\n".join([*lines, "", f"On {found['machine']}."])


def main() -> None:
    found = measure()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    put_table(PAGE, "make watching", table(found))
    print(table(found))


if __name__ == "__main__":
    main()
