from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from analytics.alerts.rules import MOST_S, RULES, SEVERITIES, changed
from analytics.errors import AlertRuleInvalid

PICTURE_FAULTS = (
    "camera-frozen",
    "camera-dark",
    "camera-covered",
    "camera-blurred",
    "camera-compressed",
    "camera-noisy",
    "camera-moved",
)


def test_every_rule_goes_by_its_own_name_and_says_what_is_wrong_and_what_to_do() -> None:
    assert len(RULES) == 19
    for name, rule in RULES.items():
        assert name == rule.name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        for sentence in (rule.summary, rule.advice):
            assert re.fullmatch(r"[A-Z][^{}%.]+\.", sentence)
    assert len({rule.summary for rule in RULES.values()}) == len(RULES)


def test_what_is_told_unless_somebody_changes_it_is_what_somebody_could_ask_for() -> None:
    for rule in RULES.values():
        assert rule.severity in SEVERITIES
        assert all(0 <= getattr(rule, name) <= most_s for name, most_s in MOST_S.items())


def test_people_hear_of_a_camera_within_a_minute() -> None:
    for name in (*PICTURE_FAULTS, "camera-down", "camera-silent"):
        assert 10 <= RULES[name].hold_s <= 30
    assert RULES["camera-down"].hold_s == 30


def test_nobody_is_missed_while_a_site_is_closed() -> None:
    assert RULES["nobody-seen"].only_open
    assert RULES["nobody-seen"].hold_s == 0
    assert not RULES["camera-down"].only_open
    assert not RULES["camera-covered"].only_open


def test_what_is_usual_or_not_is_no_more_than_information() -> None:
    assert [rule.name for rule in RULES.values() if rule.severity == "info"] == ["traffic-change"]


def test_without_overrides_nothing_changes() -> None:
    assert changed(RULES, {}) == RULES
    assert changed(RULES, {"camera-down": {}}) == RULES


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    before = dict(RULES)
    override = MappingProxyType({"severity": "info", "hold_s": 1, "clear_s": 2.5, "cooldown_s": 0, "only_open": True})
    found = changed(RULES, {"camera-down": override})
    rule = found["camera-down"]
    assert (rule.severity, rule.hold_s, rule.clear_s, rule.cooldown_s, rule.only_open) == ("info", 1.0, 2.5, 0.0, True)
    assert (rule.name, rule.summary) == ("camera-down", RULES["camera-down"].summary)
    assert isinstance(rule.hold_s, float)
    assert {name: other for name, other in found.items() if name != "camera-down"} == {
        name: other for name, other in RULES.items() if name != "camera-down"
    }
    assert before == RULES


def test_a_rule_that_is_not_enabled_disappears() -> None:
    found = changed(RULES, {"camera-dark": {"enabled": False, "hold_s": 5}, "camera-down": {"enabled": True}})
    assert RULES.keys() - found.keys() == {"camera-dark"}
    assert found["camera-down"] == RULES["camera-down"]


@pytest.mark.parametrize("name", ["hold_s", "clear_s", "cooldown_s"])
def test_a_time_may_reach_its_bound(name: str) -> None:
    found = changed(RULES, {"camera-down": {name: MOST_S[name]}})
    assert getattr(found["camera-down"], name) == MOST_S[name]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ([], "must be an object"),
        ({"camera-gone": {}}, "no alert rule named camera-gone"),
        ({3: {}}, "no alert rule named 3"),
        ({"camera-down": None}, "camera-down must be an object"),
        ({"camera-down": {"severity": "fatal"}}, r"camera-down\.severity must be one of info, warning, critical"),
        ({"camera-down": {"severity": []}}, r"camera-down\.severity must be one of"),
        ({"camera-down": {"severity": None}}, r"camera-down\.severity must be one of"),
        ({"camera-down": {"hold_s": -1}}, r"camera-down\.hold_s must be between 0 and 86400 seconds"),
        ({"camera-down": {"hold_s": 86_401}}, r"camera-down\.hold_s must be between"),
        ({"camera-down": {"clear_s": float("nan")}}, r"camera-down\.clear_s must be between"),
        ({"camera-down": {"clear_s": float("inf")}}, r"camera-down\.clear_s must be between"),
        ({"camera-down": {"clear_s": 10**400}}, r"camera-down\.clear_s must be between"),
        ({"camera-down": {"cooldown_s": "1"}}, r"camera-down\.cooldown_s must be between 0 and 604800 seconds"),
        ({"camera-down": {"cooldown_s": True}}, r"camera-down\.cooldown_s must be between"),
        ({"camera-down": {"only_open": 1}}, r"camera-down\.only_open must be true or false"),
        ({"camera-down": {"enabled": "no"}}, r"camera-down\.enabled must be true or false"),
        ({"camera-down": {"enabled": False, "hold_s": -1}}, r"camera-down\.hold_s must be between"),
        ({"camera-down": {"summary": "x"}}, r"camera-down\.summary is unknown, or cannot be changed"),
        ({"camera-down": {5: "x"}}, r"camera-down\.5 is unknown"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(overrides: Mapping[str, Any], says: str) -> None:
    with pytest.raises(AlertRuleInvalid, match=says) as refused:
        changed(RULES, overrides)
    assert refused.value.code == "alert-rule-invalid"


def test_a_rule_that_was_left_out_is_not_known_any_more() -> None:
    fewer = changed(RULES, {"camera-dark": {"enabled": False}})
    with pytest.raises(AlertRuleInvalid, match="camera-dark"):
        changed(fewer, {"camera-dark": {"hold_s": 1}})
