from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.counting.base import Crossing
from analytics.counting.people import PEOPLE
from analytics.events import EventContext, EventMaker
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.spool import Spool
from pipelines.types import FrameStamp
from tests.analytics.storage.minutes import NOON, checkpoint, row
from tests.analytics.storage.test_database import files_no_larger_than
from tests.assigning import assign
from tests.fakes import MemoryStore

ODD = json.dumps({"stream": "cam", "epoch": 1, "rows": [], "state": {}, "resume": None, "time_s": "x"}).encode()


def put_minutes(spool: Spool, count: int, epoch: int = 1) -> None:
    for number in range(count):
        assert spool.put(checkpoint(epoch, row(minute=NOON + 60 * number, epoch=epoch), n=number))


def test_what_was_spooled_comes_back_as_it_was(tmp_path: Path) -> None:
    cut = checkpoint(3, row(epoch=3), row(minute=NOON + 60, epoch=3), resume={"position": {"frame": 7}}, n=[0.1])
    written = replace(cut, cut=17)
    assert Spool(tmp_path, "cam").put(written)
    ((_, waiting),) = Spool(tmp_path, "cam").waiting()  # another process, after a crash
    assert list(waiting.rows) == list(written.rows)
    assert waiting.cut == 17
    assert (waiting.stream, waiting.epoch, waiting.state, waiting.resume, waiting.time_s) == (
        written.stream,
        written.epoch,
        written.state,
        written.resume,
        written.time_s,
    )


def test_what_the_first_version_spooled_is_delivered_too(tmp_path: Path) -> None:
    first = {
        "stream": "cam",
        "minute": NOON,
        "epoch": 1,
        "totals": [60.0, 360, 0.1 + 0.2 + 360, 7],
        "lines": {"door": [3, 4], "gate": [0, 0]},
        "zones": {"till": [1 / 3, 2, 5, 4, [[0, 1], [17, 2]]]},
        "heat": [[36, 64], [[0, 1 / 7], [2303, 4.5]], [[0, 1], [5, 2]]],
    }
    written = {"stream": "cam", "epoch": 1, "rows": [first], "state": {}, "resume": None, "time_s": 1.0}
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / f"{NOON:012d}-00000001.json").write_text(json.dumps(written))
    ((_, waiting),) = Spool(tmp_path, "cam").waiting()
    assert list(waiting.rows) == [row()]


def test_it_is_delivered_in_the_order_in_which_it_was_cut_whatever_the_clock_says(tmp_path: Path) -> None:
    for number in (7, 2, 11, 0):  # by a new process each
        Spool(tmp_path, "cam").put(checkpoint(1, row(minute=NOON + 60 * number), n=number))
    spool = Spool(tmp_path, "cam")
    spool.put(checkpoint(2, row(epoch=2), n=99))
    assert [waiting.state["n"] for _, waiting in spool.waiting()] == [7, 2, 11, 0, 99]


def test_a_checkpoint_without_rows_comes_after_the_rows_that_it_is_ahead_of(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam")
    spool.put(checkpoint(1, row(), resume={"position": 1}, n=1))
    spool.put(Checkpoint("cam", 1, (), {"n": 2}, {"position": 2}, NOON + 61.0))
    spool.put(Checkpoint("cam", 1, (), {"n": 3}, {"position": 3}, NOON + 62.0))
    waiting = [checkpoint for _, checkpoint in spool.waiting()]
    assert [w.state["n"] for w in waiting] == [1, 3]
    assert waiting[-1].resume == {"position": 3}


def test_what_is_written_anew_while_it_is_delivered_waits_for_the_next_time(tmp_path: Path) -> None:
    worker, helper = Spool(tmp_path, "cam"), Spool(tmp_path, "cam")
    worker.put(checkpoint(1, row(frames=10), n=1))
    for path, waiting in helper.waiting():
        assert waiting.state == {"n": 1}
        worker.put(checkpoint(1, row(frames=20), n=2))
        helper.delivered(path)
    assert [waiting.state["n"] for _, waiting in worker.waiting()] == [2]


def test_it_tells_of_which_streams_something_waits(tmp_path: Path) -> None:
    assert Spool.streams(tmp_path / "nowhere") == []
    for name in ("b/../c", "a"):
        Spool(tmp_path, name).put(checkpoint(1, row(name), stream=name))
    emptied = Spool(tmp_path, "gone")
    emptied.put(checkpoint(1, row("gone"), stream="gone"))
    emptied.delivered(next(emptied.waiting())[0])
    assert Spool.streams(tmp_path) == ["a", "b/../c"]


def test_the_checkpoints_of_one_minute_share_a_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam")
    for frames in range(1, 100):
        spool.put(checkpoint(1, row(frames=frames), n=frames))
    assert len(spool) == 1
    ((_, waiting),) = spool.waiting()
    assert waiting.state == {"n": 99}
    assert [r.totals[PEOPLE].frames for r in waiting.rows] == [99]


def test_a_minute_that_ended_in_an_earlier_checkpoint_is_not_lost_with_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam")
    spool.put(checkpoint(1, row(frames=360), row(minute=NOON + 60, frames=5), n=1))
    spool.put(checkpoint(1, row(minute=NOON + 60, frames=50), n=2))  # the first minute was settled by then
    ((_, waiting),) = spool.waiting()
    assert [(r.minute - NOON, r.totals[PEOPLE].frames) for r in waiting.rows] == [(0, 360), (60, 50)]


def test_events_of_checkpoints_that_share_a_file_are_all_there_in_their_order(tmp_path: Path) -> None:
    context = EventContext("cam", "berlin", 1, "nanodet-g")
    crossings = [Crossing("door", number, "in", NOON + number / 8) for number in range(6)]
    events = EventMaker().make(crossings, context, FrameStamp(0, NOON, resume={"position": 1}))
    spool = Spool(tmp_path, "cam")
    for first in (0, 2, 4):
        assert spool.put(replace(checkpoint(1, row(frames=first)), cut=first + 1, events=events[first : first + 2]))
    ((path, waiting),) = Spool(tmp_path, "cam").waiting()
    assert list(waiting.events) == events
    document = json.loads(path.read_text())
    del document["events"]  # as an earlier version wrote it
    path.write_text(json.dumps(document))
    ((_, waiting),) = Spool(tmp_path, "cam").waiting()
    assert (list(waiting.events), list(waiting.rows)) == ([], [row(frames=4)])


def test_streams_and_epochs_do_not_mix(tmp_path: Path) -> None:
    Spool(tmp_path, "a").put(checkpoint(1, row("a"), stream="a"))
    Spool(tmp_path, "b").put(checkpoint(1, row("b"), stream="b"))
    Spool(tmp_path, "a").put(checkpoint(2, row("a", epoch=2), stream="a"))
    assert [(w.stream, w.epoch) for _, w in Spool(tmp_path, "a").waiting()] == [("a", 1), ("a", 2)]
    assert len(list(Spool(tmp_path, "b").waiting())) == 1
    assert list(Spool(tmp_path, "c").waiting()) == []


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    Spool(tmp_path / "spool", "../../evil/x").put(checkpoint(1, row()))
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_what_was_delivered_is_gone_and_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam")
    put_minutes(spool, 4)
    waiting = list(spool.waiting())
    spool.delivered(waiting[0][0])
    spool.refused(*waiting[1])
    spool.delivered(tmp_path / "never there")
    assert len(spool) == 2
    statistics = spool.statistics
    assert (statistics.spooled, statistics.delivered, statistics.lost) == (4, 2, 1)


def test_it_takes_no_more_than_its_share_of_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam", max_bytes=20_000)
    resume = {"position": {"frame": 7}}
    kept = [spool.put(checkpoint(1, row(minute=NOON + 60 * n), resume=resume, n=n)) for n in range(200)]
    stored = sum(path.stat().st_size for path in (tmp_path / "cam").iterdir())
    assert 10_000 < stored <= 20_000
    assert not kept[-1]
    assert spool.statistics.lost == 0  # its source waits
    assert [w.state["n"] for _, w in spool.waiting()] == list(range(kept.count(True)))
    spool.delivered(next(spool.waiting())[0])
    assert spool.put(checkpoint(1, row(minute=NOON + 60 * 500), resume=resume))


def test_of_a_live_camera_the_oldest_minutes_make_room_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam", max_bytes=20_000)
    assert all(spool.put(checkpoint(1, row(minute=NOON + 60 * n), n=n)) for n in range(200))
    assert sum(path.stat().st_size for path in (tmp_path / "cam").iterdir()) <= 20_000
    left = [w.state["n"] for _, w in spool.waiting()]
    assert left == list(range(200 - len(left), 200))
    assert spool.statistics.lost == 200 - len(left)


@pytest.mark.parametrize("max_bytes", [4_000, 9_000, 20_000])
def test_a_minute_that_is_kept_keeps_its_events_and_one_that_is_not_is_lost(tmp_path: Path, max_bytes: int) -> None:
    """The first checkpoint of a minute still holds the one before, whole; the events of that are in its own file."""
    spool = Spool(tmp_path, "cam", max_bytes=max_bytes)
    maker, context = EventMaker(), EventContext("cam", "", 1, "nanodet-g")
    minutes, each = 40, 4
    for number in range(minutes * each):
        time_s = NOON + number * 60 / each + 1
        minute = NOON + 60 * (number // each)
        rows = [
            row(minute=minute, frames=number),
            *([row(minute=minute - 60)] if number % each == 0 and number else []),
        ]
        stamp = FrameStamp(number, time_s)
        events = maker.make([Crossing("door", number, "in", time_s)], context, stamp)
        assert spool.put(replace(checkpoint(1, *rows, n=number), time_s=time_s, events=events))
    waiting = [checkpoint for _, checkpoint in spool.waiting()]
    kept = {row.minute for one in waiting for row in one.rows}
    told = Counter(NOON + 60 * int((event.time_s - NOON) // 60) for one in waiting for event in one.events)
    assert 1 < len(kept) < minutes
    assert told == dict.fromkeys(kept, each)
    times = [event.time_s for one in waiting for event in one.events]
    assert times == sorted(times)
    assert spool.statistics.lost == minutes - len(kept)
    assert sum(path.stat().st_size for path in (tmp_path / "cam").iterdir()) <= max_bytes


def test_what_makes_room_goes_on_in_its_own_epoch(tmp_path: Path) -> None:
    """Another reader has left something of the next epoch, while this one still writes its last rows."""
    stamp = FrameStamp(0, NOON)
    events = EventMaker().make([Crossing("door", 1, "in", NOON + 1)], EventContext("cam", "", 1, ""), stamp)
    assert Spool(tmp_path, "cam").put(replace(checkpoint(1, row()), events=events))
    assert Spool(tmp_path, "cam").put(checkpoint(2, row(minute=NOON + 60, epoch=2)))
    size = max(path.stat().st_size for path in (tmp_path / "cam").iterdir())
    last = Spool(tmp_path, "cam", max_bytes=3 * size)
    assert last.put(checkpoint(1, row(), row(minute=NOON + 60)))
    told = {(one.epoch, event.id) for _, one in last.waiting() for event in one.events}
    assert told == {(1, events[0].id)}
    assert [(one.epoch, len(one.rows)) for _, one in last.waiting()] == [(1, 2), (2, 1)]
    assert last.statistics.lost == 0


def test_what_makes_room_goes_on_in_no_earlier_epoch(tmp_path: Path) -> None:
    """The last rows of an epoch come when two files of the next one are there, and the first of them has to go."""
    stamp = FrameStamp(0, NOON)
    events = EventMaker().make([Crossing("door", 1, "in", NOON + 1)], EventContext("cam", "", 2, ""), stamp)
    later = Spool(tmp_path, "cam")
    assert later.put(replace(checkpoint(2, row(epoch=2)), events=events))
    assert later.put(checkpoint(2, row(epoch=2), row(minute=NOON + 60, epoch=2)))
    assert len(later) == 2
    taken = sum(path.stat().st_size for path in (tmp_path / "cam").iterdir())
    last = Spool(tmp_path, "cam", max_bytes=taken + 200)
    assert last.put(checkpoint(1, row(minute=NOON - 60)))
    assert (len(last), last.statistics.lost) == (2, 0)
    assert [event.id for _, one in last.waiting() for event in one.events] == [events[0].id]


def test_the_newest_minute_can_still_grow_when_it_is_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam", max_bytes=3_000)
    number = 0
    resume = {"position": {"frame": 7}}
    while spool.put(checkpoint(1, row(minute=NOON + 60 * number), resume=resume, n=number)):
        number += 1
    assert spool.put(checkpoint(1, row(minute=NOON + 60 * (number - 1), frames=7), resume=resume, n=number - 1))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"stream": "cam"}', b"\xff\xfe\x00", b'{"rows": [{}]}', ODD])
def test_a_damaged_file_is_set_aside_once_and_the_rest_is_delivered(tmp_path: Path, content: bytes) -> None:
    spool = Spool(tmp_path, "cam")
    put_minutes(spool, 3)
    victim = sorted((tmp_path / "cam").glob("*.json"))[1]
    victim.write_bytes(content)
    assert [w.state["n"] for _, w in spool.waiting()] == [0, 2]
    assert len(spool) == 2
    assert spool.statistics.lost == 1
    assert victim.with_suffix(".damaged").exists()


def test_a_crash_in_the_middle_of_a_write_leaves_what_was_there(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "cam")
    put_minutes(spool, 1)
    path = next(spool.waiting())[0]
    path.with_suffix(".part").write_text('{"half')
    assert [w.state["n"] for _, w in Spool(tmp_path, "cam").waiting()] == [0]
    assert Spool(tmp_path, "cam").put(checkpoint(1, row(), n=5))


def test_a_full_disk_refuses_says_so_once_and_leaves_no_half_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, "cam")
    put_minutes(spool, 1)
    for _ in range(2):
        caplog.clear()
        with files_no_larger_than(4096):
            for _ in range(3):
                assert spool.put(checkpoint(1, row(minute=NOON + 60), pad="x" * 20_000)) is False
        assert [record.levelname for record in caplog.records if "could not be spooled" in record.message] == ["ERROR"]
        assert [path.suffix for path in (tmp_path / "cam").iterdir()] == [".json"]
        assert spool.put(checkpoint(1, row(minute=NOON)))


def test_a_folder_that_cannot_be_made_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file", "cam")
    assert spool.put(checkpoint(1, row())) is False
    assert list(spool.waiting()) == []


def test_a_store_that_gets_it_later_holds_the_same_as_one_that_was_never_away(tmp_path: Path) -> None:
    always, later, spool = MemoryStore(), MemoryStore(), Spool(tmp_path, "cam")
    for store in (always, later):
        store.put_stream(StreamRecord("cam", {}))
        assign(store, "cam", "reader")
    for number in range(30):
        made = checkpoint(1, row(minute=NOON + 60 * (number // 7), frames=number + 1), n=number)
        always.checkpoint(made)
        spool.put(made)
    for path, waiting in spool.waiting():
        later.checkpoint(waiting)
        spool.delivered(path)
    assert later.minutes("cam", 0, 2**40) == always.minutes("cam", 0, 2**40)
    assert later.load_checkpoint("cam") == always.load_checkpoint("cam")
    assert len(spool) == 0
