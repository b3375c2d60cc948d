"""What is wrong goes in, what people are to be told comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from analytics.alerts.course import Course, Telling
from analytics.alerts.rules import RULES, SEVERITIES, AlertRule, Severity, is_number
from analytics.alerts.silences import Silence, Silences
from analytics.errors import SilenceInvalid, UnknownAlert
from analytics.events import identity

SERVICE = "service"
"""The subject of what is wrong with no single stream."""
MOST_STEP_S = 10.0
"""The most that counts as time between two observations: a clock may be set, and a process may have stood still."""
FORMAT = 1
"""Of `AlertBook.snapshot`."""
Judged: TypeAlias = Callable[[str, str], bool]
"""Whether anybody knows now how things stand with a rule (its name) and a subject."""
State = Literal["pending", "active", "clearing"]
_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong right now.

    Attributes:
        rule: name of the rule that it falls under.
        subject: id of the stream, or `SERVICE`.
        detail: one sentence; may be another one each time.
    """

    rule: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem, and what became of it. Times are seconds since the epoch, as the clock said then.

    Attributes:
        id: 32 hexadecimal digits, the same for as long as it is the same alert.
        rule: name.
        subject: id of the stream, or `SERVICE`.
        severity: as of the rule.
        summary: likewise.
        detail: of the problem, as it was seen last.
        state: ``pending``: has not lasted long enough; ``clearing``: is gone, but not for long enough yet, or, in the
            change that tells of its end, for good.
        since_s: when the problem was seen first.
        raised_s: when it became active, for the last time if it came back; None: it never was.
        cleared_s: when it was over; of one that has come back and is pending, when it was over before. None: it is on.
        acknowledged_by: who knows of it; None: nobody said so.
        acknowledged_s: since when.
        silenced: whether nobody wants to hear of it now.
        told: whether people know that it is on, since they were told.
    """

    id: str
    rule: str
    subject: str
    severity: Severity
    summary: str
    detail: str
    state: State
    since_s: float
    raised_s: float | None
    cleared_s: float | None
    acknowledged_by: str | None
    acknowledged_s: float | None
    silenced: bool
    told: bool


@dataclass(frozen=True, slots=True)
class AlertChange:
    """Something that people are to be told. An alert is raised again, without an end between, if it became severer."""

    kind: Telling
    alert: Alert


class AlertBook:
    """The alerts that are on, and those that would be the same if they came back.

    What people hear of an alert is ``raised`` and ``cleared`` in turns. One that nobody was told of, since it was
    silenced or acknowledged in time, ends without a word. It grows with what is wrong at a time, and keeps no past.

    Args:
        rules: by name; problems that fall under no other are ignored.
    """

    def __init__(self, rules: Mapping[str, AlertRule] = RULES) -> None:
        self._rules = dict(rules)
        self._courses: dict[_Key, Course] = {}
        self._silences = Silences()
        self._time_s: float | None = None

    def use_rules(self, rules: Mapping[str, AlertRule]) -> None:
        """From the next observation on; alerts of rules that are no more end then, and what is severer is told."""
        self._rules = dict(rules)

    def observe(
        self, now_s: float, problems: Iterable[Problem], judged: Judged, is_open: Callable[[str], bool]
    ) -> list[AlertChange]:
        """Take what is wrong, every few seconds.

        The time since the observation before counts, up to `MOST_STEP_S`, for what is judged now.

        Args:
            now_s: seconds since the epoch.
            problems: all that is wrong now.
            judged: asked of what is in the book and no problem: whether it is fine now, or nobody can say. In that
                case it stays as it is.
            is_open: whether the site of a subject is open; asked for rules that hold only then. While it is closed,
                their problems count as gone.
        """
        found = {(one.rule, one.subject): one for one in problems if one.rule in self._rules}
        seen = self._seen(found, judged, is_open)
        step_s = 0.0 if self._time_s is None else min(max(now_s - self._time_s, 0.0), MOST_STEP_S)
        self._time_s = now_s
        self._silences.go_on(now_s)
        changes = self._end([key for key, course in self._courses.items() if course.rule not in self._rules], now_s)
        for course in self._courses.values():
            course.cool(step_s)
        self._courses = {key: course for key, course in self._courses.items() if not course.is_done}
        for key, problem in found.items():
            course = self._courses.setdefault(key, Course(*key, now_s))
            course.detail = problem.detail
        for key, course in self._courses.items():
            if key in seen:
                course.follow(self._rules[course.rule], seen[key], now_s, step_s)
            changes += self._told(course)
        return changes

    def _seen(self, found: Mapping[_Key, Problem], judged: Judged, is_open: Callable[[str], bool]) -> dict[_Key, bool]:
        """What is wrong, and what is not, as far as anybody knows; asked before anything changes, since askers fail."""
        seen = {}
        for rule, subject in self._courses.keys() | found.keys():
            key = rule, subject
            if rule not in self._rules:
                continue
            if self._rules[rule].only_open and not is_open(subject):
                seen[key] = False
            elif key in found or judged(rule, subject):
                seen[key] = key in found
        return seen

    def alerts(self) -> list[Alert]:
        """What is on as of the last observation, and what may be soon: the most severe first, then the oldest."""
        found = [self._alert(course) for course in self._courses.values() if course.phase != "over"]
        return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.since_s, one.rule, one.subject))

    def acknowledge(self, id: str, by: str, now_s: float) -> Alert:
        """Somebody takes care of an alert, so that it is not told again.

        Args:
            id: of an alert that is on.
            by: who.
            now_s: seconds since the epoch.

        Raises:
            UnknownAlert: none that is on has this id.
        """
        for course in self._courses.values():
            if course.phase != "over" and _id(course) == id:
                course.acknowledge(by, now_s)
                return self._alert(course)
        raise UnknownAlert(f"there is no alert {id!r}, or it is over")

    def silence(
        self,
        now_s: float,
        until_s: float,
        by: str,
        reason: str,
        *,
        rule: str | None = None,
        subject: str | None = None,
        from_s: float | None = None,
    ) -> Silence:
        """Nobody wants to hear for a while that something is raised; see `Silence`.

        What is on when the silence ends is told then.

        Args:
            now_s: seconds since the epoch.
            until_s: when it ends, likewise.
            by: who wants it.
            reason: what for.
            rule: name; None: all.
            subject: id; None: all.
            from_s: when it begins; None: now.

        Raises:
            SilenceInvalid: it cannot be, or there are too many.
        """
        if rule is not None and rule not in self._rules:
            raise SilenceInvalid(f"there is no alert rule named {rule!r}")
        silence = Silence.of(rule, subject, now_s if from_s is None else from_s, until_s, by, reason)
        self._silences.add(silence, now_s)
        return silence

    def unsilence(self, id: str) -> Silence:
        """End a silence; what is on is told with the next observation.

        Raises:
            UnknownSilence: there is none of this id.
        """
        return self._silences.remove(id)

    def silences(self) -> list[Silence]:
        """Those that are and those to come, as of the last observation, by when they begin."""
        return self._silences.all()

    def forget(self, subject: str, now_s: float) -> list[AlertChange]:
        """A subject is no more: its alerts are over, and its silences, too."""
        self._silences.forget(subject)
        return self._end([key for key, course in self._courses.items() if course.subject == subject], now_s)

    @property
    def standing(self) -> dict[str, Any]:
        """What must not be forgotten, without what merely goes by: compared, to know of changes."""
        standing = {
            (one.rule, one.subject): (one.phase, one.told, one.known, one.acknowledged_by, one.cool_s > 0)
            for one in self._courses.values()
            if one.phase != "pending" or one.known is not None
        }
        return {"alerts": standing, "silences": self._silences.snapshot()}

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "format": FORMAT,
            "time_s": self._time_s,
            "alerts": [course.snapshot() for course in self._courses.values()],
            "silences": self._silences.snapshot(),
        }

    def restore(self, state: Any) -> None:
        """Take up a `snapshot` in place of all that is known; what was told is not told again.

        Raises:
            ValueError: it is none, or of another format; nothing is changed then.
        """
        if not isinstance(state, Mapping) or state.get("format") != FORMAT:
            raise ValueError(f"alerts must be an object of format {FORMAT}")
        time_s, alerts = state.get("time_s"), state.get("alerts")
        if not isinstance(alerts, list) or not (time_s is None or is_number(time_s)):
            raise ValueError("alerts must be a list, and have a time")
        courses = {(course.rule, course.subject): course for course in map(Course.restored, alerts)}
        if len(courses) != len(alerts):
            raise ValueError("alerts repeat")
        silences = Silences.restored(state.get("silences"))
        self._time_s, self._courses, self._silences = time_s, courses, silences

    def _end(self, keys: Iterable[_Key], now_s: float) -> list[AlertChange]:
        changes = []
        for key in keys:
            course = self._courses.pop(key)
            course.end(now_s, 0.0)
            changes += self._told(course)
        return changes

    def _told(self, course: Course) -> list[AlertChange]:
        kind = course.tell(self._silences.covers(course.rule, course.subject))
        return [] if kind is None else [AlertChange(kind, self._alert(course))]

    def _alert(self, course: Course) -> Alert:
        return Alert(
            id=_id(course),
            rule=course.rule,
            subject=course.subject,
            severity=course.severity,
            summary=course.summary,
            detail=course.detail,
            state="clearing" if course.phase == "over" else course.phase,
            since_s=course.since_s,
            raised_s=course.raised_s,
            cleared_s=course.cleared_s,
            acknowledged_by=course.acknowledged_by,
            acknowledged_s=course.acknowledged_s,
            silenced=self._silences.covers(course.rule, course.subject),
            told=course.told,
        )


def _id(course: Course) -> str:
    return identity(course.rule, course.subject, float(course.since_s))
