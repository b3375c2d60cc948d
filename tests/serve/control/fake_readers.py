"""Readers as the registry sees them, which do as they are told, and time that passes when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from analytics.errors import StoreError
from analytics.geometry import Geometry, Line
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Assignment, DesiredState, Greeting, Heartbeat, Reported, Work
from serve.control.registry import Registry
from serve.definitions.stream import StreamDefinition
from serve.settings import load
from serve.streams.status import StreamStatus
from tests.fakes import MemoryStore

CAMERA = StreamDefinition.model_validate({"source": {"type": "rtsp", "url": "rtsp://admin:hunter2@10.0.0.1/live"}})
DOOR = Geometry((Line("door", (0.5, 0.1), (0.5, 0.9)),))
RUNNING, STOPPED = StreamStatus(StreamState.RUNNING, 0.0), StreamStatus(StreamState.STOPPED, 0.0)


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(bounded())


def begin(store: MemoryStore, clock: Clock | None = None, **reader: float) -> Registry:
    return Registry(load(None, reader=reader), store, clock or Clock())


class Reader:
    """A reader's end of a session: it follows what it is told."""

    def __init__(
        self, registry: Registry, name: str, held: dict[str, int] | None = None, capacity: float = 10.0
    ) -> None:
        self.registry = registry
        self.name = name
        self.messages = 0
        self.heartbeat_s = 0.0
        self.streams: dict[str, Assignment] = {}
        self.work: dict[str, Work] = {}
        self.prepare: dict[str, Work] = {}
        self._session: AsyncGenerator[DesiredState, None] = registry.session(
            Greeting(name, held or {}, capacity=capacity)
        )
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        async for desired in self._session:
            self.messages += 1
            self.heartbeat_s = desired.heartbeat_s
            gone = self.streams.keys() - desired.work.keys() if desired.whole else set(desired.dropped)
            anew = {name for name, work in desired.work.items() if name in self.work and self._differs(name, work)}
            released = {name: self.streams.pop(name).epoch for name in gone | anew if name in self.streams}
            self.streams |= {name: work.assignment for name, work in desired.work.items() if name not in anew}
            self.work |= desired.work
            self.prepare |= desired.prepare
            for name in (*desired.dropped, *desired.work):
                self.prepare.pop(name, None)
            if released:
                await self.registry.handback(self.name, released)

    def _differs(self, name: str, work: Work) -> bool:
        return name in self.streams and self.work[name].definition.work_differs(work.definition)

    async def beat(self, *prepared: str) -> list[str] | None:
        reported = {name: Reported(assigned.epoch, RUNNING) for name, assigned in self.streams.items()}
        return await self.registry.heartbeat(Heartbeat(self.name, reported, prepared=prepared))

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._session.aclose()


async def until(condition: Callable[[], object], what: str) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


async def seconds(registry: Registry, clock: Clock, count: int) -> None:
    """Let time pass, second by second, so that the registry listens to all of it."""
    for _ in range(count):
        clock.now_s += 1.0
        registry._assignments.listen()
        with contextlib.suppress(StoreError):
            await registry._assignments.plan_if_due()
        for _ in range(10):  # let everybody else run
            await asyncio.sleep(0)


async def two_readers_with_six_streams(registry: Registry) -> tuple[Reader, Reader]:
    readers = Reader(registry, "reader-1", capacity=10), Reader(registry, "reader-2", capacity=10)
    for number in range(6):
        await registry.put_stream(f"cam{number}", CAMERA, None)
    await until(lambda: len(readers[0].streams) == len(readers[1].streams) == 3, "three streams each")
    return readers


def owners(store: MemoryStore) -> dict[str, tuple[str | None, int]]:
    return {record.id: (record.owner, record.epoch) for record in store.list_streams()}
