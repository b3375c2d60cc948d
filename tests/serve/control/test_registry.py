"""The registry without Ray: what it makes of the store, of readers, and of their silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from analytics.errors import StoreUnavailable, UnknownStream
from analytics.geometry import Geometry, Line
from analytics.storage.base import StreamRecord
from pipelines.sources.supervisor import StreamState
from serve.control import assignments
from serve.control.messages import Assignment, DesiredState, Heartbeat, Reported, Work
from serve.control.preconditions import Precondition
from serve.control.registry import Registry
from serve.definitions.stream import StreamDefinition
from serve.errors import DefinitionRefused, GeometryConflict, PreconditionFailed
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


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "TICK_S", 0.01)
    monkeypatch.setattr("serve.control.registry.TICK_S", 0.01)
    monkeypatch.setattr("serve.control.registry.RELEASE_WAIT_S", 0.05)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(bounded())


def begin(store: MemoryStore, clock: Clock | None = None) -> Registry:
    return Registry(load(), store, clock or Clock())


class Reader:
    """A reader's end of a session: it follows what it is told."""

    def __init__(self, registry: Registry, name: str, held: dict[str, int] | None = None) -> None:
        self.registry = registry
        self.name = name
        self.streams: dict[str, Assignment] = {}
        self.work: dict[str, Work] = {}
        self._session: AsyncGenerator[DesiredState, None] = registry.session(name, 10.0, held or {})
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        async for desired in self._session:
            gone = self.streams.keys() - desired.assignments.keys()
            released = {name: self.streams[name].epoch for name in gone}
            self.streams = dict(desired.assignments)
            self.work |= desired.work
            if released:
                await self.registry.handback(self.name, released)

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


def test_a_registered_stream_is_given_to_a_reader_with_all_it_needs(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        view, new = await registry.put_stream("cam", CAMERA, DOOR)
        assert new
        assert "hunter2" not in str(view.definition.redacted())
        await until(lambda: "cam" in reader.streams, "the stream")
        assert reader.streams["cam"] == Assignment(1, 1)
        assert reader.work["cam"].definition == CAMERA
        assert reader.work["cam"].geometry == DOOR
        assert (await registry.get_stream("cam")).reader == "reader-1"

    run(test)


def test_registering_the_same_again_disturbs_nothing(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        shown = (await registry.get_stream("cam")).definition.redacted()
        _, new = await registry.put_stream("cam", StreamDefinition.model_validate(shown), None)
        assert not new
        await registry._assignments.plan()
        assert reader.streams["cam"] == Assignment(1, 1)

    run(test)


def test_another_source_is_taken_up_in_a_new_epoch_and_new_lines_are_not(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        await registry.put_geometry("cam", DOOR, 1)
        await until(lambda: reader.streams.get("cam") == Assignment(1, 2), "the new lines in the same epoch")
        with pytest.raises(GeometryConflict, match="version 2"):
            await registry.put_geometry("cam", Geometry(), 1)
        await registry.patch_stream("cam", {"source": {"type": "rtsp", "url": "rtsp://10.0.0.2/live"}}, None)
        await until(lambda: reader.streams.get("cam") == Assignment(2, 2), "a new epoch")
        assert reader.work["cam"].definition.source.origin == "rtsp rtsp://10.0.0.2/live"

    run(test)


def test_the_streams_of_a_dead_reader_move_at_once_and_of_a_frozen_one_after_its_silence(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        clock.now_s += assignments.SETTLING_S + 1
        first, second = Reader(registry, "reader-1"), Reader(registry, "reader-2")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: first.streams or second.streams, "the stream")
        owner, other = (first, second) if first.streams else (second, first)
        await owner.die()
        await until(lambda: "cam" in other.streams, "the stream at the other reader")
        assert other.streams["cam"].epoch == 2

        third = Reader(registry, "reader-3")
        clock.now_s += 4.0
        await registry.heartbeat(Heartbeat("reader-3", {}))
        clock.now_s += 4.0  # five seconds of silence are too many
        await until(lambda: "cam" in third.streams, "the stream at the third reader")
        assert third.streams["cam"].epoch == 3
        assert await registry.heartbeat(Heartbeat(other.name, {"cam": Reported(2, RUNNING)})) in ([], ["cam"])

    run(test)


def test_a_new_registry_moves_no_stream_whose_reader_comes_back(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        await registry.stop()

        clock = Clock()
        heir = begin(store, clock)
        stranger = Reader(heir, "reader-2")
        back = Reader(heir, "reader-1", held={"cam": 1})
        await until(lambda: back.streams.get("cam") == Assignment(1, 1), "what it had")
        clock.now_s += assignments.SETTLING_S + 1
        await heir.heartbeat(Heartbeat("reader-1", {"cam": Reported(1, RUNNING)}))
        await heir.heartbeat(Heartbeat("reader-2", {}))
        await heir._assignments.plan()
        assert (back.streams, stranger.streams) == ({"cam": Assignment(1, 1)}, {})
        assert (await heir.get_stream("cam")).status.state is StreamState.RUNNING

    run(test)


def test_a_beat_tells_a_reader_what_it_does_not_have_any_more(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        beat = Heartbeat("reader-1", {"cam": Reported(1, RUNNING), "ghost": Reported(1, RUNNING)})
        assert await registry.heartbeat(beat) == ["ghost"]
        assert await registry.heartbeat(Heartbeat("reader-1", {"cam": Reported(0, STOPPED)})) == ["cam"]
        assert (await registry.get_stream("cam")).status.state is StreamState.RUNNING

    run(test)


def test_a_deleted_stream_is_gone_everywhere(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        await registry.delete_stream("cam", purge=False)
        await until(lambda: not reader.streams, "the end of the stream")
        assert store.list_streams() == []
        with pytest.raises(UnknownStream):
            await registry.get_stream("cam")

    run(test)


def test_a_stream_that_could_not_be_deleted_runs_on(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        await registry.put_stream("cam", CAMERA, None)
        store.away = True
        with pytest.raises(StoreUnavailable):
            await registry.delete_stream("cam", purge=False)
        store.away = False
        assert (await registry.get_stream("cam")).definition.enabled
        reader = Reader(registry, "reader-1")
        await until(lambda: "cam" in reader.streams, "the stream")

    run(test)


def test_one_definition_that_is_not_understood_does_not_keep_the_others_from_running(store: MemoryStore) -> None:
    store.put_stream(StreamRecord("good", CAMERA.model_dump(mode="json")))
    store.put_stream(StreamRecord("from the future", {"source": {"type": "hologram"}}))

    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await until(lambda: "good" in reader.streams, "the stream that is understood")
        assert [view.id for view in await registry.list_streams()] == ["good"]

    run(test)


def test_a_registry_waits_for_its_database(store: MemoryStore) -> None:
    store.put_stream(StreamRecord("cam", CAMERA.model_dump(mode="json")))
    store.away = True

    async def test() -> None:
        registry = begin(store)
        await until(lambda: registry._store_error, "the error")
        listing = asyncio.ensure_future(registry.list_streams())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not listing.done()
        store.away = False
        assert [view.id for view in await listing] == ["cam"]

    run(test)


def test_streams_wait_for_a_reader_and_say_so(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        await registry.put_stream("cam", CAMERA, None)
        view = await registry.get_stream("cam")
        assert (view.status.state, view.status.error_code) == (StreamState.STARTING, "no-reader")

    run(test)


def test_a_change_is_made_only_to_what_the_caller_has_seen(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        seen, _ = await registry.put_stream("cam", CAMERA, None)
        same, _ = await registry.put_stream("cam", CAMERA, None)
        assert same.etag == seen.etag
        renamed = await registry.patch_stream("cam", {"name": "Door"}, None, Precondition((seen.etag,)))
        assert (renamed.etag == seen.etag, renamed.geometry_etag == seen.geometry_etag) == (False, True)
        stale = Precondition((seen.etag,))
        for change in (
            registry.put_stream("cam", CAMERA, None, stale),
            registry.patch_stream("cam", {"name": "Gate"}, None, stale),
            registry.delete_stream("cam", False, stale),
            registry.put_geometry("cam", DOOR, None, Precondition(('"9-9"',))),
            registry.put_stream("cam", CAMERA, None, Precondition(absent=True)),
            registry.put_stream("new", CAMERA, None, Precondition(match=())),
        ):
            with pytest.raises(PreconditionFailed):
                await change
        assert (await registry.get_stream("cam")).definition.name == "Door"
        drawn = await registry.put_geometry("cam", DOOR, None, Precondition((seen.geometry_etag,)))
        await registry.delete_stream("cam", False, Precondition((drawn.etag,)))

    run(test)


def test_a_stream_that_was_registered_again_is_another_one(store: MemoryStore) -> None:
    times = iter([1.0, 2.0, 3.0, 4.0])
    store._wall_clock = lambda: next(times)

    async def test() -> None:
        registry = begin(store)
        first, _ = await registry.put_stream("cam", CAMERA, None)
        await registry.delete_stream("cam", False)
        second, _ = await registry.put_stream("cam", CAMERA, None)
        assert (first.etag, first.geometry_etag) != (second.etag, second.geometry_etag)

    run(test)


def test_a_hidden_password_of_a_stream_that_is_not_known_is_refused(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        hidden = StreamDefinition.model_validate(CAMERA.redacted())
        with pytest.raises(DefinitionRefused, match="hidden"):
            await registry.put_stream("cam", hidden, None)

    run(test)


def test_a_registry_that_is_stopped_asks_its_database_nothing_more(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        await until(lambda: registry._loaded, "the streams")
        await registry.stop()
        await registry.stop()
        assert store.closed
        with pytest.raises(RuntimeError, match="loop"):
            await registry.check_health()

    run(test)
