"""A registry, a network and readers on it, all in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from analytics.geometry import Geometry, Line
from pipelines.batching.batch_detector import BatchDetector, ThreadedDetector
from pipelines.sources.supervisor import StreamState
from serve.control.messages import DesiredState, Greeting, Heartbeat
from serve.control.registry import Registry
from serve.definitions.stream import StreamDefinition
from serve.deployments.live import Live
from serve.deployments.reader import StreamReader
from serve.settings import Settings
from serve.streams.live_frame import LiveFrame
from tests.fakes import FakeDetector, MemoryStore, brightness_as_box

BEGIN_S = 1_800_000_000.0
DOOR = Geometry((Line("door", (0.5, 0.1), (0.5, 0.9)),))


def camera(name: str) -> StreamDefinition:
    source = {"type": "rtsp", "url": f"rtsp://10.0.0.1/{name}"}
    return StreamDefinition.model_validate({"source": source, "analysis_fps": None})


class Network:
    """`serve.control.link.RegistryLink` to a registry in this process; it can be cut.

    Attributes:
        cut: while set, every call fails, and open sessions break.
        sessions: that were opened.
        handed_back: streams, with their epochs.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.cut = False
        self.sessions = 0
        self.handed_back: dict[str, int] = {}
        self.live: Live | None = None

    async def session(self, greeting: Greeting) -> AsyncGenerator[DesiredState, None]:
        self._check()
        self.sessions += 1
        registry = self.registry
        session = registry.session(greeting)
        try:
            async for desired in session:
                self._check()
                if self.registry is not registry:
                    raise ConnectionError("this registry is dead")
                yield desired
        finally:
            await session.aclose()

    async def heartbeat(self, heartbeat: Heartbeat) -> list[str] | None:
        self._check()
        return await self.registry.heartbeat(heartbeat)

    async def leave(self, reader: str) -> bool:
        self._check()
        return await self.registry.leave(reader)

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        self._check()
        self.handed_back |= dict(streams)
        await self.registry.handback(reader, streams)

    async def publish(self, stream: str, frame: LiveFrame) -> bool:
        self._check()
        assert self.live is not None
        return await self.live.publish(stream, frame)

    async def watching(self, viewer: str, streams: Sequence[str]) -> list[str]:
        self._check()
        return await self.registry.watching(viewer, streams)

    def _check(self) -> None:
        if self.cut:
            raise ConnectionError("the network is cut")


class Bench:
    """A registry, a network, and readers on it, all stopped at the end."""

    def __init__(self, settings: Settings, store: MemoryStore) -> None:
        self.settings, self.store = settings, store
        self.registry = Registry(settings, store)
        self.network = Network(self.registry)
        self.readers: list[StreamReader] = []

    def reader(
        self,
        name: str,
        connect: Callable[[], Awaitable[BatchDetector]] | None = None,
        service_ends: Callable[[], bool] = lambda: True,
    ) -> StreamReader:
        made = StreamReader(
            self.settings, name, self.network, connect or detector, self.store, service_ends=service_ends
        )
        self.readers.append(made)
        return made

    async def status(self, stream: str) -> StreamState:
        return (await self.registry.get_stream(stream)).status.state

    async def close(self) -> None:
        for reader in self.readers:
            await reader.stop()
        await self.registry.stop()


async def detector() -> BatchDetector:
    return ThreadedDetector(FakeDetector(brightness_as_box))


async def until(condition: Callable[[], Awaitable[object] | object], what: str) -> None:
    for _ in range(2000):
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


Run = Callable[[Callable[[Bench], Awaitable[None]]], MemoryStore]
