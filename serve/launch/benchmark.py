"""How fast this machine is: the parts alone (the limit), one recording, and the whole service, in one run.

Machines share their cores with others and change their clock, so single figures mean little: the parts are measured in
turn, several rounds of them, and what is reported are medians and ratios of the same round.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.counting.people import PEOPLE
from analytics.geometry import Geometry
from analytics.storage.database import DatabaseStore
from footfall import Client
from footfall.types import FileDefinition, GeometryBody, StreamBody
from pipelines.batching.letterbox import SlotWriter
from pipelines.cache import cache_dir
from pipelines.detection.onnx import CPU, OnnxDetector
from pipelines.errors import FootfallError
from pipelines.models.catalogue import resolve
from pipelines.simulator.recording import write_recording
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.sources.file import FileSource
from serve.launch.service import Service, client
from serve.settings import load
from serve.streams.recording import analyze

GEOMETRY: GeometryBody = {
    "lines": [{"id": "middle", "a": [0.5, 0.0], "b": [0.5, 1.0]}],
    "zones": [{"id": "lower-half", "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}],
}
STREAMS_PER_CORE = 2
LONGEST_RUN_S = 600.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One part in one round: analysed frames, and the seconds that they took."""

    part: str
    frames: int
    seconds: float

    @property
    def fps(self) -> float:
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def default_clip(progress: Callable[[int, int], None] | None = None) -> Path:
    """A simulated recording, 640x360, 600 frames, rendered once."""
    folder = cache_dir("bench", "1")
    if not (folder / "truth.json").is_file():
        write_recording(Scene(Camera(), people=6, seconds=50, fps=12, seed=21, max_overlap=0.3), folder, progress)
    return folder / "video.mp4"


def measure_limit(model: str, video: Path) -> Measurement:
    """Decoding, scaling and inference alone, a process per core, nothing shared: what no service can beat.

    Each process is single-threaded and runs through the recording once; the slowest counts.
    """
    context = multiprocessing.get_context("spawn")
    processes = os.cpu_count() or 1
    begin = context.Barrier(processes)
    with context.Pool(processes, initializer=_keep_barrier, initargs=(begin,)) as pool:
        jobs = [pool.apply_async(_bare_loop, (str(resolve(model)), str(video))) for _ in range(processes)]
        results = [job.get(LONGEST_RUN_S) for job in jobs]
    return Measurement("limit", sum(frames for frames, _ in results), max(seconds for _, seconds in results))


_barrier: Any = None


def _keep_barrier(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _bare_loop(model: str, video: str) -> tuple[int, float]:
    """In a process of its own: frames, and the seconds they took."""
    detector = OnnxDetector(Path(model), threads=1, providers=[CPU])
    batch = np.zeros((1, *detector.input_size, 3), np.uint8)
    detector.detect(batch)
    source, writer = FileSource(Path(video)), SlotWriter(detector.input_size)
    source.connect()
    _barrier.wait(60)
    begun, frames = time.perf_counter(), 0
    for frame in source.frames(threading.Event()):
        writer.write(frame.video_frame, batch[0])
        detector.detect(batch)
        frames += 1
    source.close()
    return frames, time.perf_counter() - begun


def measure_analyze(model: str, video: Path) -> Measurement:
    """``footfall analyze`` with a line and a zone, from opening the file to writing the results."""
    detector = OnnxDetector(resolve(model), threads=1, providers=[CPU], target_class="person")
    with tempfile.TemporaryDirectory() as out:
        done = analyze(video, detector, Path(out), geometry=Geometry.parse(GEOMETRY))
    return Measurement("analyze", done.frames, done.elapsed_s)


def measure_service(model: str, video: Path, port: int) -> Measurement:
    """The whole service, on recordings at full speed: Ray, registry, reader, counts, heatmap, database and API.

    From the registration of the first stream to the last row in the database. Starting the service does not count.
    """
    streams = STREAMS_PER_CORE * (os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        settings = load(
            None,
            data_dir=folder,
            api={"port": port},
            detector={"model": model, "placement": "inline"},
            ray={"dashboard": False},
            sources={"file_dirs": [str(video.absolute().parent)]},
            log_level="ERROR",
        )
        with Service(settings), client(settings) as api:
            begun = time.perf_counter()
            for number in range(streams):
                source: FileDefinition = {
                    "type": "file",
                    "path": str(video.absolute()),
                    "realtime": False,
                    "start_s": 0,
                }
                body: StreamBody = {"source": source, "analysis_fps": None, "geometry": GEOMETRY}
                api.put_stream(f"bench-{number}", body)
            frames = _wait_finished(api, streams)
            _wait_stored(DatabaseStore(settings.store_url), streams, frames)
            return Measurement("service", frames, time.perf_counter() - begun)


def _wait_finished(api: Client, streams: int) -> int:
    """Frames of all streams, once each has come to its end."""
    deadline = time.monotonic() + LONGEST_RUN_S
    while time.monotonic() < deadline:
        views = list(api.streams())
        failed = [view for view in views if view["state"] == "failed"]
        if failed:
            raise FootfallError(f"a stream failed: {failed[0]['error']}")
        if len(views) == streams and all(view["state"] == "stopped" and view["frames"] for view in views):
            return sum(int(view["frames"]) for view in views)
        time.sleep(0.1)
    raise FootfallError(f"the streams are not through after {LONGEST_RUN_S:.0f} s")


def _wait_stored(store: DatabaseStore, streams: int, frames: int) -> None:
    """Until the rows of all frames are in the database."""
    deadline = time.monotonic() + LONGEST_RUN_S
    while time.monotonic() < deadline:
        names = [f"bench-{number}" for number in range(streams)]
        stored = sum(row.totals[PEOPLE].frames for name in names for row in store.minutes(name, 0, 2**40, (PEOPLE,)))
        if stored >= frames:
            store.close()
            return
        time.sleep(0.1)
    raise FootfallError(f"only some of {frames} frames were stored after {LONGEST_RUN_S:.0f} s")


def measure(model: str, video: Path, rounds: int, port: int, tell: Callable[[str], None]) -> list[list[Measurement]]:
    """All parts in turn, ``rounds`` times over."""
    found = []
    for number in range(1, rounds + 1):
        this: list[Measurement] = []
        parts: list[tuple[str, Callable[[], Measurement]]] = [
            ("limit", lambda: measure_limit(model, video)),
            ("analyze", lambda: measure_analyze(model, video)),
            ("service", lambda: measure_service(model, video, port)),
        ]
        for name, run in parts:
            with contextlib.redirect_stdout(None):
                this.append(run())
            tell(f"round {number}: {name} {this[-1].fps:.1f} frames/s")
        found.append(this)
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A part over all rounds: median, smallest and largest frames/s, and the median of its ratio to the limit."""

    part: str
    fps: float
    slowest: float
    fastest: float
    of_limit: float


def summarise(rounds: Sequence[Sequence[Measurement]]) -> list[Row]:
    """Medians per part; ratios are taken within a round, so that a slow minute of the machine cancels out."""
    rows = []
    for index, first in enumerate(rounds[0]):
        speeds = [measured[index].fps for measured in rounds]
        ratios = [measured[index].fps / measured[0].fps for measured in rounds]
        rows.append(Row(first.part, statistics.median(speeds), min(speeds), max(speeds), statistics.median(ratios)))
    return rows
