from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from serve.errors import TooManyWatchers
from serve.streams import live_hub as live
from serve.streams.live_hub import LiveHub


class Board(LiveHub):
    """Counts how often somebody was told that what is watched has changed."""

    def __init__(self) -> None:
        super().__init__(self._changed)
        self.changes = 0

    def _changed(self) -> None:
        self.changes += 1


Frames = AsyncIterator[Mapping[str, Any]]


async def begin(board: LiveHub, stream: str) -> tuple[Frames, Awaitable[Mapping[str, Any]]]:
    """A watcher that waits for its first frame."""
    frames = board.watch(stream)
    first = asyncio.ensure_future(anext(frames))
    while stream not in board.watched:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return frames, first


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 5)

    asyncio.run(bounded())


def test_frames_reach_everybody_who_looks_and_nobody_else() -> None:
    async def test() -> None:
        board = Board()
        assert board.publish("cam", {"n": 0}) is False
        _, first = await begin(board, "cam")
        _, second = await begin(board, "cam")
        _, other = await begin(board, "other")
        assert board.publish("cam", {"n": 1}) is True
        assert (await first, await second) == ({"n": 1}, {"n": 1})
        assert not other.done()  # type: ignore[attr-defined]
        board.drop("other")
        with pytest.raises(StopAsyncIteration):
            await other

    run(test)


def test_who_is_slow_gets_the_newest_frame_and_holds_up_nobody() -> None:
    async def test() -> None:
        board = Board()
        frames, first = await begin(board, "cam")
        board.publish("cam", {"n": 0})
        await first
        for number in range(1, 100):
            board.publish("cam", {"n": number})
        assert await anext(frames) == {"n": 99}

    run(test)


def test_what_is_watched_begins_with_the_first_and_ends_with_the_last_who_looks() -> None:
    async def test() -> None:
        board = Board()
        first, waiting = await begin(board, "cam")
        second, also_waiting = await begin(board, "cam")
        board.publish("cam", {})
        await waiting
        await also_waiting
        assert list(board.watched) == ["cam"]
        await first.aclose()  # type: ignore[attr-defined]
        assert list(board.watched) == ["cam"]
        await second.aclose()  # type: ignore[attr-defined]
        assert list(board.watched) == []
        assert board.changes >= 2
        assert board.publish("cam", {}) is False

    run(test)


def test_the_end_of_a_stream_ends_its_watchers_even_if_a_frame_comes_late() -> None:
    async def test() -> None:
        board = Board()
        frames, first = await begin(board, "cam")
        board.publish("cam", {"n": 0})
        await first
        board.drop("cam")
        assert board.publish("cam", {"n": 1}) is False
        with pytest.raises(StopAsyncIteration):
            await anext(frames)
        assert list(board.watched) == []

    run(test)


def test_a_stream_that_is_registered_again_can_be_watched_again() -> None:
    async def test() -> None:
        board = Board()
        old, first = await begin(board, "cam")
        board.drop("cam")
        _, new = await begin(board, "cam")
        with pytest.raises(StopAsyncIteration):
            await first
        assert list(board.watched) == ["cam"]
        board.publish("cam", {"n": 1})
        assert await new == {"n": 1}
        await old.aclose()  # type: ignore[attr-defined]

    run(test)


def test_no_more_people_may_look_than_one_registry_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(live, "MAX_WATCHERS", 2)
        board = Board()
        for _ in range(2):
            await begin(board, "cam")
        with pytest.raises(TooManyWatchers, match="'cam'"):
            await anext(board.watch("cam"))
        board.drop("cam")

    run(test)
