"""What is changed of alert rules, and by whom: the settings, and people over the API, who have the last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from analytics.alerts.rules import RULES, AlertRule, changed
from analytics.errors import AlertRuleInvalid, UnknownAlertRule

Origin = Literal["default", "settings", "api"]
CHANGEABLE = ("enabled", "severity", "hold_s", "clear_s", "cooldown_s", "only_open")
"""What can be changed of a rule."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule as it holds.

    Attributes:
        rule: with all changes.
        enabled: whether anything is told by it.
        origins: of each of `CHANGEABLE`, who says so.
    """

    rule: AlertRule
    enabled: bool
    origins: Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """All changes, by name of the rule; a value. Where both change the same part of a rule, the API is right.

    Attributes:
        settings: what the settings say; see `analytics.alerts.rules.changed`.
        said: what people have said since.
    """

    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def rules(self) -> Mapping[str, AlertRule]:
        """Those that are enabled, by name."""
        return changed(RULES, {name: self._merged(name) for name in RULES})

    def views(self) -> list[RuleView]:
        """All rules, by name."""
        return [self.view(name) for name in sorted(RULES)]

    def view(self, name: str) -> RuleView:
        """One of them.

        Raises:
            UnknownAlertRule: there is none of this name.
        """
        _require(name)
        merged = self._merged(name)
        rule = changed(RULES, {name: {**merged, "enabled": True}})[name]
        return RuleView(rule, merged.get("enabled", True), {part: self._origin(name, part) for part in CHANGEABLE})

    def with_said(self, name: str, change: Mapping[str, Any]) -> RuleChanges:
        """With a change in place of what people had said of a rule before.

        Args:
            name: of the rule.
            change: any of `CHANGEABLE`; empty: what the settings say holds.

        Raises:
            UnknownAlertRule: there is none of this name.
            AlertRuleInvalid: it cannot be so.
        """
        _require(name)
        changed(RULES, {name: change})
        others = {other: said for other, said in self.said.items() if other != name}
        return RuleChanges(self.settings, {**others, name: dict(change)} if change else others)

    def restored(self, said: Mapping[str, Any]) -> tuple[RuleChanges, list[str]]:
        """With what was kept of what people had said.

        Returns:
            The changes, and the names of the rules of which nothing is understood here, such as those of another
            version: they are left out.
        """
        made, strange = RuleChanges(self.settings), list[str]()
        for name, change in said.items():
            try:
                made = made.with_said(name, change)
            except (AlertRuleInvalid, UnknownAlertRule):
                strange.append(name)
        return made, strange

    def _merged(self, name: str) -> dict[str, Any]:
        return {**self.settings.get(name, {}), **self.said.get(name, {})}

    def _origin(self, name: str, part: str) -> Origin:
        if part in self.said.get(name, {}):
            return "api"
        return "settings" if part in self.settings.get(name, {}) else "default"


def _require(name: str) -> None:
    if name not in RULES:
        raise UnknownAlertRule(f"there is no alert rule named {name!r}")
