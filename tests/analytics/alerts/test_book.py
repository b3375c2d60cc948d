from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from analytics.alerts.book import FORMAT, MOST_STEP_S, Alert, AlertBook, Problem
from analytics.errors import UnknownAlert
from analytics.events import identity
from tests.analytics.alerts.site import BEGIN_S, DOWN, LOST, SOME, Site, with_severity


def test_a_problem_is_told_once_it_has_lasted_and_over_once_it_has_been_gone() -> None:
    site = Site()
    assert site.see("down", seconds=10) == [(3, "raised", "down")]
    assert site.fine(10) == [(12, "cleared", "down")]


def test_what_need_not_last_is_told_at_once() -> None:
    site = Site()
    assert site.see("empty") == [(0, "raised", "empty")]
    assert site.fine() == [(1, "cleared", "empty")]


def test_a_flicker_is_not_told_however_often_it_comes() -> None:
    site = Site()
    for _ in range(20):
        site.see("down", seconds=3)
        assert site.only.state == "pending"
        site.fine()
        assert site.book.alerts() == []
    assert site.told == []


def test_a_short_gap_is_no_end_however_often_it_comes() -> None:
    site = Site()
    site.see("down", seconds=5)
    for _ in range(20):
        site.fine(2)
        assert site.only.state == "clearing"
        site.see("down")
        assert site.only.state == "active"
    assert len(site.told) == 1


def test_an_alert_shows_where_it_stands() -> None:
    site = Site()
    site.see("down")
    pending = site.only
    assert pending == Alert(
        id=identity("down", "cam", BEGIN_S),
        rule="down",
        subject="cam",
        severity="warning",
        summary="It is down.",
        detail="since 0",
        state="pending",
        since_s=BEGIN_S,
        raised_s=None,
        cleared_s=None,
        acknowledged_by=None,
        acknowledged_s=None,
        silenced=False,
        told=False,
    )
    site.see("down", seconds=4)
    active = replace(pending, state="active", raised_s=BEGIN_S + 3, told=True)
    assert site.only == replace(active, detail="since 4")
    assert site.changes[0].alert == replace(active, detail="since 3")
    site.fine(3)
    assert site.changes[1].alert == replace(
        pending, state="clearing", raised_s=BEGIN_S + 3, cleared_s=BEGIN_S + 7, detail="since 4"
    )
    assert site.book.alerts() == []


def test_the_most_severe_comes_first_and_then_the_oldest() -> None:
    site = Site()
    site.see("down")
    site.see("down", "empty", "lost")
    found = site.book.observe(
        site.now_s,
        [Problem(rule, subject, "") for subject in ("cam", "anteroom") for rule in ("down", "empty", "lost")],
        lambda rule, subject: True,
        lambda subject: True,
    )
    assert [change.alert.subject for change in found] == ["anteroom"] * 2
    assert [(alert.rule, alert.subject) for alert in site.book.alerts()] == [
        ("lost", "cam"),
        ("lost", "anteroom"),
        ("down", "cam"),
        ("down", "anteroom"),
        ("empty", "cam"),
        ("empty", "anteroom"),
    ]


def test_rules_that_nobody_has_are_ignored() -> None:
    site = Site()
    assert site.see("unheard-of", seconds=5) == []
    assert site.book.snapshot()["alerts"] == []


def test_of_what_nobody_knows_anything_stays_as_it_is() -> None:
    site = Site()
    site.see("down", seconds=3)
    assert site.see(seconds=100, unjudged=["down"]) == []
    assert site.only.state == "pending"
    assert site.see("down") == [(103, "raised", "down")]
    assert site.see(seconds=100, unjudged=["down"]) == []
    assert site.only.state == "active"
    site.fine()
    assert site.see(seconds=100, unjudged=["down"]) == []
    assert site.only.state == "clearing"
    assert site.fine(2) == [(306, "cleared", "down")]


def test_a_problem_is_known_even_if_nobody_was_said_to_judge() -> None:
    assert Site().see("down", seconds=5, unjudged=["down"]) == [(3, "raised", "down")]


def test_what_is_back_within_the_cool_down_is_the_same_alert_and_not_told() -> None:
    site = Site()
    site.see("empty")
    first = site.only
    site.fine()
    assert site.see("empty", seconds=3) == []
    assert site.only == replace(first, detail="since 4", raised_s=BEGIN_S + 2, told=False)
    assert site.fine(10) == []
    assert site.told == [(0, "raised", "empty"), (1, "cleared", "empty")]


def test_what_has_come_back_silently_and_stays_is_told_when_the_cool_down_is_over() -> None:
    site = Site()
    site.see("empty")
    site.fine()
    assert site.see("empty", seconds=20) == [(6, "raised", "empty")]
    assert site.fine() == [(22, "cleared", "empty")]
    assert len({change.alert.id for change in site.changes}) == 1


def test_what_comes_and_goes_is_told_once_a_cool_down() -> None:
    site = Site()
    for _ in range(20):
        site.see("empty")
        site.fine()
    raised = [second for second, kind, _ in site.told if kind == "raised"]
    assert raised == [0, 6, 12, 18, 24, 30, 36]


def test_what_is_back_after_the_cool_down_is_another_alert() -> None:
    site = Site()
    site.see("empty")
    site.fine(5)
    assert site.see("empty") == [(6, "raised", "empty")]
    first, _, second = site.changes
    assert first.alert.id != second.alert.id
    assert second.alert.since_s == BEGIN_S + 6


def test_what_is_back_has_to_last_again() -> None:
    site = Site()
    site.see("down", seconds=4)
    site.fine(3)
    site.see("down", seconds=3)
    assert site.only.state == "pending"
    assert site.only.cleared_s == BEGIN_S + 6
    site.fine()
    assert site.book.alerts() == []
    site.see("down", seconds=4)
    assert site.only.state == "active"
    assert site.only.cleared_s is None
    assert len(site.told) == 2


def test_without_a_cool_down_it_is_told_each_time() -> None:
    site = Site()
    for _ in range(3):
        site.see("lost")
        site.fine(2)
    assert [kind for _, kind, _ in site.told] == ["raised", "cleared"] * 3
    assert len({change.alert.id for change in site.changes}) == 3


def test_while_the_site_is_closed_nothing_that_holds_only_then_is_wrong() -> None:
    site = Site()
    site.open = False
    assert site.see("empty", "down", seconds=5) == [(3, "raised", "down")]
    assert [alert.rule for alert in site.book.alerts()] == ["down"]


def test_a_pending_alert_is_dropped_when_the_site_closes_and_begins_anew_when_it_opens() -> None:
    site = Site({"down": replace(DOWN, only_open=True)})
    site.see("down", seconds=3)
    site.open = False
    assert site.see("down", seconds=5) == []
    assert site.book.alerts() == []
    site.open = True
    assert site.see("down", seconds=4) == [(11, "raised", "down")]


def test_an_active_alert_ends_when_the_site_closes_and_that_is_told() -> None:
    site = Site({"down": replace(DOWN, only_open=True)})
    site.see("down", seconds=4)
    site.open = False
    assert site.see("down", seconds=2) == []
    assert site.see("down", seconds=2, unjudged=["down"]) == [(6, "cleared", "down")]
    assert site.book.alerts() == []


def test_an_acknowledged_alert_shows_who_knows_of_it() -> None:
    site = Site()
    site.see("down", seconds=5)
    acknowledged = site.book.acknowledge(site.only.id, "anna", site.now_s)
    assert (acknowledged.acknowledged_by, acknowledged.acknowledged_s) == ("anna", site.now_s)
    assert site.only == acknowledged
    assert site.fine(3) == [(7, "cleared", "down")]


def test_what_was_acknowledged_within_a_silence_is_not_told_after_it_nor_is_its_end() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 6, "anna", "")
    site.see("down", seconds=5)
    site.book.acknowledge(site.only.id, "anna", site.now_s)
    site.see("down", seconds=5)
    site.fine(5)
    assert site.told == []


def test_what_was_acknowledged_while_pending_is_not_told() -> None:
    site = Site()
    site.see("down")
    site.book.acknowledge(site.only.id, "anna", site.now_s)
    assert site.see("down", seconds=10) == []


def test_what_was_acknowledged_and_comes_back_within_the_cool_down_is_not_told_when_that_is_over() -> None:
    site = Site()
    site.see("empty")
    site.book.acknowledge(site.only.id, "anna", site.now_s)
    site.fine()
    assert site.see("empty", seconds=20) == []
    assert site.only.acknowledged_by == "anna"
    assert site.fine(4) == []
    assert site.see("empty", seconds=2) == []
    site.fine(10)
    assert [kind for _, kind, _ in site.see("empty")] == ["raised"]
    assert site.only.acknowledged_by is None


def test_an_alert_that_is_not_on_cannot_be_acknowledged() -> None:
    site = Site()
    site.see("down", seconds=5)
    id = site.only.id
    with pytest.raises(UnknownAlert, match="no alert 'x'"):
        site.book.acknowledge("x", "anna", site.now_s)
    site.fine(3)
    with pytest.raises(UnknownAlert, match=id):
        site.book.acknowledge(id, "anna", site.now_s)


@pytest.mark.parametrize("is_acknowledged", [False, True])
def test_what_becomes_more_severe_is_told_again_and_what_becomes_less_so_is_not(is_acknowledged: bool) -> None:
    site = Site()
    site.see("down", seconds=5)
    if is_acknowledged:
        site.book.acknowledge(site.only.id, "anna", site.now_s)
    site.book.use_rules(with_severity("info"))
    assert site.see("down", seconds=2) == []
    assert site.only.severity == "info"
    site.book.use_rules(with_severity("critical"))
    assert site.see("down", seconds=5) == [(7, "raised", "down")]
    assert site.only.severity == "critical"
    assert site.only.acknowledged_by is None
    assert site.fine(5) == [(14, "cleared", "down")]


def test_what_is_more_severe_when_it_comes_back_does_not_wait_for_the_cool_down() -> None:
    site = Site()
    site.see("down", seconds=4)
    site.fine(3)
    site.book.use_rules(with_severity("critical"))
    assert site.see("down", seconds=5) == [(10, "raised", "down")]
    assert site.fine(3) == [(14, "cleared", "down")]
    assert site.see("down", seconds=10) == [(24, "raised", "down")]


def test_an_acknowledgement_is_worth_as_much_as_the_alert_was_then() -> None:
    site = Site(with_severity("critical"))
    site.see("down", seconds=5)
    site.book.use_rules(with_severity("info"))
    site.see("down")
    site.book.acknowledge(site.only.id, "anna", site.now_s)
    site.book.use_rules(with_severity("warning"))
    assert site.see("down") == [(6, "raised", "down")]


def test_rules_that_vanish_end_their_alerts() -> None:
    site = Site()
    site.see("down", "empty", seconds=5)
    site.see("down", "empty", "lost")
    site.book.use_rules({"lost": LOST})
    assert site.see("down", "empty", "lost") == [(6, "cleared", "down"), (6, "cleared", "empty")]
    assert site.changes[-2].alert.cleared_s == BEGIN_S + 6
    assert [alert.rule for alert in site.book.alerts()] == ["lost"]
    site.book.use_rules(SOME)
    assert site.see("down", "empty", "lost", seconds=4) == [(7, "raised", "empty"), (10, "raised", "down")]


def test_a_rule_that_vanishes_ends_what_nobody_was_told_of_without_a_word() -> None:
    site = Site()
    site.see("down")
    site.book.use_rules({})
    assert site.see("down") == []
    assert site.book.snapshot()["alerts"] == []


def test_times_of_a_rule_hold_from_the_next_observation_on() -> None:
    site = Site()
    site.see("down", seconds=2)
    site.book.use_rules({"down": replace(DOWN, hold_s=0.0, clear_s=4.0)})
    assert site.see("down") == [(2, "raised", "down")]
    assert site.fine(6) == [(7, "cleared", "down")]


def test_what_is_forgotten_is_over_and_so_are_its_silences() -> None:
    site = Site()
    kept = site.book.silence(site.now_s, site.now_s + 2, "anna", "")
    site.book.silence(site.now_s, site.now_s + 50, "anna", "", subject="cam", rule="lost")
    site.see("down", "lost", "empty", seconds=2)
    site.see("down", "lost", "empty", seconds=3)
    assert [change.alert.rule for change in site.book.forget("other", site.now_s)] == []
    found = site.book.forget("cam", site.now_s)
    assert [(change.kind, change.alert.rule) for change in found] == [("cleared", "down"), ("cleared", "empty")]
    assert found[0].alert.cleared_s == site.now_s
    assert site.book.alerts() == site.book.silences() == site.book.snapshot()["alerts"] == []
    assert kept.subject is None
    assert site.see("lost") == [(5, "raised", "lost")]


def test_what_is_forgotten_is_another_alert_when_it_is_registered_again() -> None:
    site = Site()
    site.see("empty")
    site.fine()
    site.book.forget("cam", site.now_s)
    assert site.see("empty") == [(2, "raised", "empty")]
    assert site.changes[-1].alert.id != site.changes[0].alert.id


@pytest.mark.parametrize("jump_s", [-7200.0, -1.0, 7200.0, 10**9])
def test_a_clock_that_is_set_neither_raises_nor_clears_anything(jump_s: float) -> None:
    rule = replace(DOWN, hold_s=30.0, clear_s=30.0, cooldown_s=120.0)
    still, moved = Site({"down": rule}), Site({"down": rule})
    for site in (still, moved):
        site.see("down", seconds=15)
    for wrong, seconds in ((["down"], 50), ([], 10), ([], 60), (["down"], 60), ([], 60)):
        moved.now_s += jump_s
        seen = still.see(*wrong, seconds=seconds), moved.see(*wrong, seconds=seconds)
        assert [kind for _, kind, _ in seen[0]] == [kind for _, kind, _ in seen[1]]
        assert all(abs(a[0] - b[0]) <= 2 * MOST_STEP_S for a, b in zip(*seen, strict=True))
    assert [kind for _, kind, _ in moved.told] == ["raised", "cleared"]


def test_a_jump_counts_as_a_step_at_most() -> None:
    site = Site({"down": replace(DOWN, hold_s=MOST_STEP_S + 1)})
    site.see("down")
    site.now_s += 7200
    assert site.see("down") == []
    assert site.see("down") == [(2, "raised", "down")]


def test_a_clock_that_stands_still_or_runs_back_lets_no_time_go_by() -> None:
    site = Site()
    for _ in range(100):
        site.see("down")
        site.now_s -= 1.5
    assert site.told == []
    assert site.only.state == "pending"


def test_a_restored_book_tells_nothing_twice() -> None:
    site = Site()
    site.see("down", "lost", seconds=5)
    site.see("down")
    site.restart()
    assert site.see("down", seconds=5) == [(6, "cleared", "lost")]
    site.restart()
    assert site.fine(4) == [(13, "cleared", "down")]
    site.restart()
    assert site.see("down", seconds=5) == []
    assert site.only.state == "active"


def test_rules_that_have_vanished_meanwhile_end_their_alerts_after_a_restart() -> None:
    site = Site()
    site.see("down", seconds=5)
    state = site.book.snapshot()
    site.book = AlertBook({"lost": LOST})
    site.book.restore(state)
    assert site.only.summary == "It is down."
    assert site.fine() == [(5, "cleared", "down")]
    assert (site.changes[-1].alert.severity, site.changes[-1].alert.summary) == ("warning", "It is down.")


def test_an_id_is_the_same_where_json_has_lost_the_decimal_point() -> None:
    site = Site()
    site.see("down", seconds=5)
    state = json.loads(json.dumps(site.book.snapshot()).replace(".0,", ","))
    assert isinstance(state["alerts"][0]["since_s"], int)
    book = AlertBook(SOME)
    book.restore(state)
    assert book.alerts() == [site.only]


def full_state() -> dict[str, Any]:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 100, "anna", "works", rule="lost")
    site.see("down", "lost", seconds=5)
    site.book.acknowledge(site.book.alerts()[0].id, "anna", site.now_s)
    state: dict[str, Any] = json.loads(json.dumps(site.book.snapshot()))
    return state


def broken_states() -> Iterator[Any]:
    yield from (None, [], "x", {}, {"format": FORMAT}, full_state() | {"format": FORMAT + 1})
    for key in ("time_s", "alerts", "silences"):
        for value in ("x", True, {}, [None], float("nan")):
            yield full_state() | {key: value}
    for part in ("alerts", "silences"):
        whole = full_state()
        yield whole | {part: whole[part] * 2}
        for key in whole[part][0]:
            for value in ([], {}, float("inf"), -10, 10**400, "\ud800" * 300):
                broken = copy.deepcopy(whole)
                broken[part][0][key] = value
                is_text = isinstance(value, str) and key in ("rule", "subject", "summary", "detail", "acknowledged_by")
                is_time = value == -10 and key in ("since_s", "raised_s", "cleared_s", "acknowledged_s")
                if part == "silences" or not (is_text or is_time):
                    yield broken
            broken = copy.deepcopy(whole)
            del broken[part][0][key]
            yield broken
        broken = copy.deepcopy(whole)
        broken[part][0]["more"] = 1
        yield broken
    for key, value in (("raised_s", None), ("phase", "over"), ("phase", "pending")):
        told = full_state()
        told["alerts"][0][key] = value
        yield told


def test_a_broken_state_is_refused_and_changes_nothing() -> None:
    site = Site()
    site.see("down", seconds=2)
    before, tried = site.book.snapshot(), 0
    for state in broken_states():
        with pytest.raises(ValueError, match=r"alert|silence"):
            site.book.restore(state)
        assert site.book.snapshot() == before
        tried += 1
    assert tried > 100
    site.book.restore(full_state())
    assert site.book.snapshot() == full_state()


def test_an_observation_that_fails_changes_nothing() -> None:
    site = Site()
    site.see("down", "empty", seconds=3)
    before = site.book.snapshot()

    def fails(*asked: str) -> bool:
        raise LookupError(asked)

    for judged, is_open in ((fails, lambda subject: True), (lambda rule, subject: True, fails)):
        with pytest.raises(LookupError):
            site.book.observe(site.now_s, [Problem("lost", "cam", "")], judged, is_open)
        assert site.book.snapshot() == before
    assert site.see("down", "empty") == [(3, "raised", "down")]
