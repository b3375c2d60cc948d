"""A place with a book of alerts, for tests."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from analytics.alerts.book import Alert, AlertBook, AlertChange, Problem
from analytics.alerts.rules import AlertRule

DOWN = AlertRule("down", "warning", "It is down.", "Look.", hold_s=3.0, clear_s=2.0, cooldown_s=10.0)
EMPTY = AlertRule("empty", "info", "It is empty.", "Look.", hold_s=0.0, clear_s=0.0, cooldown_s=5.0, only_open=True)
LOST = AlertRule("lost", "critical", "It is lost.", "Look.", hold_s=0.0, clear_s=1.0, cooldown_s=0.0)
SOME = {rule.name: rule for rule in (DOWN, EMPTY, LOST)}
BEGIN_S = 1_750_000_000.0


class Site:
    """A book that is told every second what is wrong, and what it has told so far."""

    def __init__(self, rules: dict[str, AlertRule] = SOME, begin_s: float = BEGIN_S) -> None:
        self.book = AlertBook(rules)
        self.now_s = begin_s
        self.second = 0
        self.open = True
        self.told: list[tuple[int, str, str]] = []
        self.changes: list[AlertChange] = []

    def see(self, *wrong: str, seconds: int = 1, unjudged: Collection[str] = ()) -> list[tuple[int, str, str]]:
        """What is told meanwhile: in which second, what, and of which rule.

        Args:
            wrong: names of rules, of which ``cam`` has a problem; of the others it is fine.
            seconds: for how long.
            unjudged: names of rules of which nobody knows anything.
        """
        before = len(self.told)
        for _ in range(seconds):
            problems = [Problem(rule, "cam", f"since {self.second}") for rule in wrong]
            found = self.book.observe(
                self.now_s, problems, lambda rule, subject: rule not in unjudged, lambda subject: self.open
            )
            self.note(found)
            self.now_s += 1
            self.second += 1
        return self.told[before:]

    def note(self, changes: list[AlertChange]) -> None:
        self.changes += changes
        self.told += [(self.second, change.kind, change.alert.rule) for change in changes]

    def fine(self, seconds: int = 1) -> list[tuple[int, str, str]]:
        return self.see(seconds=seconds)

    @property
    def only(self) -> Alert:
        (alert,) = self.book.alerts()
        return alert

    def restart(self) -> None:
        """As if the process had been started anew."""
        state = json.loads(json.dumps(self.book.snapshot()))
        self.book = AlertBook(self.book._rules)
        self.book.restore(state)


def with_severity(severity: Any) -> dict[str, AlertRule]:
    return SOME | {"down": replace(DOWN, severity=severity)}
