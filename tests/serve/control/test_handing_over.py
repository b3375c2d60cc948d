"""A stream goes from one reader to another, which is prepared first."""

from __future__ import annotations

import pytest

from pipelines.sources.supervisor import StreamState
from serve.control.assignments import LOOKED_AT_S, PREPARE_S
from serve.control.entry import GUESSED_S
from serve.control.messages import Heartbeat, Reported
from serve.control.registry import Registry
from serve.control.weights import Weight
from serve.streams.status import StreamStatus
from tests.fakes import MemoryStore
from tests.serve.control.fake_readers import CAMERA, Clock, Reader, begin, owners, run, seconds, until


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.control.assignments.TICK_S", 0.01)
    monkeypatch.setattr("serve.control.registry.TICK_S", 0.01)
    monkeypatch.setattr("serve.control.edits.RELEASE_WAIT_S", 0.05)


async def running(registry: Registry, count: int) -> Reader:
    """A reader with so many streams that run, all of the same measured weight."""
    reader = Reader(registry, "reader-1")
    for number in range(count):
        await registry.put_stream(f"cam{number}", CAMERA, None)
    await until(lambda: len(reader.streams) == count, "the streams")
    await reader.beat()
    for entry in registry._entries.values():
        entry.meter._told = Weight(0.5, 0.5)
    return reader


async def prepared_by(registry: Registry, clock: Clock) -> tuple[Reader, str]:
    """A second reader, and the first stream that it is to prepare."""
    young = Reader(registry, "reader-2")
    await until(lambda: "reader-2" in registry._assignments.readers, "the session")
    await seconds(registry, clock, 1)
    await until(lambda: young.prepare, "a stream to prepare")
    return young, next(iter(young.prepare))


def test_a_reader_has_its_stream_until_the_next_one_is_prepared(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        await seconds(registry, clock, 3)
        assert set(old.streams) == {"cam0", "cam1"}
        assert young.streams == {}
        await young.beat(name)
        await until(lambda: name in young.streams, "the stream")
        assert young.streams[name].epoch == 2
        assert set(old.streams) == {"cam0", "cam1"} - {name}
        assert young.prepare == {}
        assert owners(store)[name] == ("reader-2", 2)
        assert (await registry.overview()).moves == {"lost": 0, "leaving": 0, "balance": 1}

    run(test)


def test_nobody_lets_go_of_a_stream_while_the_store_could_not_give_it_to_another(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        store.away = True
        await until(lambda: registry._health.error is not None, "the registry to see it")
        await young.beat(name)
        await seconds(registry, clock, 1)
        assert set(old.streams) == {"cam0", "cam1"}
        assert await registry.leave("reader-1")  # who leaves waits, too
        assert set(old.streams) == {"cam0", "cam1"}
        store.away = False
        await until(lambda: registry._health.error is None, "the registry to see that it is back")
        await young.beat(name)
        await until(lambda: name in young.streams, "the stream")

    run(test)


def test_nothing_moves_while_the_database_is_away_whoever_comes_meanwhile(store: MemoryStore) -> None:
    """Who lets go of a stream then would be followed by nobody."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, _ = await prepared_by(registry, clock)
        store.away = True
        await until(lambda: registry._health.error is not None, "the registry to see it")
        clock.now_s += PREPARE_S + 1
        third = Reader(registry, "reader-3")
        await until(lambda: "reader-3" in registry._assignments.readers, "the session")
        assert await registry.leave("reader-3")
        await third.die()
        await until(lambda: not registry._assignments._tasks, "what follows from that")
        assert all(entry.release_asked_s is None for entry in registry._entries.values())
        assert set(old.streams) == {"cam0", "cam1"}
        store.away = False
        await until(lambda: young.streams, "the stream that was prepared")

    run(test)


def test_a_stream_that_is_never_measured_holds_up_the_others_only_for_a_while(store: MemoryStore) -> None:
    """One that shows something now and then has no ten seconds that would tell what it weighs."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 4)
        registry._entries["cam3"].meter._told = None
        young = Reader(registry, "reader-2")
        await until(lambda: "reader-2" in registry._assignments.readers, "the session")
        await seconds(registry, clock, 2)
        assert not young.prepare
        for _ in range(int(GUESSED_S / 5)):
            await seconds(registry, clock, 5)
            await old.beat()
            await young.beat()
        await seconds(registry, clock, int(LOOKED_AT_S) + 1)
        await until(lambda: young.prepare, "a stream to prepare")

    run(test)


def test_what_takes_too_long_to_prepare_moves_all_the_same(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        await seconds(registry, clock, int(PREPARE_S) + 2)
        await until(lambda: name in young.streams, "the stream")

    run(test)


def test_when_the_next_reader_dies_the_stream_stays_where_it_is(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, _ = await prepared_by(registry, clock)
        await young.die()
        await seconds(registry, clock, int(PREPARE_S) + 2)
        assert {name: assigned.epoch for name, assigned in old.streams.items()} == {"cam0": 1, "cam1": 1}

    run(test)


def test_when_the_owner_dies_first_its_stream_goes_to_who_has_the_camera_open(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        Reader(registry, "reader-3")
        await old.die()
        await until(lambda: name in young.streams, "the stream")
        assert young.streams[name].epoch == 2  # in one step

    run(test)


def test_a_stream_that_cannot_be_opened_twice_is_released_at_once(store: MemoryStore) -> None:
    """A camera that is away, or a topic: there is nothing to be missed."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        away = StreamStatus(StreamState.RECONNECTING, 0.0)
        await registry.heartbeat(Heartbeat("reader-1", {name: Reported(1, away) for name in old.streams}))
        young = Reader(registry, "reader-2")
        await until(lambda: "reader-2" in registry._assignments.readers, "the session")
        await seconds(registry, clock, 1)
        await until(lambda: young.streams, "a stream")
        assert young.prepare == {}

    run(test)


def test_a_stream_that_is_switched_off_while_it_moves_moves_nowhere(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        await registry.patch_stream(name, {"enabled": False}, None)
        await seconds(registry, clock, 2)
        await until(lambda: not young.prepare, "the end of preparing")
        assert name not in {**old.streams, **young.streams}
        assert owners(store)[name][0] is None

    run(test)


def test_a_reader_that_leaves_works_on_until_others_have_its_streams(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 2)
        young = Reader(registry, "reader-2")
        await until(lambda: "reader-2" in registry._assignments.readers, "the session")
        assert await registry.leave("reader-1") is True
        await until(lambda: len(young.prepare) == 2, "both to be prepared")
        assert len(old.streams) == 2
        await young.beat("cam0", "cam1")
        await until(lambda: len(young.streams) == 2, "the streams")
        assert await registry.leave("reader-1") is False
        assert (await registry.overview()).moves == {"lost": 0, "leaving": 1, "balance": 1}

    run(test)


def test_a_reader_with_many_streams_is_told_to_wait_until_the_last_of_them(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        old = await running(registry, 20)
        young = Reader(registry, "reader-2", capacity=100)
        await until(lambda: "reader-2" in registry._assignments.readers, "the session")
        while await registry.leave("reader-1"):
            await until(lambda: young.prepare, "streams to prepare")
            assert len(young.prepare) <= 8
            first = next(iter(young.prepare))
            await young.beat(first)
            await until(lambda first=first: first in young.streams, "the stream")
        assert old.streams == {}
        assert len(young.streams) == 20

    run(test)


def test_a_reader_that_leaves_alone_is_told_so(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        await running(registry, 2)
        assert await registry.leave("reader-1") is False
        assert await registry.leave("nobody") is False

    run(test)


def test_a_changed_definition_is_prepared_anew(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await running(registry, 2)
        young, name = await prepared_by(registry, clock)
        await registry.patch_stream(name, {"name": "The door"}, None)
        await until(lambda: young.prepare[name].definition.name == "The door", "the change")

    run(test)
