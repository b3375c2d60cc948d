from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.book import SERVICE, AlertBook, AlertChange, Problem
from analytics.alerts.rules import RULES, SEVERITIES
from analytics.alerts.silences import MOST_SILENCES
from tests.analytics.alerts.site import BEGIN_S, DOWN, EMPTY, SOME, Site, with_severity

TRIED = settings(max_examples=60, derandomize=True, database=None, deadline=None)

STEP = st.fixed_dictionaries(
    {
        "wrong": st.sets(st.tuples(st.sampled_from(sorted(SOME)), st.sampled_from(["cam", SERVICE]))),
        "unjudged": st.sets(st.tuples(st.sampled_from(sorted(SOME)), st.sampled_from(["cam", SERVICE])), max_size=2),
        "open": st.booleans(),
        "step_s": st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 4.0, 60.0, -3600.0, 3600.0]),
        "act": st.sampled_from([None, None, None, "silence", "unsilence", "acknowledge", "forget", "rules"]),
        "pick": st.integers(0, 5),
    }
)
SETTINGS = (SOME, {"down": DOWN}, with_severity("critical"), SOME | {"empty": replace(EMPTY, hold_s=2.0)})


def act(book: AlertBook, step: dict[str, Any], now_s: float) -> list[AlertChange]:
    pick, alerts, silences = step["pick"], book.alerts(), book.silences()
    if step["act"] == "silence":
        rule, subject = [None, "down"][pick // 2 % 2], [None, "cam"][pick % 2]
        book.silence(now_s, now_s + 1 + 3 * pick, "anna", "", rule=rule, subject=subject)
    elif step["act"] == "unsilence" and silences:
        book.unsilence(silences[pick % len(silences)].id)
    elif step["act"] == "acknowledge" and alerts:
        book.acknowledge(alerts[pick % len(alerts)].id, "anna", now_s)
    elif step["act"] == "forget":
        return book.forget("cam", now_s)
    elif step["act"] == "rules":
        book.use_rules(SETTINGS[pick % len(SETTINGS)])
    return []


def live(book: AlertBook, steps: list[dict[str, Any]], now_s: float) -> tuple[list[AlertChange], float]:
    """What a book tells of some time, and what time it is then."""
    told: list[AlertChange] = []
    for step in steps:
        now_s += step["step_s"]
        told += act(book, step, now_s)
        told += book.observe(
            now_s,
            [Problem(rule, subject, "") for rule, subject in sorted(step["wrong"])],
            lambda rule, subject, unjudged=step["unjudged"]: (rule, subject) not in unjudged,
            lambda subject, is_open=step["open"]: is_open,
        )
    return told, now_s


@TRIED
@given(st.lists(STEP, max_size=40))
def test_raised_and_cleared_are_told_in_turns_and_in_the_end_nothing_is_left(steps: list[dict[str, Any]]) -> None:
    book = AlertBook(SOME)
    told, now_s = live(book, steps, BEGIN_S)
    assert len(book.snapshot()["alerts"]) <= len(SOME) * 2
    book.use_rules(SOME)
    quiet = {"wrong": set(), "unjudged": set(), "open": True, "step_s": 5.0, "act": None, "pick": 0}
    told += live(book, [quiet] * 10, now_s)[0]
    assert book.alerts() == book.snapshot()["alerts"] == []
    known: dict[str, int | None] = {}
    for change in told:
        id, severity = change.alert.id, SEVERITIES.index(change.alert.severity)
        before = known.get(id)
        if change.kind == "raised":
            assert not change.alert.silenced
            assert before is None or before < severity
        else:
            assert before is not None
        known[id] = severity if change.kind == "raised" else None
    assert set(known.values()) <= {None}


@TRIED
@given(st.lists(STEP, max_size=30), st.integers(0, 30))
def test_a_restart_in_between_changes_nothing(steps: list[dict[str, Any]], cut: int) -> None:
    whole, first = AlertBook(SOME), AlertBook(SOME)
    wanted, _ = live(whole, steps, BEGIN_S)
    found, now_s = live(first, steps[:cut], BEGIN_S)
    second = AlertBook(first._rules)
    second.restore(json.loads(json.dumps(first.snapshot())))
    found += live(second, steps[cut:], now_s)[0]
    assert found == wanted
    assert second.alerts() == whole.alerts()
    assert second.snapshot() == whole.snapshot()


@TRIED
@given(st.lists(st.booleans(), max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_nothing_is_raised_or_cleared_that_has_not_lasted(wrong: list[bool], hold_s: int, clear_s: int) -> None:
    rule = replace(DOWN, hold_s=float(hold_s), clear_s=float(clear_s), cooldown_s=0.0)
    site = Site({"down": rule})
    for is_wrong in wrong:
        site.see(*["down"] if is_wrong else [])
    wanted, is_on = [], False
    for second in range(len(wrong)):
        needed = (clear_s if is_on else hold_s) + 1
        latest = wrong[max(0, second + 1 - needed) : second + 1]
        if len(latest) == needed and all(one != is_on for one in latest):
            is_on = not is_on
            wanted.append((second, "raised" if is_on else "cleared", "down"))
    assert site.told == wanted


def test_whoever_judges_is_asked_only_of_what_is_in_the_book() -> None:
    book, asked = AlertBook(RULES), Counter[str]()

    def judged(rule: str, subject: str) -> bool:
        asked["judged"] += 1
        return True

    def is_open(subject: str) -> bool:
        asked["open"] += 1
        return True

    rules = sorted(RULES)[:10]
    problems = [Problem(rules[number % 10], f"cam-{number}", "") for number in range(200)]
    book.observe(BEGIN_S, iter(problems), judged, is_open)
    assert asked["judged"] == 0
    book.observe(BEGIN_S + 1, problems[:100], judged, is_open)
    assert asked["judged"] <= 100
    assert asked["open"] <= 400


def test_five_thousand_streams_of_which_everything_is_wrong_are_dealt_with() -> None:
    """Linear takes a second or so; anything that looked at all pairs would not end before the test is given up."""
    book = AlertBook(RULES)
    problems = [Problem(rule, f"cam-{number}", "") for number in range(5000) for rule in sorted(RULES)[:10]]
    for number in range(MOST_SILENCES):
        book.silence(BEGIN_S, BEGIN_S + 999, "anna", "", subject=f"cam-{number}")
    told = 0
    for second in range(0, 60, 10):
        told += len(book.observe(BEGIN_S + second, problems, lambda rule, subject: True, lambda subject: True))
    assert 0 < told <= len(problems) - MOST_SILENCES * 10
