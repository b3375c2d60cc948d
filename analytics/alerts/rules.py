"""What is worth telling somebody, how long it has to last before, and what people may change about that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard, get_args

from analytics.errors import AlertRuleInvalid

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The least first."""
MOST_S: Mapping[str, float] = {"hold_s": 86_400, "clear_s": 86_400, "cooldown_s": 7 * 86_400}
"""How long each time of a rule may be, seconds."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A kind of alert.

    Attributes:
        name: in kebab-case.
        severity: ``critical``: people go uncounted now, or what was counted is about to be lost; ``warning``: the
            numbers may be wrong, or will be soon; ``info``: nothing is wrong.
        summary: what has happened, one sentence.
        advice: what to do about it, one sentence.
        hold_s: the problem has to last for as long before it is told.
        clear_s: it has to be gone for as long before it is over.
        cooldown_s: least time from telling that it is over to telling that it is back. What comes back within that
            time is the same alert.
        only_open: nothing is wrong while the site is closed.
    """

    name: str
    severity: Severity
    summary: str
    advice: str
    hold_s: float = 20.0
    clear_s: float = 20.0
    cooldown_s: float = 600.0
    only_open: bool = False


_RULES = (
    AlertRule(
        "camera-down",
        "critical",
        "The camera cannot be reached.",
        "Look whether it has power and network, and whether its address and password are still right.",
        hold_s=30.0,
    ),
    AlertRule(
        "camera-silent",
        "critical",
        "The camera is connected, but sends no pictures.",
        "Restart the camera, and look at the settings of its video stream.",
        hold_s=30.0,
    ),
    AlertRule(
        "camera-frozen",
        "critical",
        "The camera sends the same picture over and over.",
        "Restart the camera, or the recorder that its pictures come from.",
    ),
    AlertRule(
        "camera-dark",
        "warning",
        "The picture is too dark to see people in.",
        "Look whether the lights are on, and let the camera expose for longer.",
        only_open=True,
    ),
    AlertRule(
        "camera-covered",
        "critical",
        "Something covers the camera.",
        "Go and look what is in front of the lens.",
    ),
    AlertRule(
        "camera-blurred",
        "warning",
        "The picture is blurred.",
        "Clean the lens, and focus it anew.",
    ),
    AlertRule(
        "camera-compressed",
        "warning",
        "The picture is compressed until its grain is gone.",
        "Raise the camera's bit rate, or lower its frame rate.",
    ),
    AlertRule(
        "camera-noisy",
        "warning",
        "The picture is full of noise.",
        "Give the place more light, or check the camera's cable and its bit rate.",
        only_open=True,
    ),
    AlertRule(
        "camera-moved",
        "warning",
        "The camera looks somewhere else than when its lines and zones were drawn.",
        "Turn it back, or draw lines and zones on the new picture.",
    ),
    AlertRule(
        "camera-overloaded",
        "warning",
        "The camera's pictures are analysed less often than was asked for.",
        "Add a machine, or ask for fewer pictures a second.",
        hold_s=60.0,
        clear_s=60.0,
    ),
    AlertRule(
        "nobody-seen",
        "warning",
        "Nobody has been seen for long, though the site is open.",
        "Look at the live picture, whether it shows where people walk.",
        hold_s=0.0,
        clear_s=0.0,
        only_open=True,
    ),
    AlertRule(
        "work-too-old",
        "warning",
        "Pictures wait too long before they are analysed.",
        "Add a machine or a detector, or ask for fewer pictures a second.",
        hold_s=60.0,
        clear_s=60.0,
    ),
    AlertRule(
        "no-reader",
        "critical",
        "Cameras are with no reader, so nobody is counted there.",
        "Look at the deployment StreamReader in Ray's dashboard, and whether its readers have room for more.",
        hold_s=60.0,
    ),
    AlertRule(
        "rows-lost",
        "critical",
        "Counts were lost, since they could not be stored in time.",
        "Bring the database back, and make room on the disks of the readers.",
        hold_s=0.0,
        clear_s=300.0,
        cooldown_s=3600.0,
    ),
    AlertRule(
        "disk-full",
        "critical",
        "A disk is almost full.",
        "Make room on it, or store for fewer days.",
        clear_s=60.0,
        cooldown_s=3600.0,
    ),
    AlertRule(
        "database-away",
        "critical",
        "The database does not answer, and counts wait on disk.",
        "Look whether the database is up and can be reached from the readers.",
        hold_s=30.0,
        clear_s=30.0,
    ),
    AlertRule(
        "model-drift",
        "warning",
        "The detector sees people otherwise than it used to.",
        "Compare its boxes with the live picture, and consider another model or threshold.",
        hold_s=300.0,
        clear_s=600.0,
        cooldown_s=86_400.0,
    ),
    AlertRule(
        "traffic-change",
        "info",
        "Far more or far fewer people came than is usual at this time.",
        "Nothing has to be done if there is a reason for it; else look at the live picture.",
        hold_s=0.0,
        clear_s=300.0,
        cooldown_s=3600.0,
        only_open=True,
    ),
    AlertRule(
        "sink-failing",
        "warning",
        "Events do not arrive where they are sent to.",
        "Look at the sink's last error, and whether its receiver is up.",
        hold_s=120.0,
        clear_s=30.0,
    ),
)
RULES: Mapping[str, AlertRule] = {rule.name: rule for rule in _RULES}
"""What is told unless somebody changes it, by name."""


def changed(rules: Mapping[str, AlertRule], overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, AlertRule]:
    """Rules as people want them.

    Args:
        rules: by name.
        overrides: by name of the rule, any of ``severity``, ``hold_s``, ``clear_s``, ``cooldown_s``, ``only_open``
            and ``enabled``; a rule that is not enabled is left out.

    Raises:
        AlertRuleInvalid: saying which part is wrong, and how.
    """
    if not isinstance(overrides, Mapping):
        raise AlertRuleInvalid("alert rules must be an object of rules by name")
    unknown = set(overrides) - set(rules)
    if unknown:
        raise AlertRuleInvalid(f"there is no alert rule named {', '.join(sorted(map(str, unknown)))}")
    checked = {name: _checked(name, override) for name, override in overrides.items()}
    found = {}
    for name, rule in rules.items():
        override = checked.get(name, {})
        if override.pop("enabled", True):
            found[name] = replace(rule, **override)
    return found


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a number as JSON has them: finite, and neither true nor false."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _checked(name: str, override: Any) -> dict[str, Any]:
    if not isinstance(override, Mapping):
        raise AlertRuleInvalid(f"{name} must be an object")
    return {key: _value(key, value, f"{name}.{key}") for key, value in override.items()}


def _value(key: str, value: Any, where: str) -> Any:
    if key == "severity":
        if value not in SEVERITIES:
            raise AlertRuleInvalid(f"{where} must be one of {', '.join(SEVERITIES)}")
        return value
    if key in ("only_open", "enabled"):
        if not isinstance(value, bool):
            raise AlertRuleInvalid(f"{where} must be true or false")
        return value
    if key not in MOST_S:
        raise AlertRuleInvalid(f"{where} is unknown, or cannot be changed")
    if not is_number(value) or not 0 <= value <= MOST_S[key]:
        raise AlertRuleInvalid(f"{where} must be between 0 and {MOST_S[key]:.0f} seconds")
    return float(value)
