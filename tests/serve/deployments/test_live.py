"""Who hands on live pictures, without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from serve.control.registry import Registry
from serve.deployments.live import Live


class Told:
    """`serve.deployments.live.Watching` that remembers what it was told."""

    def __init__(self) -> None:
        self.watched: list[tuple[str, ...]] = []

    async def watching(self, viewer: str, streams: Sequence[str]) -> list[str]:
        self.watched.append(tuple(streams))
        return []


def test_it_stops_whatever_happens_at_the_same_moment() -> None:
    """A viewer leaves, which wakes the loop, and in the same moment the loop is cancelled."""

    async def test() -> None:
        for _ in range(50):
            live = Live("live", Told())
            await asyncio.sleep(0)
            live._changed.set()
            await live.stop()
            with pytest.raises(RuntimeError):
                await live.check_health()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_nobody_is_told_anything_while_nobody_looks() -> None:
    async def test() -> None:
        registry = Told()
        live = Live("live", registry)
        frames = live.watch("cam")
        first = asyncio.ensure_future(anext(frames))
        while registry.watched != [("cam",)]:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        while registry.watched[-1] != ():
            await asyncio.sleep(0)
        assert len(registry.watched) == 2
        await live.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_no_picture_passes_the_registry() -> None:
    """Its loop hears heartbeats; see decision 8."""
    assert not hasattr(Registry, "publish")
    assert not hasattr(Registry, "watch")
