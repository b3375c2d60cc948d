"""What a reader tells of its streams with each heartbeat."""

from __future__ import annotations

from dataclasses import replace

from pipelines.sources.supervisor import StreamState
from serve.control.messages import Reported
from serve.deployments.reports import EACH_TIME, Reports
from serve.streams.status import StreamStatus

RUNNING = StreamStatus(StreamState.RUNNING, 1.0, frame_age_s=0.1)


def streams(number: int, status: StreamStatus = RUNNING, epoch: int = 1) -> dict[str, Reported]:
    return {f"cam{one}": Reported(epoch, status) for one in range(number)}


def told(reports: Reports, now: dict[str, Reported]) -> dict[str, Reported]:
    chosen = reports.choose(now)
    reports.heard(chosen, now)
    return chosen


def test_at_first_everything_is_told_and_then_each_in_its_turn() -> None:
    reports, all_of_them = Reports(), streams(3 * EACH_TIME)
    assert told(reports, all_of_them) == all_of_them
    turns = [told(reports, streams(3 * EACH_TIME, replace(RUNNING, frames=10 * turn))) for turn in range(1, 4)]
    assert [len(turn) for turn in turns] == [EACH_TIME] * 3
    assert {name for turn in turns for name in turn} == all_of_them.keys()
    assert all(one.status.frames == 30 for one in turns[2].values())  # as they are now


def test_few_streams_are_told_of_each_time() -> None:
    reports = Reports()
    for turn in range(3):
        assert len(told(reports, streams(EACH_TIME, replace(RUNNING, frames=turn)))) == EACH_TIME


def test_what_happens_is_told_at_once() -> None:
    for news in (
        {"state": StreamState.RECONNECTING},
        {"error": "connection refused"},
        {"reconnects": 1},
        {"spooled": 1},
        {"frame_age_s": 1.3},
    ):
        reports, now = Reports(), streams(4 * EACH_TIME)
        told(reports, now)
        last = f"cam{4 * EACH_TIME - 1}"
        changed = now | {last: Reported(1, replace(RUNNING, **news))}
        assert last in told(reports, changed), news
        assert last not in told(reports, changed), news  # that was told


def test_however_much_happens_to_others_each_has_its_turn() -> None:
    """Of a dark camera the newest frame grows older all the time."""
    reports, healthy = Reports(), streams(3 * EACH_TIME)
    heard: set[str] = set()
    for second in range(2, 10):
        dark = {f"dark{one}": Reported(1, replace(RUNNING, frame_age_s=1.1 * second)) for one in range(2 * EACH_TIME)}
        if second > 2:
            heard |= told(reports, healthy | dark).keys() & healthy.keys()
        else:
            told(reports, healthy | dark)
    assert heard == healthy.keys()


def test_another_epoch_is_told_at_once() -> None:
    reports, now = Reports(), streams(4 * EACH_TIME)
    told(reports, now)
    assert told(reports, streams(4 * EACH_TIME, epoch=2)).keys() == now.keys()


def test_what_nobody_heard_is_told_again() -> None:
    reports, now = Reports(), streams(4 * EACH_TIME)
    assert len(reports.choose(now)) == len(reports.choose(now)) == len(now)
    reports.heard(reports.choose(now), now)
    assert len(reports.choose(now)) == EACH_TIME


def test_streams_that_went_are_forgotten_and_told_of_when_they_come_back() -> None:
    reports = Reports()
    told(reports, streams(4 * EACH_TIME))
    told(reports, {})
    assert len(told(reports, streams(4 * EACH_TIME))) == 4 * EACH_TIME
