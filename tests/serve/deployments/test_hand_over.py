"""Two readers, one camera: what the second one counts begins right behind what the first one did."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from analytics.counting.people import PEOPLE
from pipelines.errors import SourceUnreachable
from pipelines.sources.base import Position, Reached, Source, SourceFrame, SourceLimits
from pipelines.types import StreamInfo
from serve.definitions.rtsp import RtspDefinition
from serve.deployments import hand_over
from serve.streams.status import StreamStatus
from serve.streams.worker import StreamWorker
from tests.fakes import SMALL_INPUT, MemoryStore, picture
from tests.serve.deployments.bench import BEGIN_S, Bench, Run, camera, until

DT = 0.05


class Broadcast:
    """A camera that shows the same to everybody who looks, a frame every `DT`.

    Attributes:
        connections: how many were opened.
        most: how many may be open at once.
    """

    def __init__(self, most: int = 100) -> None:
        self.begun_s = time.monotonic()
        self.connections = 0
        self.open = 0
        self.most = most
        self.first: int | None = None

    def source(self) -> Source:
        return _Connection(self)


class _Connection:
    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._open = False

    def connect(self, resume: Position | None) -> StreamInfo:
        if self._broadcast.open >= self._broadcast.most:
            raise SourceUnreachable("the camera has no more sessions")
        self._broadcast.connections += 1
        self._broadcast.open += 1
        self._open = True
        return StreamInfo("scripted", SMALL_INPUT[1], SMALL_INPUT[0], 1 / DT)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        begun_s = self._broadcast.begun_s
        number = int((time.monotonic() - begun_s) / DT)
        if self._broadcast.first is None:
            self._broadcast.first = number
        while not stop.wait(max(0.0, begun_s + number * DT - time.monotonic())):
            # The clock of each connection is a little off.
            off_s = 0.004 * self._broadcast.connections
            yield SourceFrame(picture(number % 256), BEGIN_S + number * DT + off_s, fingerprint=number)
            number += 1

    def reached(self) -> Reached | None:
        return None

    def acknowledge(self, position: Position) -> None: ...

    def close(self) -> None:
        self._broadcast.open -= self._open
        self._open = False


@pytest.fixture
def broadcasts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Broadcast]:
    """Cameras by stream."""
    found: dict[str, Broadcast] = {}

    def opener(self: RtspDefinition, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        return found.setdefault(stream, Broadcast()).source

    monkeypatch.setattr(RtspDefinition, "opener", opener)
    monkeypatch.setattr(hand_over, "LOOK_S", 0.02)
    return found


async def status(bench: Bench, stream: str) -> StreamStatus:
    return (await bench.registry.get_stream(stream)).status


async def counting(bench: Bench, stream: str, frames: int = 10) -> bool:
    found = await status(bench, stream)
    return found.state == "running" and found.analysed >= frames


def counted(store: MemoryStore, stream: str) -> int:
    return sum(row.totals[PEOPLE].frames for row in store.minutes(stream, 0, 2**40))


def skipped(workers: list[StreamWorker], stream: str) -> int:
    """Frames for which this machine was too busy just then."""
    return sum(worker.status().skipped for worker in workers if worker.plan.stream == stream)


def last_of(store: MemoryStore, stream: str) -> int:
    """Number of the last frame that is in the rows."""
    checkpoint = store.load_checkpoint(stream)
    assert checkpoint is not None
    number: int = checkpoint.state["mark"]["fingerprint"]
    return number


def test_a_reader_that_leaves_loses_no_frame_of_any_camera(run: Run, broadcasts: dict[str, Broadcast]) -> None:
    names = [f"cam{number}" for number in range(5)]
    workers: list[StreamWorker] = []

    async def test(bench: Bench) -> None:
        leaving = bench.reader("reader-1")
        for name in names:
            await bench.registry.put_stream(name, camera(name), None)
        for name in names:
            await until(lambda name=name: counting(bench, name), "frames")
        staying = bench.reader("reader-2")
        await until(lambda: "reader-2" in bench.registry._assignments.readers, "the second reader")
        workers.extend(leaving._workers.values())
        await leaving.stop()
        assert set(staying._workers) == set(names)
        workers.extend(staying._workers.values())
        for name in names:
            await until(lambda name=name: counting(bench, name), "frames at the other")

    store = run(test)
    for name in names:
        first = broadcasts[name].first
        assert first is not None
        assert counted(store, name) + skipped(workers, name) == last_of(store, name) - first + 1
        assert broadcasts[name].connections == 2
        assert broadcasts[name].open == 0


def test_a_stream_that_moves_to_even_out_loses_no_frame_either(run: Run, broadcasts: dict[str, Broadcast]) -> None:
    workers: list[StreamWorker] = []

    async def test(bench: Bench) -> None:
        first = bench.reader("reader-1")
        for name in ("cam0", "cam1"):
            await bench.registry.put_stream(name, camera(name), None)
        for name in ("cam0", "cam1"):
            await until(lambda name=name: counting(bench, name), "frames")
        for entry in bench.registry._entries.values():
            entry.meter._told = entry.weight
        workers.extend(first._workers.values())
        second = bench.reader("reader-2")
        await until(lambda: second._workers, "its share")
        (moved,) = second._workers
        workers.extend(second._workers.values())
        await until(lambda: counting(bench, moved), "frames at the other")
        assert set(first._workers) == {"cam0", "cam1"} - {moved}

    store = run(test)
    for name in ("cam0", "cam1"):
        first = broadcasts[name].first
        assert first is not None
        assert counted(store, name) + skipped(workers, name) == last_of(store, name) - first + 1


def test_a_camera_that_lets_nobody_else_in_is_handed_over_with_a_gap(
    run: Run, broadcasts: dict[str, Broadcast], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcasts["cam"] = Broadcast(most=1)
    monkeypatch.setattr("serve.control.assignments.PREPARE_S", 0.3)

    async def test(bench: Bench) -> None:
        leaving = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("cam"), None)
        await until(lambda: counting(bench, "cam"), "frames")
        staying = bench.reader("reader-2")
        await until(lambda: "reader-2" in bench.registry._assignments.readers, "the second reader")
        await leaving.stop()
        await until(lambda: counting(bench, "cam"), "frames at the other")
        assert set(staying._workers) == {"cam"}

    run(test)


def test_a_reader_alone_hands_back_at_once_if_the_service_ends(run: Run, broadcasts: dict[str, Broadcast]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("cam"), None)
        await until(lambda: counting(bench, "cam"), "frames")
        async with asyncio.timeout(5):
            await reader.stop()

    run(test)


def test_a_reader_alone_waits_for_who_is_to_replace_it(run: Run, broadcasts: dict[str, Broadcast]) -> None:
    """And for the registry, which an upgrade replaces at the same time."""
    workers: list[StreamWorker] = []
    away = True

    async def test(bench: Bench) -> None:
        nonlocal away
        leaving = bench.reader("reader-1", service_ends=lambda: False)
        await bench.registry.put_stream("cam", camera("cam"), None)
        await until(lambda: counting(bench, "cam"), "frames")
        workers.extend(leaving._workers.values())
        leave = bench.network.leave

        async def answered(reader: str) -> bool:
            if away:
                raise ConnectionError("the registry is being replaced")
            return await leave(reader)

        bench.network.leave = answered  # type: ignore[method-assign]
        stopping = asyncio.create_task(leaving.stop())
        before = workers[0].status().analysed
        await until(lambda: workers[0].status().analysed > before + 10, "frames while nobody is there")
        away = False
        successor = bench.reader("reader-2")
        await stopping
        assert set(successor._workers) == {"cam"}
        workers.extend(successor._workers.values())
        await until(lambda: counting(bench, "cam"), "frames at the other")

    store = run(test)
    first = broadcasts["cam"].first
    assert first is not None
    assert counted(store, "cam") + skipped(workers, "cam") == last_of(store, "cam") - first + 1


def test_a_reader_whom_nobody_replaces_goes_after_a_while(
    run: Run, broadcasts: dict[str, Broadcast], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "SUCCESSOR_S", 0.3)

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1", service_ends=lambda: False)
        await bench.registry.put_stream("cam", camera("cam"), None)
        await until(lambda: counting(bench, "cam"), "frames")
        async with asyncio.timeout(8):
            await reader.stop()
        assert bench.network.handed_back == {"cam": 1}

    run(test)
