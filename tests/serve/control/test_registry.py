"""The registry without Ray: what it makes of the store, of readers, and of their silence."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest

from analytics.errors import StoreUnavailable, UnknownStream
from analytics.geometry import Geometry
from analytics.minutes import MinuteRow, Totals
from analytics.storage.base import StreamRecord
from pipelines.sources.supervisor import StreamState
from serve.control import assignments
from serve.control.heartbeat import MANY_READERS, interval_s
from serve.control.messages import Assignment, Greeting, Heartbeat, Reported
from serve.control.planner import Plan, plan
from serve.control.preconditions import Precondition
from serve.control.registry import Registry
from serve.control.weights import WINDOW_S
from serve.definitions.stream import StreamDefinition
from serve.errors import DefinitionRefused, GeometryConflict, PreconditionFailed, SettingsError, StandsBy
from serve.settings import load
from serve.streams.status import StreamStatus
from tests.assigning import assign
from tests.fakes import MemoryStore
from tests.serve.control.fake_readers import (
    CAMERA,
    DOOR,
    RUNNING,
    STOPPED,
    Clock,
    Reader,
    begin,
    owners,
    run,
    seconds,
    two_readers_with_six_streams,
    until,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "TICK_S", 0.01)
    monkeypatch.setattr("serve.control.registry.TICK_S", 0.01)
    monkeypatch.setattr("serve.control.edits.RELEASE_WAIT_S", 0.05)


def test_a_registered_stream_is_given_to_a_reader_with_all_it_needs(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        view, new = await registry.put_stream("cam", CAMERA, DOOR)
        assert new
        assert "hunter2" not in str(view.definition.redacted())
        await until(lambda: "cam" in reader.streams, "the stream")
        assert reader.streams["cam"] == Assignment(1, 1, 1)
        assert reader.work["cam"].definition == CAMERA
        assert reader.work["cam"].geometry == DOOR
        assert (await registry.get_stream("cam")).reader == "reader-1"

    run(test)


def test_to_list_all_streams_takes_no_look_at_all_streams_for_each(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 of them would keep the registry from hearing its readers for seconds."""

    async def test() -> None:
        registry = begin(store)
        await two_readers_with_six_streams(registry)
        entries = registry._entries
        looked = 0

        class Counted(dict[str, Any]):
            def values(self) -> Any:
                nonlocal looked
                looked += 1
                return super().values()

        registry._entries = registry._assignments._entries = Counted(entries)
        assert len(await registry.list_streams()) == 6
        assert looked == 0

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
        assert reader.streams["cam"] == Assignment(1, 1, 1)

    run(test)


def test_a_stream_may_ask_for_the_model_that_finds_people_by_now_alone(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        wanted = CAMERA.model_copy(update={"model": "mine.onnx"})
        with pytest.raises(DefinitionRefused, match="nanodet-g"):
            await registry.put_stream("cam", wanted, None)
        registry.use_model("mine.onnx")
        await registry.put_stream("cam", wanted, None)
        with pytest.raises(DefinitionRefused, match=r"mine\.onnx"):
            await registry.put_stream("cam", CAMERA.model_copy(update={"model": "nanodet-g"}), None)

    run(test)


def test_no_stream_takes_the_name_that_alerts_about_the_service_are_filed_under(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        with pytest.raises(DefinitionRefused, match="alerts about the service"):
            await registry.put_stream("service", CAMERA, None)
        assert await registry.list_streams() == []

    run(test)


def test_another_source_is_taken_up_in_a_new_epoch_and_new_lines_are_not(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        await registry.put_geometry("cam", DOOR, 1)
        await until(lambda: reader.streams.get("cam") == Assignment(1, 1, 2), "the new lines in the same epoch")
        with pytest.raises(GeometryConflict, match="version 2"):
            await registry.put_geometry("cam", Geometry(), 1)
        await registry.patch_stream("cam", {"source": {"type": "rtsp", "url": "rtsp://10.0.0.2/live"}}, None)
        await until(lambda: reader.streams.get("cam") == Assignment(2, 2, 2), "a new epoch")
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
        for _ in range(7):  # five seconds of silence are too many
            await seconds(registry, clock, 1)
            await third.beat()
        await until(lambda: "cam" in third.streams, "the stream at the third reader")
        assert third.streams["cam"].epoch == 3
        assert (await registry.overview()).moves == {"lost": 2, "leaving": 0, "balance": 0}
        # Should it wake up, it has to open a session, and hears there that the stream has moved on.
        assert await registry.heartbeat(Heartbeat(other.name, {"cam": Reported(2, RUNNING)})) is None

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
        await until(lambda: back.streams.get("cam") == Assignment(1, 1, 1), "what it had")
        clock.now_s += assignments.SETTLING_S + 1
        await heir.heartbeat(Heartbeat("reader-1", {"cam": Reported(1, RUNNING)}))
        await heir.heartbeat(Heartbeat("reader-2", {}))
        await heir._assignments.plan()
        assert (back.streams, stranger.streams) == ({"cam": Assignment(1, 1, 1)}, {})
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
        await until(lambda: registry._health.error, "the error")
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


def test_a_stream_that_is_only_named_is_as_it_was_and_is_not_taken_for_missing(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        status = replace(RUNNING, frames=7, frame_age_s=0.2)
        await registry.heartbeat(Heartbeat("reader-1", {"cam": Reported(1, status)}))
        messages = reader.messages
        for _ in range(5):
            await seconds(registry, clock, 1)
            assert await registry.heartbeat(Heartbeat("reader-1", others={"cam": 1, "ghost": 1})) == ["ghost"]
        assert reader.messages == messages  # it is not told again of what it works on
        assert (await registry.get_stream("cam")).status == status  # nor does its frame grow old
        assert await registry.heartbeat(Heartbeat("reader-1", others={"cam": 0})) == ["cam"]

    run(test)


def test_what_is_told_of_a_stream_that_nobody_has_so_far_is_kept(store: MemoryStore) -> None:
    """After that, a reader may only name it for a while."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        await reader.die()
        store.assign({"cam": None})
        heir = begin(store, clock)
        again = Reader(heir, "reader-1", {"cam": 2})
        await until(lambda: again.messages, "a session")
        await heir.heartbeat(Heartbeat("reader-1", {"cam": Reported(2, replace(RUNNING, frames=7))}))
        await heir.heartbeat(Heartbeat("reader-1", others={"cam": 2}))
        await until(lambda: "cam" in again.streams, "the stream to be its own again")
        view = await heir.get_stream("cam")
        assert (view.heard, view.status.frames, view.epoch) == (True, 7, 2)

    run(test)


def test_a_stream_whose_reader_has_no_time_for_it_says_so(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")

        async def report(analysed: int, skipped: int, **more: Any) -> StreamStatus:
            status = replace(RUNNING, analysed=analysed, skipped=skipped, **more)
            await registry.heartbeat(Heartbeat("reader-1", {"cam": Reported(1, status)}))
            clock.now_s += WINDOW_S
            return (await registry.get_stream("cam")).status

        assert (await report(0, 0)).error is None
        busy = await report(60, 40)
        assert (busy.state, busy.error_code) == (StreamState.RUNNING, "overloaded")
        assert busy.error == "there is no time for 40% of its frames"
        # What is worse is said first.
        assert (await report(120, 80, error_code="store-unavailable", error="away")).error_code == "store-unavailable"
        assert (await report(220, 80)).error is None

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


# -- who has lost sight of whom


def test_where_nothing_happens_nothing_is_planned(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        clock, planned = Clock(), list[float]()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        readers = await two_readers_with_six_streams(registry)

        def counted(*args: Any, **options: Any) -> Plan:
            planned.append(clock.now_s)
            return plan(*args, **options)

        async def pass_by(count: int) -> int:
            before = len(planned)
            for _ in range(count):
                await seconds(registry, clock, 1)
                for reader in readers:
                    await reader.beat()
            return len(planned) - before

        await pass_by(int(assignments.SETTLING_S) + 2)
        monkeypatch.setattr(assignments, "plan", counted)
        looks = 20 / assignments.LOOKED_AT_S
        assert looks - 1 <= await pass_by(20) <= looks + 1
        await registry.heartbeat(
            Heartbeat("reader-1", {name: Reported(one.epoch, STOPPED) for name, one in readers[0].streams.items()})
        )
        before = len(planned)
        await seconds(registry, clock, 1)
        assert len(planned) > before  # a stream is in another state: at the next tick

    run(test)


@pytest.mark.parametrize(
    ("readers", "timeout_s", "interval"),
    [(1, 5.0, 1.0), (49, 5.0, 1.0), (50, 5.0, 2.0), (50, 2.5, 0.75), (1, 1.0, 0.3)],
)
def test_many_readers_give_a_sign_of_life_less_often_but_never_only_once_in_the_time_of_silence(
    readers: int, timeout_s: float, interval: float
) -> None:
    assert interval_s(readers, timeout_s) == pytest.approx(interval)


def test_readers_are_told_how_often_to_give_a_sign_of_life(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        readers = [Reader(registry, f"reader-{number}") for number in range(MANY_READERS)]
        await until(lambda: all(reader.heartbeat_s == 2.0 for reader in readers), "all to hear that they are many")
        await readers[0].die()
        await until(lambda: all(reader.heartbeat_s == 1.0 for reader in readers[1:]), "all to hear that they are few")

    run(test)


def test_a_registry_that_stalls_blames_nobody_for_its_own_silence(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        readers = await two_readers_with_six_streams(registry)
        for _ in range(8):
            await seconds(registry, clock, 1)
            for reader in readers:
                await reader.beat()
        before = owners(store)
        clock.now_s += 60.0  # nothing ran in here for a minute; heartbeats wait at the door
        registry._assignments.listen()
        await registry._assignments.plan()
        await readers[0].beat()
        await registry._assignments.plan()
        await readers[1].beat()
        await seconds(registry, clock, 1)
        assert owners(store) == before
        assert registry._assignments.readers.keys() == {"reader-1", "reader-2"}

    run(test)


def test_with_a_short_patience_a_stall_of_the_registry_counts_no_more_than_the_tick_that_it_took(
    store: MemoryStore,
) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock, heartbeat_timeout_s=3)
        await until(lambda: registry._loaded, "the streams")
        readers = await two_readers_with_six_streams(registry)
        await seconds(registry, clock, 1)
        for reader in readers:
            await reader.beat()
        clock.now_s += 1.1  # a tick is never quite on time
        registry._assignments.listen()
        clock.now_s += 6.0  # the next heartbeats wait at the door
        registry._assignments.listen()
        assert registry._assignments.readers.keys() == {"reader-1", "reader-2"}

    run(test)


def test_when_all_readers_fell_silent_the_first_one_back_does_not_get_everything(store: MemoryStore) -> None:
    """A network that is cut between all of them and the registry, or a registry that Serve is about to replace."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        first, second = await two_readers_with_six_streams(registry)
        before = owners(store)
        await seconds(registry, clock, 20)
        await first.beat()
        await seconds(registry, clock, 2)
        await first.beat()
        await second.beat()
        for _ in range(10):
            await seconds(registry, clock, 1)
            await first.beat()
            await second.beat()
        assert owners(store) == before
        assert registry._assignments.readers.keys() == {"reader-1", "reader-2"}

    run(test)


def test_who_stays_silent_after_all_were_is_given_up(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        first, _ = await two_readers_with_six_streams(registry)
        await seconds(registry, clock, 20)
        for _ in range(8):
            await seconds(registry, clock, 1)
            await first.beat()
        await until(lambda: len(first.streams) == 6, "all streams")

    run(test)


def test_streams_whose_reader_never_comes_back_are_given_away_once_things_have_settled(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        await until(lambda: registry._loaded, "the streams")
        first, _ = await two_readers_with_six_streams(registry)
        held = {name: assigned.epoch for name, assigned in first.streams.items()}
        await seconds(registry, clock, 20)
        back = Reader(registry, "reader-1", held)
        for _ in range(int(assignments.SETTLING_S) + 1):
            await seconds(registry, clock, 1)
            await back.beat()
        await until(lambda: len(back.streams) == 6, "all streams")

    run(test)


def test_streams_of_a_reader_that_died_with_the_registry_wait_no_longer_than_for_the_others(
    store: MemoryStore,
) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store.shared(), clock)
        await until(lambda: registry._loaded, "the streams")
        first, _ = await two_readers_with_six_streams(registry)
        held = {name: assigned.epoch for name, assigned in first.streams.items()}
        await seconds(registry, clock, int(assignments.SETTLING_S) + 1)
        heir = begin(store.shared(), clock)
        await until(lambda: heir._loaded, "the heir")
        back = Reader(heir, "reader-1", held)
        await until(lambda: len(back.streams) == 3, "its own streams")
        for _ in range(int(assignments.SETTLING_S) - 1):
            await back.beat()
            await seconds(heir, clock, 1)
        assert len(back.streams) == 3
        await back.beat()
        await seconds(heir, clock, 1)
        await until(lambda: len(back.streams) == 6, "the other one's, without a further second")

    run(test)


def test_a_reclaimed_stream_is_stored_so_that_the_next_restart_moves_nothing(store: MemoryStore) -> None:
    async def test() -> None:
        clock = Clock()
        registry = begin(store.shared(), clock)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        assign(store, "cam", None)  # given up by mistake, by the registry before
        heir = begin(store.shared(), clock)
        await until(lambda: heir._loaded, "the heir")
        back = Reader(heir, "reader-1", {"cam": 1})
        await until(lambda: back.streams, "the stream")
        assert owners(store) == {"cam": ("reader-1", 1)}

    run(test)


def test_a_reader_whose_streams_were_given_up_while_the_database_was_away_reclaims_them_by_its_heartbeats(
    store: MemoryStore,
) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        entry = registry._entries["cam"]
        assign(store, "cam", None)
        entry.record = replace(entry.record, owner=None)
        store.away = True
        assert await reader.beat() == []  # nobody has it, so it is not lost
        store.away = False
        await until(lambda: owners(store) == {"cam": ("reader-1", 1)}, "the owner in the database")

    run(test)


def test_what_is_edited_while_a_reader_reclaims_a_stream_is_kept(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        entry, reclaim = registry._entries["cam"], store.reclaim
        asked, answered = threading.Event(), threading.Event()

        def slowly(owner: str, streams: Mapping[str, int]) -> set[str]:
            asked.set()
            answered.wait(5)
            return reclaim(owner, streams)

        monkeypatch.setattr(store, "reclaim", slowly)
        assign(store, "cam", None)
        entry.record = replace(entry.record, owner=None)
        await reader.beat()
        await until(asked.is_set, "the store to be asked")
        edit = asyncio.create_task(registry.put_geometry("cam", DOOR, None))
        await until(lambda: entry.record.geometry_version == 2, "the edit")
        answered.set()
        await edit
        await until(lambda: entry.record.owner == "reader-1", "the owner")
        assert entry.record.geometry_version == 2

    run(test)


def test_the_newest_registry_leads_and_the_old_one_sends_its_readers_on(
    store: MemoryStore,
) -> None:
    """As when Ray starts a new replica while the old one drains for up to 20 s, and hands calls to either."""

    async def test() -> None:
        old_store, new_store = store.shared(), store.shared()
        old = begin(old_store)
        await until(lambda: old._loaded, "the old registry")
        readers = await two_readers_with_six_streams(old)
        before = owners(store)
        new = begin(new_store)
        await until(lambda: new._loaded, "the new registry")
        await until(lambda: not old._assignments.readers, "the end of the old one's sessions")
        passed_on: list[Callable[[], Awaitable[Any]]] = [
            readers[0].beat,  # or the new one would hear nothing of it
            lambda: old.leave("reader-1"),  # or it would hand back everything at once
            lambda: old.handback("reader-1", {"cam-0": 1}),
            lambda: old.watching("live", ["cam-0"]),
            old.list_streams,
        ]
        for call in passed_on:
            with pytest.raises(StandsBy, match="another registry"):
                await call()
        assert [desired async for desired in old.session(Greeting("reader-1", {}))] == []
        assert await new.heartbeat(Heartbeat("reader-1", {})) is None  # to the new one: open a session
        with pytest.raises(StandsBy):
            await old.put_stream("late", CAMERA, None)
        held = [{name: assigned.epoch for name, assigned in reader.streams.items()} for reader in readers]
        back = [Reader(new, f"reader-{n + 1}", held[n]) for n in range(2)]
        await until(lambda: all(len(reader.streams) == 3 for reader in back), "what they had")
        assert owners(store) == before
        assert (await old.overview()).loaded is False

    run(test)


def test_a_registry_that_was_overtaken_leads_again_once_the_other_is_silent(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.control.registry.LOAD_WAIT_S", -1.0)

    async def test() -> None:
        clock = Clock()
        registry, other = begin(store.shared(), clock), store.shared()
        await until(lambda: registry._loaded, "the streams")
        await registry.put_stream("cam", CAMERA, None)
        other.lead()
        await until(lambda: not registry._loaded, "its standing by")
        for _ in range(10):
            clock.now_s += 5.0
            other.renew()
            with pytest.raises(StandsBy, match="another registry"):
                await registry.list_streams()
        await until(lambda: registry._leadership._rival[0] == other.leader(), "a look at the other")  # type: ignore[index]
        clock.now_s += 20.0
        await until(lambda: registry._loaded, "its lead")
        assert [view.id for view in await registry.list_streams()] == ["cam"]

    run(test)


# -- leaving, failing, changing while nobody is there


def test_a_reader_that_leaves_gets_nothing_back(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        leaving, staying = await two_readers_with_six_streams(registry)
        await registry.leave("reader-1")
        for name, assigned in dict(leaving.streams).items():
            leaving.streams.pop(name, None)
            await registry.handback("reader-1", {name: assigned.epoch})
        await until(lambda: len(staying.streams) == 6, "all streams")
        assert leaving.streams == {}
        assert {owner for owner, _ in owners(store).values()} == {"reader-2"}

    run(test)


def test_a_source_that_was_changed_while_its_reader_was_away_is_begun_anew_when_it_is_back(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        registry._assignments.dismiss()  # the session is broken, the reader works on
        await registry.patch_stream("cam", {"source": {"type": "rtsp", "url": "rtsp://10.0.0.2/live"}}, None)
        back = Reader(registry, "reader-1", {"cam": 1})
        await until(lambda: back.streams, "the stream")
        assert back.streams["cam"] == Assignment(1, 2, 1)  # its version tells that this is not what it works on
        assert back.work["cam"].definition.source.origin == "rtsp rtsp://10.0.0.2/live"

    run(test)


def test_the_same_definition_again_gives_a_failed_stream_another_try(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        failed = StreamStatus(StreamState.FAILED, 0.0, "no video", "source-unsupported")
        await registry.heartbeat(Heartbeat("reader-1", {"cam": Reported(1, failed)}))
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams.get("cam") == Assignment(2, 1, 1), "a new epoch")

    run(test)


def test_a_stream_that_was_told_and_not_taken_up_is_told_again(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        reader = Reader(registry, "reader-1")
        await registry.put_stream("cam", CAMERA, None)
        await until(lambda: reader.streams, "the stream")
        reader.streams.clear()  # its hand-over was not heard
        await registry.heartbeat(Heartbeat("reader-1", {}, draining=("cam",)))
        await registry.heartbeat(Heartbeat("reader-1", {}, draining=("cam",)))
        assert reader.streams == {}
        for _ in range(3):
            await registry.heartbeat(Heartbeat("reader-1", {}))
        await until(lambda: reader.streams == {"cam": Assignment(1, 1, 1)}, "the stream again")

    run(test)


def test_what_is_purged_is_removed_beside_everything_else(store: MemoryStore) -> None:
    async def test() -> None:
        registry = begin(store)
        await registry.put_stream("cam", CAMERA, None)
        epoch = assign(store, "cam", "reader")
        store.write("cam", epoch, [MinuteRow("cam", 60 * n, epoch, Totals()) for n in range(100)])
        swept: list[int] = []
        sweep = store.sweep
        store.sweep = lambda: swept.append(1) or False  # type: ignore[method-assign, func-returns-value]
        await registry.delete_stream("cam", purge=True)
        assert store.minutes("cam", 0, 2**40) == []  # at once, although nothing is removed yet
        assert len(store._minutes) == 100
        await registry.put_stream("cam", CAMERA, None)  # nor has anybody to wait for it
        await until(lambda: swept, "a round")
        store.sweep = sweep  # type: ignore[method-assign]
        await until(lambda: not store._minutes, "its removal")

    run(test)


# -- what it costs


def test_readers_hear_of_differences_alone(store: MemoryStore) -> None:
    """A message that names all streams, to every reader and every second, is most of a large registry's work."""

    async def test() -> None:
        clock = Clock()
        registry = begin(store, clock)
        readers = [Reader(registry, f"reader-{n}", capacity=50) for n in range(4)]
        for number in range(40):
            await registry.put_stream(f"cam{number}", CAMERA, None)
        await until(lambda: sum(len(reader.streams) for reader in readers) == 40, "all streams")
        await until(lambda: {reader.messages for reader in readers} and _calm(registry), "calm")
        before = [reader.messages for reader in readers]
        for _ in range(20):
            await seconds(registry, clock, 1)
            for reader in readers:
                await reader.beat()
        assert [reader.messages for reader in readers] == before
        await registry.put_geometry("cam7", DOOR, None)
        owner = next(reader for reader in readers if "cam7" in reader.streams)
        await until(lambda: owner.streams["cam7"].geometry_version == 2, "the new lines")
        assert sum(reader.messages for reader in readers) == sum(before) + 1

    run(test)


def _calm(registry: Registry) -> bool:
    links = registry._assignments._readers.values()
    return all(not link.wake.is_set() and link.changed == set() for link in links)


def test_a_change_whose_caller_hangs_up_is_made_whole(store: MemoryStore) -> None:
    class Slow:
        """The same store, whose answers come when they may."""

        may_answer = threading.Event()

        def __getattr__(self, name: str) -> Any:
            asked = getattr(store, name)
            if name not in ("put_stream", "delete_stream"):
                return asked

            def later(*args: Any, **kwargs: Any) -> Any:
                answer = asked(*args, **kwargs)
                self.may_answer.wait(10)
                return answer

            return later

    async def hung_up(change: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(change)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test() -> None:
        slow = Slow()
        registry = Registry(load(None), slow, Clock())  # type: ignore[arg-type]
        await hung_up(registry.put_stream("new", CAMERA, None))
        slow.may_answer.set()
        await until(lambda: not registry._edits.changes, "the end of the change")
        assert [view.id for view in await registry.list_streams()] == ["new"]
        slow.may_answer.clear()
        await hung_up(registry.delete_stream("new", False))
        slow.may_answer.set()
        await until(lambda: not registry._edits.changes, "the end of the change")
        assert (await registry.list_streams(), store.list_streams()) == ([], [])
        await registry.stop()

    run(test)


# -- nodes


def test_a_reader_on_a_machine_that_does_not_have_the_database_is_refused(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("serve"), "propagate", True)

    async def test() -> None:
        registry = Registry(load(), store, Clock(), node="one")
        for _ in range(3):
            with pytest.raises(SettingsError, match=r"node two.*PostgreSQL"):
                await anext(registry.session(Greeting("reader-2", node="two")))
        assert (await anext(registry.session(Greeting("reader-1", node="one")))).whole
        several = Registry(load(None, database_url="postgresql://footfall@db/footfall"), store, Clock(), node="one")
        assert (await anext(several.session(Greeting("reader-2", node="two")))).whole

    with caplog.at_level(logging.ERROR, "serve.control.registry"):
        run(test)
    assert [record.message for record in caplog.records if "PostgreSQL" in record.message] == [
        "a reader on node two cannot reach the database, a file on node one: "
        "more than one node needs PostgreSQL (database_url)"
    ]
