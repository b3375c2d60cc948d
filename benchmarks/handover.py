"""Planned moves under load: cameras counted twice, by readers that are replaced all the time, and by one that stays.

In one process, without Ray: what is measured is the hand-over itself, on real RTSP with the real detector. The
registry, the readers, the database and what they tell one another are the product's own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from weakref import WeakKeyDictionary

from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE
from analytics.geometry import Geometry
from analytics.storage.database import DatabaseStore
from pipelines.batching.batch_detector import BatchDetector, ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.batching.mailbox import Mailbox, WaitingFrame
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.types import Detections
from serve.control.registry import Registry
from serve.definitions.stream import StreamDefinition
from serve.deployments.reader import StreamReader
from serve.launch.benchmark import default_clip
from serve.settings import load
from serve.streams.live_frame import LiveFrame
from serve.streams.processor import StreamProcessor

CAMERAS, FPS = 2, 12
"""Of more, this machine's two cores miss frames now and then without any move: half of all is for the other readers."""
LONGER_S = 1.5 / FPS
"""Between two analysed frames: then one is missing."""
MINUTE_S = 60
READY_S = 60.0
SETTLED = 60
"""Frames of every camera that its reader has analysed before the next one comes."""


class _Link(Registry):
    """The registry, as a reader's link to it."""

    async def publish(self, stream: str, frame: LiveFrame) -> bool:
        del stream, frame  # nobody looks
        return False


class _House:
    """A registry with a database of its own, and readers."""

    def __init__(self, name: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="footfall-handover-")
        self._name = name
        sources = {"networks": ["127.0.0.0/8"]}
        self.settings = load(None, data_dir=self._folder.name, reader={"checkpoint_s": 1.0}, sources=sources)
        self.registry = _Link(self.settings)
        self.store = DatabaseStore(self.settings.store_url)
        self._readers = itertools.count()

    def reader(self) -> StreamReader:
        async def connect() -> BatchDetector:
            model = resolve(DEFAULT_MODEL)
            return ThreadedDetector(await asyncio.to_thread(OnnxDetector, model, threads=1, target_class="person"))

        store = DatabaseStore(self.settings.store_url)
        return StreamReader(self.settings, f"{self._name}-{next(self._readers)}", self.registry, connect, store)

    async def close(self) -> None:
        await self.registry.stop()
        self.store.close()
        self._folder.cleanup()


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {READY_S:.0f} s in vain for {what}")
        await asyncio.sleep(0.05)


async def _there(house: _House, reader: str) -> bool:
    return reader in (await house.registry.overview()).readers


async def _loaded(house: _House) -> bool:
    return (await house.registry.overview()).loaded


async def _running(house: _House, readers: set[str]) -> bool:
    views = await house.registry.list_streams()
    return all(
        view.reader in readers and view.status.state == "running" and view.status.analysed > SETTLED for view in views
    )


async def _measure(moves: int) -> dict[str, Any]:
    video = default_clip()
    geometry = Geometry.parse(json.loads((video.parent / "geometry.json").read_text()))
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    skipped: dict[tuple[str, str], list[float]] = defaultdict(list)
    _record(times)
    _record_skipped(skipped)
    async with AsyncExitStack() as resources:
        server = resources.enter_context(CameraServer({f"cam{n}": video for n in range(CAMERAS)}))
        houses, current = {}, {}
        for name in ("moved", "steady"):
            house = houses[name] = _House(name)
            current[name] = house.reader()
            resources.push_async_callback(house.close)
            await _until(lambda house=house: _loaded(house), "the database")  # type: ignore[misc]
            for number in range(CAMERAS):
                source = {"type": "rtsp", "url": server.url(f"cam{number}")}
                wanted = StreamDefinition.model_validate({"source": source, "analysis_fps": None})
                await house.registry.put_stream(f"{name}-cam{number}", wanted, geometry)
            await _until(lambda house=house: _running(house, {f"{house._name}-0"}), "all cameras")  # type: ignore[misc]
        begun_s = time.time()
        taken = []
        for number in range(1, -(-moves // CAMERAS) + 1):
            leaving, current["moved"] = current["moved"], houses["moved"].reader()
            name = f"moved-{number}"
            await _until(lambda name=name: _there(houses["moved"], name), "a reader to move to")  # type: ignore[misc]
            asked_s = time.monotonic()
            await leaving.stop()
            await _until(lambda name=name: _running(houses["moved"], {name}), "the next reader")  # type: ignore[misc]
            taken.append(time.monotonic() - asked_s)
        ended_s = time.time()
        for reader in current.values():
            await reader.stop()
        return {
            **_result(houses, times, begun_s, ended_s, len(taken) * CAMERAS),
            "skipped": _skipped(skipped, "moved", begun_s, ended_s),
            "skipped_without": _skipped(skipped, "steady", begun_s, ended_s),
        }


def _record(times: dict[tuple[str, str], list[float]]) -> None:
    """Remember the capture time of every frame that is analysed."""
    consume = StreamProcessor.consume

    def recording(self: StreamProcessor, frame: WaitingFrame, detections: Detections) -> None:
        consume(self, frame, detections)
        times[self._observer._stream.rsplit("-", 1)[0], self._observer._stream].append(frame.stamp.time_s)

    StreamProcessor.consume = recording  # type: ignore[method-assign]


def _record_skipped(skipped: dict[tuple[str, str], list[float]]) -> None:
    """Remember the capture time of every frame that had no time to be analysed: a newer one came first."""
    add, drop = BatchCollector.add, Mailbox._drop_oldest

    def adding(self: BatchCollector, name: str, *args: Any, **options: Any) -> Mailbox:
        mailbox: Mailbox = add(self, name, *args, **options)
        names[mailbox] = name.rsplit("-", 1)[0], name
        return mailbox

    def dropping(self: Mailbox) -> None:
        skipped[names[self]].append(self._waiting[0].stamp.time_s)
        drop(self)

    names: WeakKeyDictionary[Mailbox, tuple[str, str]] = WeakKeyDictionary()
    BatchCollector.add, Mailbox._drop_oldest = adding, dropping  # type: ignore[method-assign]


def _skipped(skipped: dict[tuple[str, str], list[float]], house: str, begun_s: float, ended_s: float) -> int:
    """Frames of a house that were skipped for want of time."""
    return sum(
        begun_s <= time_s <= ended_s for (name, _), times in skipped.items() if name == house for time_s in times
    )


def _result(
    houses: dict[str, _House], times: dict[tuple[str, str], list[float]], begun_s: float, ended_s: float, moves: int
) -> dict[str, Any]:
    gaps_s = {
        name: [
            later - earlier
            for (house, _), stamps in times.items()
            if house == name
            for earlier, later in itertools.pairwise(sorted(t for t in stamps if begun_s <= t <= ended_s))
        ]
        for name in houses
    }
    first, last = -(-int(begun_s) // MINUTE_S) * MINUTE_S, int(ended_s) // MINUTE_S * MINUTE_S
    wrong, crossings, frames = 0, 0, dict.fromkeys(houses, 0)
    for number in range(CAMERAS):
        counted = {}
        for name, house in houses.items():
            rows = house.store.minutes(f"{name}-cam{number}", first, last)
            frames[name] += sum(row.totals[PEOPLE].frames for row in rows)
            lines = [line for row in rows for line in row.totals[LINES].values()]
            counted[name] = sum(line.entered for line in lines), sum(line.left for line in lines)
        wrong += sum(abs(a - b) for a, b in zip(counted["moved"], counted["steady"], strict=True))
        crossings += sum(counted["steady"])
    return {
        "moves": moves,
        "minutes": (last - first) // MINUTE_S * CAMERAS,
        "cameras": CAMERAS,
        "handover_gap_s_max": round(max(gaps_s["moved"]), 3),
        "gap_s_max_without": round(max(gaps_s["steady"]), 3),
        "longer_gaps": sum(gap_s > LONGER_S for gap_s in gaps_s["moved"]),
        "longer_gaps_without": sum(gap_s > LONGER_S for gap_s in gaps_s["steady"]),
        "handover_counts_wrong": wrong,
        "crossings": crossings,
        "frames": frames["moved"],
        "frames_without": frames["steady"],
    }


def measure(moves: int = 50) -> dict[str, Any]:
    """Figures of so many planned moves, beside those of readers that nothing happens to."""
    return asyncio.run(_measure(moves))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
