from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from pipelines.sources.supervisor import StreamState
from serve.control.history import MINUTES, History
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus

NOON_S = 1_790_510_400.0
STATUS = StreamStatus(StreamState.RUNNING, NOON_S, fps_in=15.0, fps_processed=5.0, frame_age_s=0.2)


def noted(minutes: int, history: History | None = None, begun_s: float = NOON_S) -> History:
    """A status every ten seconds, one frame a second more each time within a minute."""
    made = history or History()
    for ten in range(6 * minutes):
        made.note("cam", replace(STATUS, fps_in=10.0 + ten % 6), 0.25, begun_s + 10 * ten)
    return made


def test_a_minute_is_known_once_it_is_over_by_its_mean() -> None:
    history = noted(1)
    assert history.moments("cam") == []
    history.note("cam", STATUS, None, NOON_S + 60)
    (moment,) = history.moments("cam")
    assert moment.minute == NOON_S
    assert moment.values == pytest.approx({"fps_in": 12.5, "fps_processed": 5.0, "frame_age_s": 0.2, "cores": 0.25})


def test_what_is_not_known_is_left_out_and_no_zero() -> None:
    history = History()
    history.note("cam", replace(STATUS, frame_age_s=None, drift=DriftReport(features={"luma": 4.5})), None, NOON_S)
    history.note("cam", STATUS, None, NOON_S + 60)
    (moment,) = history.moments("cam")
    assert moment.values == {"fps_in": 15.0, "fps_processed": 5.0, "luma": 4.5}


def test_only_the_last_hours_are_kept() -> None:
    moments = noted(MINUTES + 100).moments("cam")
    assert len(moments) == MINUTES - 1
    assert moments[-1].minute == NOON_S + 60 * (MINUTES + 98)
    assert [b.minute - a.minute for a, b in itertools.pairwise(moments)] == [60] * (MINUTES - 2)


def test_minutes_in_which_nothing_was_heard_are_missing() -> None:
    history = noted(3)
    noted(2, history, NOON_S + 600)
    assert [int(one.minute - NOON_S) // 60 for one in history.moments("cam")] == [0, 1, 2, 10]


@pytest.mark.parametrize("jump_s", [-7200.0, 86_400.0 * 30])
def test_a_clock_that_jumps_begins_anew(jump_s: float) -> None:
    history = noted(3)
    noted(3, history, NOON_S + jump_s)
    assert [one.minute for one in history.moments("cam")] == [NOON_S + jump_s, NOON_S + jump_s + 60]


def test_streams_that_are_gone_are_forgotten() -> None:
    history = noted(2)
    history.note("other", STATUS, None, NOON_S)
    history.keep(["other"])
    assert history.moments("cam") == []
    assert history.moments("never") == []
