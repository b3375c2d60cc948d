from __future__ import annotations

import logging
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE
from analytics.counting.zones import ZONES
from analytics.errors import StoreError
from analytics.geometry import Geometry, Line
from analytics.minutes import Totals
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.spool import Spool
from pipelines.sources.base import Reached
from serve.streams import worker as worker_module
from serve.streams.delivery import Leftovers
from tests.assigning import assign
from tests.fakes import SMALL_INPUT, MemoryStore, ScriptedSource, Step
from tests.serve.streams.scripted_reader import BEGIN_S, DT, FRAMES, GEOMETRY, Reader, paused, script, total

Make = Callable[..., Reader]


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.put_stream(StreamRecord("cam", {}))
    return made


@pytest.fixture
def make(store: MemoryStore, tmp_path: Path) -> Iterator[Make]:
    """Makes readers, and ends them."""
    made: list[Reader] = []

    def reader(*steps: Step, live: bool = False, origin: str = "", **spool: int) -> Reader:
        source = ScriptedSource(steps or script(), live=live, brighter_per_s=8.0)
        made.append(Reader(store, tmp_path / "spool", source, origin=origin, **spool))
        return made[-1]

    yield reader
    store.away = False
    for one in made:
        one.crash()


def undisturbed() -> Totals:
    """The counts of the whole recording, from a worker that nothing happens to."""
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    source = ScriptedSource(script(), live=False, brighter_per_s=8.0)
    reader = Reader(store, Path("/nowhere"), source).start().until_frames(FRAMES)
    reader.stop()
    return total(store)


@pytest.fixture(scope="module")
def truth() -> Totals:
    counted = undisturbed()
    assert counted[PEOPLE].frames == FRAMES
    assert counted[PEOPLE].covered_s == (FRAMES - 1) * DT
    assert counted[LINES]["door"].entered > 5
    assert counted[ZONES]["till"].exits > 3
    return counted


# -- events


def told(store: MemoryStore, kind: str = "footfall.crossing.v1") -> list[tuple[str, float]]:
    """Ids and times of all events of a type, in their order."""
    return [(event.id, event.time_s) for event in store.events if event.type == kind]


def undisturbed_store(live: bool = False) -> MemoryStore:
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    source = ScriptedSource(script(), live=live, brighter_per_s=8.0)
    Reader(store, Path("/nowhere"), source).start().until_frames(FRAMES).stop()
    return store


def test_events_are_those_of_the_counts_each_in_its_frame(make: Make, store: MemoryStore) -> None:
    make().start().until_frames(FRAMES).stop()
    counted = total(store)
    kinds = Counter(event.type for event in store.events)
    door, till = counted[LINES]["door"], counted[ZONES]["till"]
    assert kinds["footfall.crossing.v1"] == door.entered + door.left > 10
    assert (kinds["footfall.zone-entry.v1"], kinds["footfall.zone-exit.v1"]) == (till.entries, till.exits)
    directions = Counter(e.data["direction"] for e in store.events if e.type == "footfall.crossing.v1")
    assert directions == {"in": door.entered, "out": door.left}
    times = [event.time_s for event in store.events]
    assert times == sorted(times)
    assert len({event.id for event in store.events}) == len(times)
    assert {(e.context.stream, e.context.epoch) for e in store.events} == {("cam", 1)}


@pytest.mark.parametrize(("checkpoint_at", "crash_at"), [(1, 1), (100, 300), (479, 485), (600, 720)])
def test_after_a_crash_every_event_is_there_once_with_the_id_that_it_would_have_had(
    make: Make, store: MemoryStore, checkpoint_at: int, crash_at: int
) -> None:
    steps, (first, second) = paused(script(), checkpoint_at, crash_at)
    victim = make(*steps).start().until_frames(checkpoint_at)
    victim.worker.checkpoint()
    first.set()
    victim.until_frames(crash_at)
    victim.crash()
    heir = make().start()
    heir.until(lambda: heir.worker.status().state == "stopped", "the end of the recording")
    heir.stop()
    truth = undisturbed_store()
    for kind in ("footfall.crossing.v1", "footfall.zone-entry.v1", "footfall.zone-exit.v1"):
        assert told(store, kind) == told(truth, kind)
    second.set()


def test_events_wait_on_disk_with_their_rows_while_the_database_is_away(make: Make, store: MemoryStore) -> None:
    steps, gates = paused(script(), 200, 300, 400)
    reader = make(*steps).start()
    for place, gate in zip((200, 300, 400), gates, strict=True):
        reader.until_frames(place)
        store.away = place < 400
        reader.worker.checkpoint()
        gate.set()
    reader.until_frames(FRAMES).stop()
    assert told(store) == told(undisturbed_store())


def test_what_memory_had_no_room_for_is_told_no_more_than_it_is_counted(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MINUTES_IN_MEMORY", 1)
    gate = threading.Event()
    times = [BEGIN_S + number * DT for number in range(FRAMES)]
    reader = make(*times, gate.wait, live=True, max_bytes=10)  # type: ignore[arg-type]
    reader.collector.add = partial(reader.collector.add, capacity=FRAMES)  # type: ignore[method-assign]
    reader.start().until_frames(FRAMES)
    store.away = True
    reader.worker.checkpoint()
    assert reader.worker.status().rows_lost > 0
    store.away = False
    reader.worker.checkpoint()
    counted = total(store)[LINES]["door"]
    assert len(told(store)) == counted.entered + counted.left > 0
    gate.set()


def test_a_stream_has_news_until_they_are_stored(make: Make, store: MemoryStore) -> None:
    steps, (gate,) = paused(script(), 300)
    reader = make(*steps).start().until_frames(300)
    assert reader.worker.has_news
    store.away = True
    reader.worker.checkpoint()
    store.away = False
    assert not reader.worker.has_news  # it is on disk, and goes with the next round
    gate.set()
    reader.until_frames(FRAMES)
    assert not reader.worker.has_news  # the database is away, as far as is known
    reader.worker.checkpoint()
    assert not reader.worker.has_news
    reader.stop()
    assert told(store) == told(undisturbed_store())


# -- crashes and hand-overs


@pytest.mark.parametrize(("checkpoint_at", "crash_at"), [(1, 1), (100, 100), (100, 300), (479, 485), (600, 720)])
def test_counts_after_a_crash_are_exactly_those_of_an_undisturbed_run(
    make: Make, store: MemoryStore, truth: Totals, checkpoint_at: int, crash_at: int
) -> None:
    steps, (first, second) = paused(script(), checkpoint_at, crash_at)
    victim = make(*steps).start().until_frames(checkpoint_at)
    victim.worker.checkpoint()
    first.set()
    victim.until_frames(crash_at)
    victim.crash()
    heir = make().start()
    heir.until(lambda: heir.worker.status().state == "stopped", "the end of the recording")
    heir.stop()
    assert heir.source.resumed_at == {"frame": checkpoint_at - 1}
    assert total(store) == truth
    assert {row.epoch for row in store.minutes("cam", 0, 2**40)} == {1, 2}
    second.set()


def test_counts_survive_a_crash_every_few_frames(make: Make, store: MemoryStore, truth: Totals) -> None:
    done = 0
    while done < FRAMES:
        steps, _ = paused(script(), min(done + 90, FRAMES))
        reader = make(*steps).start()
        reader.until_frames(min(90, FRAMES - done))
        reader.worker.checkpoint()
        reader.crash()
        done += 90
    assert total(store) == truth
    assert len({row.epoch for row in store.minutes("cam", 0, 2**40)}) == 8


def test_a_planned_hand_over_loses_nothing(make: Make, store: MemoryStore, truth: Totals) -> None:
    steps, _ = paused(script(), 333)
    first = make(*steps).start().until_frames(333)
    first.stop()
    second = make().start().until_frames(FRAMES - 333)
    second.stop()
    assert total(store) == truth
    assert [frame.frame.stamp.index for frame in second.frames][:2] == [333, 334]


def test_ids_of_people_survive_a_hand_over(make: Make) -> None:
    steps, _ = paused(script(), 200)
    first = make(*steps).start().until_frames(200)
    first.stop()
    second = make().start().until_frames(10)
    assert set(second.frames[0].tracks.ids.tolist()) <= set(first.frames[-1].tracks.ids.tolist())
    assert len(second.frames[0].tracks) > 0


@pytest.mark.parametrize("step_s", [-3600.0, -50.0, 5.0, 3600.0])
def test_a_live_camera_goes_on_with_a_gap_and_the_time_that_it_tells_now(
    make: Make, store: MemoryStore, step_s: float
) -> None:
    times = [BEGIN_S + number * DT for number in range(30)]
    first = make(*times, live=True).start()
    first.until(lambda: first.worker.status().state == "stopped", "the end of the script")
    first.until(lambda: first.frames and first.frames[-1].frame.stamp.time_s == times[-1], "the newest frame")
    first.stop()
    second = make(times[-1] + step_s, times[-1] + step_s + DT, live=True).start()
    second.until(lambda: second.frames, "a frame")
    stamp = second.frames[0].frame.stamp
    assert stamp.gap
    assert stamp.time_s >= times[-1] + step_s
    assert stamp.time_s <= times[-1] + step_s + DT
    assert stamp.resume is None


def test_minutes_that_a_clock_shows_again_once_it_is_set_back_add_up_in_the_store(
    make: Make, store: MemoryStore
) -> None:
    ahead = script(1000)
    set_back: list[Step] = [(BEGIN_S + number * DT, {"frame": 1000 + number}) for number in range(1000)]
    steps, (stored,) = paused(ahead + set_back, 1000)
    reader = make(*steps).start().until_frames(1000)
    assert reader.worker.checkpoint()
    stored.set()
    reader.until_frames(1998)  # two were left out until a third one agreed
    reader.stop()
    counted = total(store)[PEOPLE]
    assert counted.frames == 1998
    assert counted.covered_s == (999 + 997) * DT
    assert [number for number, frame in enumerate(reader.frames) if frame.frame.stamp.gap] == [1000]


def test_a_first_worker_begins_with_what_comes(make: Make) -> None:
    reader = make().start().until_frames(1)
    assert reader.source.resumed_at is None
    assert not reader.frames[0].frame.stamp.gap


@pytest.mark.parametrize(
    "state",
    [{}, {"format": "stream-0"}, {"format": "stream-1"}, {"format": "stream-1", "tracker": {}, "observer": {}}],
)
def test_a_state_of_another_version_is_left_behind_and_the_place_kept(
    make: Make, store: MemoryStore, state: dict[str, Any]
) -> None:
    epoch = assign(store, "cam", "old version")
    resume = {"position": {"frame": 9}, "timeline": {"of": "another version"}}
    store.checkpoint(Checkpoint("cam", epoch, (), state, resume, BEGIN_S))
    reader = make().start().until_frames(FRAMES - 10)
    assert reader.source.resumed_at == {"frame": 9}


def test_what_was_stored_and_cannot_be_read_is_told_and_not_begun_without(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.streams.worker.UNREADABLE_S", 0.01)
    begin = store.begin

    def damaged(stream: str, epoch: int) -> Checkpoint | None:
        raise zlib.error("incorrect header check")

    store.begin = damaged  # type: ignore[method-assign]
    reader = make().start()
    reader.until(lambda: reader.worker.status().error_code == "store-error", "the error")
    assert "cannot be read" in (reader.worker.status().error or "")
    assert reader.frames == []
    store.begin = begin  # type: ignore[method-assign]
    reader.until_frames(FRAMES)
    assert reader.worker.status().error is None


def test_a_stream_that_another_reader_has_by_now_is_not_opened(make: Make, store: MemoryStore) -> None:
    late = make()
    assign(store, "cam", "somebody else")
    late.start()
    assert late.worker.join(5)
    assert late.worker.fenced
    assert late.frames == []
    assert late.worker.status().state == "starting"  # its camera was never asked for anything


# -- the database is away


@pytest.mark.parametrize("room", [{}, {"max_bytes": 1}], ids=["on disk", "in memory"])
def test_whoever_comes_next_hears_that_the_database_is_away_wherever_the_rows_are_kept(
    make: Make, store: MemoryStore, room: dict[str, int]
) -> None:
    steps, (gate,) = paused(script(), 100)
    reader = make(*steps, **room).start().until_frames(100)
    store.away = True
    assert not reader.worker.checkpoint()
    store.away = False
    assert reader.worker.checkpoint()
    gate.set()
    reader.stop()


def test_rows_wait_on_disk_while_the_database_is_away_and_are_delivered(
    make: Make, store: MemoryStore, truth: Totals
) -> None:
    steps, gates = paused(script(), 100, 300, 600)
    reader = make(*steps).start().until_frames(100)
    reader.worker.checkpoint()
    store.away = True
    for gate, place in zip(gates[:2], (300, 600), strict=True):
        gate.set()
        reader.until_frames(place)
        reader.worker.checkpoint()
        status = reader.worker.status()
        assert status.spooled > 0
        assert (status.state, status.error_code) == ("running", "store-unavailable")
    store.away = False
    assert total(store)[PEOPLE].frames == 100
    reader.worker.checkpoint()
    status = reader.worker.status()
    assert (status.spooled, status.error, status.rows_lost) == (0, None, 0)
    gates[2].set()
    reader.until_frames(FRAMES)
    reader.stop()
    assert total(store) == truth


def test_a_source_that_can_wait_does_so_while_neither_database_nor_disk_takes_rows(
    make: Make, store: MemoryStore, truth: Totals
) -> None:
    steps, (gate,) = paused(script(), 300)
    reader = make(*steps, max_bytes=10).start().until_frames(300)
    store.away = True
    reader.worker.checkpoint()
    status = reader.worker.status()
    assert (status.spooled, status.error_code) == (0, "store-unavailable")
    gate.set()
    mailbox = reader.worker._mailbox
    assert mailbox is not None
    reader.until(lambda: len(mailbox._waiting) == mailbox._capacity, "frames that wait")
    reader.worker.checkpoint()
    assert len(reader.frames) == 300  # memory does not grow
    store.away = False
    reader.worker.checkpoint()
    reader.until_frames(FRAMES)
    reader.stop()
    assert total(store) == truth
    assert reader.worker.status().rows_lost == 0


def test_of_a_live_camera_a_bounded_time_is_kept_in_memory_and_the_rest_is_counted(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MINUTES_IN_MEMORY", 3)
    gate = threading.Event()
    minutes = [BEGIN_S + number for number in range(600)]
    reader = make(*minutes, gate.wait, live=True, max_bytes=10)  # type: ignore[arg-type]
    reader.collector.add = partial(reader.collector.add, capacity=600)  # type: ignore[method-assign]
    store.away = True
    reader.start()
    store.away = False
    reader.until_frames(600)
    store.away = True
    reader.worker.checkpoint()
    assert reader.worker.status().rows_lost == 7
    store.away = False
    reader.worker.checkpoint()
    assert len(store.minutes("cam", 0, 2**40)) == 3
    gate.set()


def test_frames_that_were_skipped_stay_counted_while_none_waits(make: Make) -> None:
    reader = make(*(BEGIN_S + number * DT for number in range(300)), live=True).start()
    reader.until(lambda: reader.worker.status().state == "stopped", "the end")
    reader.until(lambda: len(reader.worker._mailbox or ()) == 0, "the last frame")
    skipped = reader.worker.status().skipped
    reader.stop()
    assert skipped == 300 - len(reader.frames) > 0


def test_whatever_keeps_rows_from_being_stored_is_seen_and_said_once(
    make: Make, store: MemoryStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that was played to its end is stopped, and still owes its rows."""
    monkeypatch.setattr(logging.getLogger("serve"), "propagate", True)

    def overflow(checkpoint: Checkpoint) -> None:
        raise OverflowError("Python int too large to convert to SQLite INTEGER")

    reader = make().start().until_frames(FRAMES)
    reader.until(lambda: reader.worker.status().state == "stopped", "the end")
    store.checkpoint = overflow  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR, "serve.streams.worker"):
        for _ in range(5):
            reader.worker.checkpoint()
    assert len(caplog.records) == 1
    status = reader.worker.status()
    assert (status.state, status.error_code) == ("stopped", "store-error")
    reader.until(lambda: reader.worker.status().unsaved_s > 0, "a figure for it")
    assert "OverflowError" in (status.error or "")


def test_a_camera_that_hangs_does_not_hold_up_its_drain(make: Make, store: MemoryStore) -> None:
    hung, connecting = threading.Event(), threading.Event()
    reader = make(live=True)
    reader.source.on_connect = lambda: (connecting.set(), hung.wait(30))
    reader.start()
    reader.until(connecting.is_set, "a camera that is being opened")
    reader.worker.drain()
    assert reader.worker._thread.is_alive()
    assert reader.worker.join(0) is False
    hung.set()
    assert reader.worker.join(5) is True
    assert reader.frames == []


def test_a_worker_waits_for_the_database_rather_than_begin_at_zero(
    make: Make, store: MemoryStore, truth: Totals
) -> None:
    steps, _ = paused(script(), 200)
    first = make(*steps).start().until_frames(200)
    first.stop()
    second = make()
    store.away = True
    second.start()
    second.until(lambda: second.worker.status().error_code == "store-unavailable", "the error")
    assert second.worker.status().state == "starting"
    assert second.frames == []
    store.away = False
    second.until_frames(FRAMES - 200)
    second.stop()
    assert total(store) == truth


def test_what_an_earlier_process_spooled_is_delivered_and_gone_on_from(
    make: Make, store: MemoryStore, truth: Totals
) -> None:
    steps, _ = paused(script(), 100)
    first = make(*steps).start().until_frames(100)
    store.away = True
    first.worker.checkpoint()
    first.crash()
    store.away = False
    second = make().start().until_frames(FRAMES - 100)
    second.worker.checkpoint()
    status = second.worker.status()
    assert (status.spooled, status.rows_lost) == (0, 0)
    assert second.source.resumed_at is not None
    assert total(store) == truth


def test_state_of_another_source_is_not_taken_up(make: Make, store: MemoryStore) -> None:
    steps, _ = paused(script(), 100)
    first = make(*steps, origin="another camera").start().until_frames(100)
    first.worker.checkpoint()
    first.crash()
    second = make().start().until_frames(FRAMES)
    assert second.source.resumed_at is None


def test_each_place_is_of_the_source_that_it_was_reached_in(
    make: Make, store: MemoryStore, truth: Totals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers of one topic mean something else in another, also where nothing was seen in it."""
    monkeypatch.setattr(worker_module, "PLACE_S", 0.0)
    caplog.set_level(logging.INFO)
    steps, _ = paused(script(), 100)
    first = make(*steps, origin="a").start().until_frames(100)
    first.worker.checkpoint()
    first.crash()
    waiting, _ = paused(script(), 0)
    for expected in (None, {"offset": 77}):  # whoever goes on with it, too
        silent = make(*waiting, origin="b")
        silent.source.has_reached = Reached(0, {"offset": 77})
        silent.start()
        silent.until(lambda one=silent: one.worker._supervisor and one.worker._supervisor.place(), "the place")  # type: ignore[misc]
        silent.worker.checkpoint()
        silent.crash()
        assert silent.source.resumed_at == expected
    again = make(origin="a").start()
    again.until(lambda: again.worker.status().state == "stopped", "the end of the recording")
    again.stop()
    assert again.source.resumed_at == {"frame": 99}
    assert caplog.text.count("another source: it begins anew") == 2
    assert total(store) == truth  # all of it once


@pytest.mark.parametrize("frames", range(40, 200, 40))
def test_who_was_there_when_another_source_was_chosen_has_left(
    make: Make, store: MemoryStore, truth: Totals, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a light that they have switched on would burn for ever."""
    steps, _ = paused(script(), frames)
    first = make(*steps, origin="another camera").start().until_frames(frames)
    first.worker.checkpoint()
    first.crash()
    next_day = [(time_s + 86_400, place) for time_s, place in script()]
    monkeypatch.setattr(worker_module, "PLACE_S", 0.0)
    waiting, (gate,) = paused(next_day, 0)
    silent = make(*waiting)
    silent.source.has_reached = Reached(0, {"offset": 77})  # something was read, and nothing shown so far
    silent.start()
    silent.until(lambda: silent.worker._supervisor and silent.worker._supervisor.place(), "the place")
    silent.worker.checkpoint()
    gate.set()
    silent.crash()
    make(*next_day).start().until_frames(FRAMES).stop()
    totals, whole = total(store)[ZONES]["till"], truth[ZONES]["till"]
    assert totals.entries - totals.exits == whole.entries - whole.exits  # who is there at its end
    kinds = Counter(event.type for event in store.events)
    assert (kinds["footfall.zone-entry.v1"], kinds["footfall.zone-exit.v1"]) == (totals.entries, totals.exits)


def test_what_no_retry_mends_is_told_and_still_owed(make: Make, store: MemoryStore, truth: Totals) -> None:
    reader = make().start().until_frames(FRAMES)
    refusing = store.checkpoint

    def refuse(checkpoint: Checkpoint) -> None:
        raise StoreError("the database refuses: a constraint")

    store.checkpoint = refuse  # type: ignore[method-assign]
    reader.worker.checkpoint()
    assert "a constraint" in (reader.worker.status().error or "")
    store.checkpoint = refusing  # type: ignore[method-assign]
    reader.worker.checkpoint()
    assert reader.worker.status().error is None
    assert total(store) == truth


# -- fencing


def test_a_reader_that_lost_its_stream_writes_nothing_more(make: Make, store: MemoryStore) -> None:
    steps, (gate,) = paused(script(), 100)
    zombie = make(*steps).start().until_frames(100)
    zombie.worker.checkpoint()
    before = total(store)
    assign(store, "cam", "somebody else")
    gate.set()
    zombie.until_frames(FRAMES)
    zombie.worker.checkpoint()
    assert zombie.worker.fenced
    zombie.worker.checkpoint()
    zombie.stop()
    assert total(store) == before


def test_a_zombie_on_the_disk_of_its_heir_changes_no_count(make: Make, store: MemoryStore, truth: Totals) -> None:
    """It is frozen, its heir begins, it wakes up while the database is away, and spools into the heir's folder."""
    steps, (gate,) = paused(script(), 100)
    zombie = make(*steps).start().until_frames(100)
    zombie.worker.checkpoint()
    rest, (later,) = paused(script(), 101)
    heir = make(*rest).start()
    heir.until(lambda: heir.source.connected, "the heir's beginning")
    store.away = True
    gate.set()
    zombie.until_frames(FRAMES)
    zombie.worker.checkpoint()
    assert zombie.worker.status().spooled
    store.away = False
    later.set()
    heir.until_frames(FRAMES - 100)
    heir.stop()
    zombie.crash()
    assert total(store) == truth
    assert heir.worker.status().rows_lost == 0


def test_rows_of_a_live_camera_that_wait_on_another_machine_are_delivered_by_whoever_runs_there(
    make: Make, store: MemoryStore, tmp_path: Path
) -> None:
    gate = threading.Event()
    first = make(BEGIN_S, BEGIN_S + 1, gate.wait, live=True).start().until_frames(1)  # type: ignore[arg-type]
    store.away = True
    first.worker.checkpoint()
    gate.set()
    first.crash()
    store.away = False
    store._wall_clock = lambda: BEGIN_S + 10
    moved = assign(store, "cam", "reader on another machine")
    store.begin("cam", moved)
    store.write("cam", moved, [], n=2)
    Leftovers(tmp_path / "spool", store, lambda: ["cam"]).deliver()
    assert store.minutes("cam", 0, 2**40) == []  # its worker will do it
    Leftovers(tmp_path / "spool", store, list).deliver()
    assert [row.epoch for row in store.minutes("cam", 0, 2**40)] == [first.epoch]
    saved = store.load_checkpoint("cam")
    assert saved is not None
    assert saved.state == {"n": 2}
    assert Spool.streams(tmp_path / "spool") == []


# -- places and times that move by themselves


def test_the_place_of_a_silent_camera_moves_on_in_the_store(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its topic is full of others' messages; a restart would read them all again."""
    monkeypatch.setattr(worker_module, "PLACE_S", 0.0)
    steps, _ = paused(script(), 50)
    reader = make(*steps).start().until_frames(50)
    reader.worker.checkpoint()
    written = store.checkpoints_written
    reader.worker.checkpoint()
    assert store.checkpoints_written == written  # nothing has moved
    reader.source.has_reached = Reached(50, {"frame": 49, "others": 6010})
    reader.worker.checkpoint()
    saved = store.load_checkpoint("cam")
    assert saved is not None
    assert saved.resume is not None
    assert saved.resume["position"] == {"frame": 49, "others": 6010}
    assert reader.source.acknowledged[-1] == {"frame": 49, "others": 6010}
    assert total(store)[PEOPLE].frames == 50
    reader.source.has_reached = Reached(51, {"frame": 50, "others": 7000})  # a frame that is still on its way
    reader.worker.checkpoint()
    assert store.load_checkpoint("cam") == saved


def test_a_place_without_any_frame_is_stored_and_gone_on_from(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "PLACE_S", 0.0)
    steps, (gate,) = paused(script(), 0)
    reader = make(*steps)
    reader.source.has_reached = Reached(0, {"offset": 77})
    reader.start()
    reader.until(lambda: reader.worker._supervisor and reader.worker._supervisor.place(), "the place")
    reader.worker.checkpoint()
    gate.set()
    reader.crash()
    second = make().start()
    second.until(lambda: second.source.connected, "the next worker")
    assert second.source.resumed_at == {"offset": 77}


def test_time_that_runs_back_for_hours_goes_on_in_another_epoch(make: Make, store: MemoryStore) -> None:
    hours = 5 * 3600.0
    steps: list[Step] = [(BEGIN_S + n * DT, {"frame": n}) for n in range(100)]
    steps += [(BEGIN_S - hours + n * DT, {"frame": 100 + n}) for n in range(100)]
    first = make(*steps).start()
    first.until(lambda: first.worker.over, "the end of the epoch")
    assert not first.worker.fenced
    first.stop()
    second = make(*steps).start()
    second.until(lambda: second.worker.status().state == "stopped", "the end of the script")
    second.stop()
    days = {row.minute < BEGIN_S - 3600: row.epoch for row in store.minutes("cam", 0, 2**40)}
    assert days == {False: first.epoch, True: second.epoch}
    assert total(store)[PEOPLE].frames >= 195  # but for those that nobody believed so soon


# -- the rest of a worker's life


def test_a_source_hears_only_of_what_is_stored(make: Make, store: MemoryStore) -> None:
    steps, (first, _) = paused(script(), 50, 120)
    reader = make(*steps).start().until_frames(50)
    assert reader.source.acknowledged == []
    reader.worker.checkpoint()
    assert reader.source.acknowledged == [{"frame": 49}]
    store.away = True
    first.set()
    reader.until_frames(120)
    store.away = False
    reader.worker.checkpoint()
    assert reader.source.acknowledged[-1] == {"frame": 119}


def test_nothing_new_is_nothing_to_write(make: Make, store: MemoryStore) -> None:
    steps, _ = paused(script(), 50)
    reader = make(*steps)
    reader.worker.checkpoint()
    reader.start().until_frames(50)
    reader.worker.checkpoint()
    written = store.checkpoints_written
    for _ in range(5):
        reader.worker.checkpoint()
    assert store.checkpoints_written == written


def test_stopping_is_idempotent_and_possible_at_any_time(make: Make, store: MemoryStore) -> None:
    never_started = make()
    never_started.worker.stop()
    running = make().start().until_frames(10)
    running.worker.stop()
    written = total(store)[PEOPLE].frames
    running.worker.stop()
    assert total(store)[PEOPLE].frames == written >= 10
    waiting = make()
    store.away = True
    waiting.start()
    waiting.until(lambda: waiting.worker.status().error, "the missing database")
    begun = time.monotonic()
    waiting.worker.stop()
    assert time.monotonic() - begun < 3


def test_lines_that_are_drawn_while_it_runs_count_from_then_on(make: Make, store: MemoryStore) -> None:
    steps, (gate,) = paused(script(), 200)
    reader = make(*steps).start().until_frames(200)
    reader.worker.use_geometry(Geometry((*GEOMETRY.lines, Line("late", (0.4, 0.0), (0.4, 1.0))), ()))
    gate.set()
    reader.until_frames(FRAMES)
    reader.stop()
    counted = total(store)
    assert 0 < counted[LINES]["late"].entered < counted[LINES]["door"].entered


def test_pictures_travel_only_while_somebody_looks(make: Make) -> None:
    steps, (gate,) = paused(script(), 50)
    reader = make(*steps).start().until_frames(50)
    assert reader.frames[-1].frame.video_frame is None
    reader.worker.keep_video_frames(True)
    gate.set()
    reader.until_frames(FRAMES)
    assert reader.frames[-1].frame.video_frame is not None


def test_the_status_is_what_the_api_shows(make: Make) -> None:
    steps, _ = paused(script(), 50)
    reader = make(*steps)
    assert reader.worker.status().state == "starting"
    reader.start().until_frames(50)
    status = reader.worker.status()
    assert (status.state, status.frames, status.codec, status.skipped) == ("running", 50, "scripted", 0)
    assert (status.width, status.height) == (SMALL_INPUT[1], SMALL_INPUT[0])
    assert status.fps_processed > 0
    assert status.frame_age_s == pytest.approx(max(0.0, time.time() - BEGIN_S - 49 * DT), abs=5)
