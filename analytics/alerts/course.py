"""How one alert goes: from the first sign of a problem to the end of its cool-down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from analytics.alerts.rules import SEVERITIES, AlertRule, Severity, is_number

Phase = Literal["pending", "active", "clearing", "over"]
Telling = Literal["raised", "cleared"]


@dataclass(slots=True)
class Course:
    """Where an alert stands, and what people know of it.

    What has to last is added up from steps rather than taken from the clock, which may be set. Times of the clock are
    here to be shown, and may be out of order if it was.

    Attributes:
        rule: name.
        subject: that it is about.
        since_s: when the problem was seen first, seconds since the epoch.
        severity: as of the rule.
        summary: likewise.
        detail: of the problem, as it was seen last.
        phase: ``over`` also if it was never raised.
        lasted_s: how long what would end the phase has lasted: the problem in ``pending``, its absence in
            ``clearing``.
        raised_s: when it became active last, seconds since the epoch; None: it never was.
        cleared_s: when it was over last, likewise; None: it is on.
        cool_s: what is left of the cool-down, seconds.
        told: whether people were told that it is raised, and not since that it is over.
        known: how severe an alert people know of, since they were told, or have acknowledged it.
        acknowledged_by: who knows of it.
        acknowledged_s: since when, seconds since the epoch.
    """

    rule: str
    subject: str
    since_s: float
    severity: Severity = "info"
    summary: str = ""
    detail: str = ""
    phase: Phase = "over"
    lasted_s: float = 0.0
    raised_s: float | None = None
    cleared_s: float | None = None
    cool_s: float = 0.0
    told: bool = False
    known: Severity | None = None
    acknowledged_by: str | None = None
    acknowledged_s: float | None = None

    @property
    def is_done(self) -> bool:
        """Nothing is left to say of it; if the problem comes back, that is another alert."""
        return self.phase == "over" and self.cool_s <= 0

    def cool(self, step_s: float) -> None:
        """Time goes by. When the cool-down is over, what has come back silently is as good as new to people."""
        if self.cool_s <= 0:
            return
        self.cool_s = max(0.0, self.cool_s - step_s)
        if self.cool_s <= 0 and not self.told and self.acknowledged_by is None:
            self.known = None

    def follow(self, rule: AlertRule, wrong: bool, now_s: float, step_s: float) -> None:
        """Take what is seen now.

        Args:
            rule: that it is of, as it is now.
            wrong: whether the problem is there.
            now_s: seconds since the epoch.
            step_s: since it was seen before.
        """
        self.severity, self.summary = rule.severity, rule.summary
        if wrong:
            self._go_wrong(rule, now_s, step_s)
        else:
            self._go_right(rule, now_s, step_s)

    def _go_wrong(self, rule: AlertRule, now_s: float, step_s: float) -> None:
        if self.phase == "pending":
            self.lasted_s += step_s
        elif self.phase == "clearing":
            self.phase = "active"
        elif self.phase == "over":
            self.phase, self.lasted_s = "pending", 0.0
        if self.phase == "pending" and self.lasted_s >= rule.hold_s:
            self.phase, self.raised_s, self.cleared_s = "active", now_s, None

    def _go_right(self, rule: AlertRule, now_s: float, step_s: float) -> None:
        if self.phase == "clearing":
            self.lasted_s += step_s
        elif self.phase == "active":
            self.phase, self.lasted_s = "clearing", 0.0
        elif self.phase == "pending":
            self.phase = "over"
        if self.phase == "clearing" and self.lasted_s >= rule.clear_s:
            self.end(now_s, rule.cooldown_s)

    def end(self, now_s: float, cooldown_s: float) -> None:
        """It is over. However often it comes back silently, one cool-down is all that people wait to hear of it."""
        self.phase, self.cleared_s = "over", now_s
        if self.told or self.cool_s <= 0:
            self.cool_s = cooldown_s

    def tell(self, silenced: bool) -> Telling | None:
        """What people are to be told now; it is taken as told.

        Args:
            silenced: whether they do not want to hear that it is raised. That something is over is always told to
                those who were told that it began.
        """
        if self.phase == "over" and self.told:
            self.told = False
            return "cleared"
        if self.phase == "active" and not silenced and self._is_news:
            self.told, self.known = True, self.severity
            self.acknowledged_by = self.acknowledged_s = None
            return "raised"
        return None

    @property
    def _is_news(self) -> bool:
        return self.known is None or SEVERITIES.index(self.severity) > SEVERITIES.index(self.known)

    def acknowledge(self, by: str, now_s: float) -> None:
        """Somebody knows of it: it is not told again, unless it becomes more severe than it is now."""
        self.acknowledged_by, self.acknowledged_s, self.known = by, now_s, self.severity

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return asdict(self)

    @staticmethod
    def restored(state: Any) -> Course:
        """From a `snapshot`.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(state, Mapping) or set(state) != set(_TYPES):
            raise ValueError(f"an alert must have {', '.join(_TYPES)}")
        wrong = [name for name, fits in _TYPES.items() if not fits(state[name])]
        if wrong:
            raise ValueError(f"an alert has {wrong[0]} of another kind")
        course = Course(**state)
        is_on = course.phase in ("active", "clearing")
        if (is_on and course.raised_s is None) or (course.told and not is_on):
            raise ValueError("an alert is on that was never raised, or was told and is not")
        return course


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _lasting(value: Any) -> bool:
    return is_number(value) and value >= 0


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "rule": _text,
    "subject": _text,
    "since_s": is_number,
    "severity": SEVERITIES.__contains__,
    "summary": _text,
    "detail": _text,
    "phase": get_args(Phase).__contains__,
    "lasted_s": _lasting,
    "raised_s": _or_none(is_number),
    "cleared_s": _or_none(is_number),
    "cool_s": _lasting,
    "told": lambda value: isinstance(value, bool),
    "known": _or_none(SEVERITIES.__contains__),
    "acknowledged_by": _or_none(_text),
    "acknowledged_s": _or_none(is_number),
}
