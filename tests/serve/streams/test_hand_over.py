"""A live stream goes from one reader to another, which has the camera open already."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE
from analytics.counting.zones import ZONES
from analytics.minutes import Totals
from analytics.storage.base import StreamRecord
from serve.streams.rehearsal import Rehearsal
from tests.fakes import MemoryStore, ScriptedSource, Step
from tests.serve.streams.scripted_reader import BEGIN_S, DT, FRAMES, Reader, paused, total
from tests.waiting import wait_until

HANDED_OVER = 400
"""Frames that the first reader analyses."""
JOINED = 380
"""The first frame that the second one sees."""
HELD = 405
"""The frame that comes once the stream is the second one's."""


class House:
    """A camera that two readers may open.

    Args:
        store: of both.
        folder: for their spools.
    """

    def __init__(self, store: MemoryStore, folder: Path) -> None:
        self.store, self._folder = store, folder
        self._ends: list[Callable[[], object]] = []

    def camera(
        self, first: int, last: int, *pauses: int, off_s: float = 0.0
    ) -> tuple[ScriptedSource, list[threading.Event]]:
        """Frames from one number up to another, with the same fingerprints whoever looks; it waits before some."""
        steps: list[Step] = [BEGIN_S + number * DT for number in range(first, last)]
        whole, gates = paused(steps, *(pause - first for pause in pauses))
        self._ends += [gate.set for gate in gates]
        source = ScriptedSource(whole, brighter_per_s=8.0, first_fingerprint=first, off_s=off_s)
        return source, gates

    def reader(self, source: ScriptedSource, rehearsal: Rehearsal | None = None) -> Reader:
        reader = Reader(self.store, self._folder, source, rehearsal)
        reader.collector.add = partial(reader.collector.add, capacity=FRAMES)  # type: ignore[method-assign]
        self._ends.append(reader.crash)
        return reader.start()

    def rehearsal(self, source: ScriptedSource) -> Rehearsal:
        rehearsal = Rehearsal("cam", lambda: source)
        rehearsal.start()
        self._ends.append(rehearsal.end)
        return rehearsal

    def close(self) -> None:
        for end in reversed(self._ends):
            end()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    made = House(store, tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Totals:
    """What one reader counts that has the stream all the time."""
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    alone = House(store, tmp_path_factory.mktemp("spool"))
    reader = alone.reader(alone.camera(0, FRAMES)[0]).until_frames(FRAMES)
    reader.stop()
    alone.close()
    counted = total(store)
    assert counted[LINES]["door"].entered > 5
    return counted


def holding(rehearsal: Rehearsal, frames: int) -> None:
    wait_until(lambda: len(rehearsal.supervisor._held) == frames, 5, f"{frames} frames to be held")


def hand_over(house: House, *, joined: int = JOINED, off_s: float = 0.0) -> Reader:
    """The second reader, once it has the stream and has come to its end."""
    first = house.reader(house.camera(0, HANDED_OVER)[0])
    camera, (gate,) = house.camera(joined, FRAMES, HELD, off_s=off_s)
    rehearsal = house.rehearsal(camera)
    holding(rehearsal, HELD - joined)
    wait_until(lambda: rehearsal.ready, 5, "the two to have seen the same for a while")
    first.until_frames(HANDED_OVER).stop()
    second = house.reader(camera, rehearsal)
    gate.set()
    second.until(lambda: second.worker.status().state == "stopped", "the end")
    second.stop()
    return second


def test_no_frame_is_counted_twice_and_none_is_lost(house: House, truth: Totals) -> None:
    second = hand_over(house)
    assert len(second.frames) == FRAMES - HANDED_OVER
    assert not any(frame.frame.stamp.gap for frame in second.frames)
    assert total(house.store) == truth


@pytest.mark.parametrize(("analysis_fps", "overlap_s"), [(None, 0.5), (4.0, 0.75), (0.5, 2.5), (0.1, 4.0)])
def test_nobody_lets_go_before_both_have_had_the_picture_that_is_analysed_last(
    analysis_fps: float | None, overlap_s: float
) -> None:
    rehearsal = Rehearsal("cam", lambda: ScriptedSource([]), analysis_fps)
    seen = SimpleNamespace(ready=True, held_s=overlap_s - 0.01, holds_all_it_can=False)
    rehearsal.supervisor = seen  # type: ignore[assignment]
    assert not rehearsal.ready
    seen.holds_all_it_can = True  # of pictures that are so large there will never be more
    assert rehearsal.ready
    seen.holds_all_it_can = False
    seen.held_s = overlap_s
    assert rehearsal.ready
    seen.ready = False
    assert not rehearsal.ready


@pytest.mark.parametrize("off_s", [-0.3, 0.3, 2.0])
def test_clocks_of_two_connections_may_differ(house: House, truth: Totals, off_s: float) -> None:
    """What the network did to each connection is no time that passed in front of the camera."""
    second = hand_over(house, off_s=off_s)
    counted = total(house.store)
    assert len(second.frames) == FRAMES - HANDED_OVER
    assert not any(frame.frame.stamp.gap for frame in second.frames)
    assert counted[PEOPLE].frames == truth[PEOPLE].frames
    assert counted[PEOPLE].covered_s == pytest.approx(truth[PEOPLE].covered_s, abs=abs(off_s) + 0.01)
    assert counted[LINES]["door"].entered == truth[LINES]["door"].entered
    assert counted[LINES]["door"].left == truth[LINES]["door"].left
    assert counted[ZONES]["till"].exits == truth[ZONES]["till"].exits
    # Told to the end, the second connection's own times would be those of its clock: they are met slowly.
    times = [frame.frame.stamp.time_s for frame in second.frames]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert DT * 0.979 <= min(steps) <= max(steps) <= DT * 1.021


def test_who_joined_too_late_marks_a_gap(house: House, truth: Totals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.supervisor.MARK_WAIT_S", 0.0)
    second = hand_over(house, joined=HANDED_OVER + 2)
    assert [frame.frame.stamp.gap for frame in second.frames].index(True) == 0
    counted = total(house.store)
    assert counted[PEOPLE].frames == HANDED_OVER + len(second.frames) < truth[PEOPLE].frames


def test_a_new_stream_with_a_camera_that_is_open_begins_without_a_gap(house: House) -> None:
    camera, (gate,) = house.camera(0, 50, 10)
    rehearsal = house.rehearsal(camera)
    holding(rehearsal, 10)
    reader = house.reader(camera, rehearsal)
    gate.set()
    reader.until_frames(40).stop()
    assert not any(frame.frame.stamp.gap for frame in reader.frames)


def test_a_rehearsal_that_nobody_wants_ends(house: House) -> None:
    camera, _ = house.camera(0, 50, 10)
    rehearsal = house.rehearsal(camera)
    holding(rehearsal, 10)
    rehearsal.end()
    rehearsal.thread.join(5)
    assert not rehearsal.thread.is_alive()
    assert camera.closed == 1


def test_a_stream_that_is_taken_away_before_its_first_frame_leaves_nothing(house: House) -> None:
    camera, _ = house.camera(0, 50, 10)
    rehearsal = house.rehearsal(camera)
    holding(rehearsal, 10)
    reader = house.reader(camera, rehearsal)
    reader.stop()
    assert not rehearsal.thread.is_alive()
    assert total(house.store)[PEOPLE].frames == 0
