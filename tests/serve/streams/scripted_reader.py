"""A worker with its collector on a scripted camera: what is around it in a reader, and what it must come to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analytics.geometry import Geometry, Line, Zone
from analytics.minutes import Totals
from analytics.storage.spool import Spool
from pipelines.batching.batch_detector import ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.types import Detections, Image
from serve.streams.onlookers import Onlookers
from serve.streams.processor import ProcessedFrame
from serve.streams.rehearsal import Rehearsal
from serve.streams.worker import StreamWorker, WorkerPlan
from tests.assigning import assign
from tests.fakes import SMALL_INPUT, FakeDetector, MemoryStore, ScriptedSource, Step
from tests.waiting import wait_until

BEGIN_S = 1_800_000_000.0
DT = 0.125  # exact in binary: sums are exact, in whatever order
FRAMES = 720  # a minute and a half
GEOMETRY = Geometry(
    (Line("door", (0.5, 0.0), (0.5, 1.0)),),
    (Zone("till", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), dwell_min_s=1.0),),
)


def two_walkers(image: Image) -> Detections:
    """Two people who walk to and fro at different paces; where they are, the brightness tells."""
    phase = float(image[4, 4, 0])
    width, height = SMALL_INPUT[1], SMALL_INPUT[0]
    places = [(abs((phase * pace) % 128 - 64) / 64 * (width - 12) + 6, top) for pace, top in ((1, 0.55), (3, 0.95))]
    boxes = [[x - 4, top * height - 14, x + 4, top * height] for x, top in places]
    seen = [True, phase % 37 > 5]  # one is hidden now and then
    found = np.array(boxes, np.float32)[seen]
    return Detections(found, np.full(len(found), 0.9, np.float32), np.zeros(len(found), np.int32))


def script(frames: int = FRAMES) -> list[Step]:
    """A recording: frames with their places."""
    return [(BEGIN_S + number * DT, {"frame": number}) for number in range(frames)]


class Reader:
    """What a reader replica does for one stream: a collector, a worker, checkpoints when asked for.

    Args:
        store: shared by readers.
        folder: for the spool.
        source: what the worker reads.
        rehearsal: of that source, if it is connected already.
        origin: names what the source shows.
        find: what the detector finds in a picture.
        onlookers: of the stream.
    """

    def __init__(
        self,
        store: MemoryStore,
        folder: Path,
        source: ScriptedSource,
        rehearsal: Rehearsal | None = None,
        origin: str = "",
        find: Callable[[Image], Detections] = two_walkers,
        onlookers: Onlookers | None = None,
        **spool: int,
    ) -> None:
        self.store = store
        self.source = source
        self.frames: list[ProcessedFrame] = []
        self.collector = BatchCollector(ThreadedDetector(FakeDetector(find)))
        self.collector.start()
        self.epoch = assign(store, "cam", "reader")
        self.spool = Spool(folder, "cam", **spool)
        plan = WorkerPlan("cam", self.epoch, lambda: self.source, source.live, GEOMETRY, None, origin)
        self.worker = StreamWorker(
            plan,
            self.collector,
            store,
            self.spool,
            on_frame=self.frames.append,
            rehearsal=rehearsal,
            onlookers=onlookers,
        )

    def start(self) -> Reader:
        self.worker.start()
        return self

    def until_frames(self, count: int) -> Reader:
        wait_until(lambda: len(self.frames) >= count, 10, f"{count} frames", every_s=0.002)
        return self

    def until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, 10, what, every_s=0.005)

    def crash(self) -> None:
        """End without a last checkpoint."""
        self.worker._stop.set()
        self.collector.stop()
        if self.worker._thread.is_alive():
            self.worker._thread.join(5)

    def stop(self) -> None:
        self.worker.stop()
        self.collector.stop()


def total(store: MemoryStore) -> Totals:
    merged = Totals()
    for row in store.minutes("cam", 0, 2**40):
        merged.add(row.totals)
    return merged


def paused(steps: list[Step], *places: int) -> tuple[list[Step], list[threading.Event]]:
    """A script that waits at places until its events are set."""
    gates = [threading.Event() for _ in places]

    def wait_for(gate: threading.Event) -> Callable[[threading.Event], None]:
        def wait(stop: threading.Event) -> None:
            while not gate.wait(0.01) and not stop.is_set():
                pass

        return wait

    whole = list(steps)
    for place, gate in sorted(zip(places, gates, strict=True), key=lambda pair: -pair[0]):
        whole.insert(place, wait_for(gate))
    return whole, gates
