"""Whose word holds on an alert rule."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.alerts.rule_changes import CHANGEABLE, RuleChanges
from analytics.alerts.rules import RULES
from analytics.errors import AlertRuleInvalid, UnknownAlertRule

SETTINGS = {"camera-down": {"hold_s": 120.0, "severity": "info"}, "camera-moved": {"enabled": False}}


def test_without_changes_every_rule_is_as_it_was_made() -> None:
    changes = RuleChanges()
    assert changes.rules == RULES
    assert [view.rule for view in changes.views()] == [RULES[name] for name in sorted(RULES)]
    assert all(set(view.origins.values()) == {"default"} and view.enabled for view in changes.views())


def test_people_have_the_last_word_on_what_they_speak_of_and_the_settings_on_the_rest() -> None:
    changes = RuleChanges(SETTINGS).with_said("camera-down", {"severity": "warning", "clear_s": 7})
    view = changes.view("camera-down")
    assert (view.rule.severity, view.rule.hold_s, view.rule.clear_s) == ("warning", 120.0, 7.0)
    assert view.rule.cooldown_s == RULES["camera-down"].cooldown_s
    assert dict(view.origins) == {
        "enabled": "default",
        "severity": "api",
        "hold_s": "settings",
        "clear_s": "api",
        "cooldown_s": "default",
        "only_open": "default",
    }
    assert tuple(view.origins) == CHANGEABLE
    assert changes.rules["camera-down"] == view.rule


def test_a_rule_that_is_switched_off_is_shown_and_can_be_switched_on_over_the_settings() -> None:
    changes = RuleChanges(SETTINGS)
    view = changes.view("camera-moved")
    assert (view.enabled, view.origins["enabled"], view.rule) == (False, "settings", RULES["camera-moved"])
    assert "camera-moved" not in changes.rules
    on = changes.with_said("camera-moved", {"enabled": True})
    assert on.rules["camera-moved"] == RULES["camera-moved"]
    assert on.view("camera-moved").enabled


def test_what_is_said_last_is_all_that_is_said_and_nothing_takes_it_back() -> None:
    changes = RuleChanges(SETTINGS).with_said("camera-down", {"clear_s": 7})
    changes = changes.with_said("camera-down", {"enabled": False})
    assert changes.said == {"camera-down": {"enabled": False}}
    assert changes.with_said("camera-down", {}) == RuleChanges(SETTINGS)
    assert RuleChanges(SETTINGS).with_said("camera-down", {}) == RuleChanges(SETTINGS)


@pytest.mark.parametrize(
    "change", [{"severity": "bad"}, {"hold_s": -1}, {"hold_s": True}, {"summary": "x"}, {"enabled": 1}]
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(AlertRuleInvalid, match=r"camera-down\."):
        RuleChanges().with_said("camera-down", change)


def test_there_are_no_other_rules() -> None:
    for ask in (lambda: RuleChanges().with_said("nobody", {}), lambda: RuleChanges().view("nobody")):
        with pytest.raises(UnknownAlertRule, match="'nobody'"):
            ask()


def test_what_was_kept_is_taken_up_but_for_what_is_not_understood() -> None:
    kept = {"camera-down": {"clear_s": 7.0}, "camera-gone": {"enabled": False}, "no-reader": {"colour": "red"}}
    changes, strange = RuleChanges(SETTINGS).restored(kept)
    assert changes == RuleChanges(SETTINGS, {"camera-down": {"clear_s": 7.0}})
    assert strange == ["camera-gone", "no-reader"]
