from __future__ import annotations

from dataclasses import replace

import pytest

from analytics.alerts.book import SERVICE
from analytics.alerts.opening_hours import OpeningHours
from analytics.alerts.rules import RULES
from analytics.drift.causes import Cause, PeopleCause, Verdict
from pipelines.sources.supervisor import StreamState
from serve.control.problems import RULE_OF_CAUSE, Limits, WatchedService, WatchedStream, is_judged, problems
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus

NOON_S = 1_790_510_400.0  # a Sunday
ALWAYS = OpeningHours.from_document(None)
LIMITS = Limits(nobody_s=3600, oldest_work_s=10, least_disk_share=0.05)
WELL = StreamStatus(StreamState.RUNNING, NOON_S - 600, frame_age_s=0.2, person_s=NOON_S - 60, drift=DriftReport())


def stream(status: StreamStatus = WELL, **changes: object) -> WatchedStream:
    return replace(WatchedStream("cam", True, True, status, True, ALWAYS), **changes)  # type: ignore[arg-type]


def found(*streams: WatchedStream, service: WatchedService | None = None) -> list[tuple[str, str]]:
    told = problems(streams, service or WatchedService(), LIMITS, NOON_S)
    return [(one.rule, one.subject) for one in told]


def broken(state: StreamState, code: str) -> StreamStatus:
    return replace(WELL, state=state, error="in words", error_code=code)


def test_what_is_well_is_no_problem() -> None:
    assert found(stream()) == []


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        (broken(StreamState.RECONNECTING, "source-unreachable"), "camera-down"),
        (broken(StreamState.FAILED, "source-unauthorized"), "camera-down"),
        (broken(StreamState.STARTING, "source-not-found"), "camera-down"),
        (broken(StreamState.RECONNECTING, "source-stalled"), "camera-silent"),
        (broken(StreamState.RUNNING, "overloaded"), "camera-overloaded"),
        (broken(StreamState.RUNNING, "detector-unavailable"), "work-too-old"),
        (replace(WELL, frame_age_s=11.0), "work-too-old"),
    ],
)
def test_each_state_has_its_rule(status: StreamStatus, rule: str) -> None:
    assert found(stream(status)) == [(rule, "cam")]
    (problem,) = problems([stream(status)], WatchedService(), LIMITS, NOON_S)
    assert problem.detail


@pytest.mark.parametrize("code", ["no-reader", "store-unavailable", "detector-unavailable"])
def test_what_is_wrong_in_here_is_not_the_cameras_fault(code: str) -> None:
    assert ("camera-down", "cam") not in found(stream(broken(StreamState.STARTING, code)))


def test_every_cause_has_a_rule_of_its_own() -> None:
    causes = [*(cause.value for cause in Cause), *(cause.value for cause in PeopleCause)]
    assert set(RULE_OF_CAUSE) == set(causes)
    assert len(set(RULE_OF_CAUSE.values())) == len(causes)
    assert set(RULE_OF_CAUSE.values()) <= RULES.keys()
    for cause in causes:
        report = DriftReport((Verdict(cause, "with numbers", NOON_S),), True, True)
        assert found(stream(replace(WELL, drift=report))) == [(RULE_OF_CAUSE[cause], "cam")]


@pytest.mark.parametrize("changes", [{"enabled": False}, {"heard": False}])
def test_of_what_does_not_run_or_is_not_heard_nothing_is_told(changes: dict[str, bool]) -> None:
    told = found(stream(broken(StreamState.FAILED, "source-unreachable"), **changes))
    assert told == ([] if "enabled" in changes else [("no-reader", SERVICE)])


def test_topics_and_recordings_may_be_late_and_empty() -> None:
    status = replace(WELL, frame_age_s=1e6, person_s=NOON_S - 1e6)
    assert found(stream(status, live=False)) == []


def test_only_opening_hours_count_as_time_without_anybody() -> None:
    hours = OpeningHours.from_document({"timezone": "UTC", "week": {"sunday": [["11:30", "18:00"]]}})
    assert found(stream(replace(WELL, person_s=NOON_S - 86_400), hours=hours)) == []
    all_day = OpeningHours.from_document({"timezone": "UTC", "week": {"sunday": [["08:00", "18:00"]]}})
    assert found(stream(replace(WELL, person_s=NOON_S - 3601), hours=all_day)) == [("nobody-seen", "cam")]
    assert found(stream(replace(WELL, person_s=NOON_S - 86_400))) == [], "nobody has said when people come"


def test_what_concerns_all_is_told_once() -> None:
    waiting = [stream(replace(WELL, unsaved_s=4.0), id=f"cam{number}") for number in range(3)]
    (problem,) = problems(waiting, WatchedService(), LIMITS, NOON_S)
    assert (problem.rule, problem.subject, problem.detail) == (
        "database-away",
        SERVICE,
        "rows of 3 streams wait on disk",
    )
    assert found(*waiting, service=WatchedService(store_error="refused")) == [("database-away", SERVICE)]


def test_disks_sinks_and_lost_minutes_are_the_services() -> None:
    service = WatchedService(
        disks={"a": 0.5, "b": 0.04}, sinks={"till": "refuses"}, minutes_lost={"cam": 2, "other": 0}
    )
    told = list(problems([], service, LIMITS, NOON_S))
    assert [(one.rule, one.subject) for one in told] == [
        ("disk-full", SERVICE),
        ("rows-lost", SERVICE),
        ("sink-failing", SERVICE),
    ]
    assert [one.detail for one in told] == ["b has 4.0% left", "2 minutes of 1 streams", "till: refuses"]


@pytest.mark.parametrize(
    ("given", "rule", "judged"),
    [
        (None, "database-away", True),
        (stream(enabled=False), "camera-moved", True),
        (stream(heard=False), "camera-down", False),
        (stream(), "camera-down", True),
        (stream(broken(StreamState.STARTING, "store-unavailable")), "camera-down", False),
        (stream(replace(WELL, state=StreamState.STOPPED)), "camera-covered", True),
        (stream(replace(WELL, drift=DriftReport(judges_people=True))), "traffic-change", False),
        (stream(replace(WELL, drift=DriftReport(judges_traffic=True))), "traffic-change", True),
        (stream(), "camera-moved", False),
        (stream(replace(WELL, drift=DriftReport(judges_pictures=True))), "camera-moved", True),
        (stream(replace(WELL, drift=DriftReport(judges_pictures=True))), "model-drift", False),
        (stream(replace(WELL, drift=DriftReport(judges_people=True))), "model-drift", True),
        (stream(broken(StreamState.RECONNECTING, "source-stalled")), "nobody-seen", False),
        (stream(broken(StreamState.RECONNECTING, "source-stalled")), "camera-down", True),
    ],
)
def test_an_alert_ends_only_where_somebody_can_tell(given: WatchedStream | None, rule: str, judged: bool) -> None:
    assert is_judged(rule, given) is judged
