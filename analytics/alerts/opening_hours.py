"""When a site is open: spans of local time for each day of the week, and other ones for single dates."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.errors import OpeningHoursInvalid

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_SPANS = 12
"""Of one day."""
MOST_EXCEPTIONS = 400
"""A year of single dates, and some."""
LOOK_AHEAD = timedelta(days=400)
"""How far `OpeningHours.next_change` looks."""
DAY_MIN = 24 * 60
_DAY = timedelta(days=1)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_NAME = 64
_Times: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Open from one time of the clock to another, in minutes after the midnight that the day begins with.

    Attributes:
        opens_min: in [0, 1440).
        closes_min: after ``opens_min``, by at most a day; above 1440 it is a time of the next day.
    """

    opens_min: int
    closes_min: int


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When people may be expected.

    A span begins, and ends, the first moment that the local clock shows its time or a later one. So an hour that
    happens twice is open twice if the span has all of it; what ends in the middle of it ends the first time; and an
    hour that never happens takes no time. A span that goes over midnight belongs to the day that it begins on, also
    where the next day is an exception.

    Attributes:
        zone: whose clock it is.
        week: spans of each day, Monday first; they may touch and overlap. None: always open.
        exceptions: spans of single dates, instead of their weekday's.
    """

    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...] | None
    exceptions: Mapping[date, tuple[Span, ...]] = field(default_factory=dict, hash=False)

    @staticmethod
    def from_document(document: Any) -> OpeningHours:
        """From JSON types; None: always open.

        Such as ``{"timezone": "Europe/Berlin", "week": {"monday": [["09:00", "18:30"]], "friday": [["20:00",
        "02:00"]]}, "exceptions": {"2026-12-24": []}}``. A day that is left out is closed.

        Raises:
            OpeningHoursInvalid: saying which part is wrong, and how.
        """
        if document is None:
            return OpeningHours(ZoneInfo("UTC"), None)
        _known(document, "opening hours", ("timezone", "week", "exceptions"))
        zone = _zone(document.get("timezone"))
        days = document.get("week")
        _known(days, "week", WEEKDAYS)
        week = tuple(_spans(days.get(day, []), f"week.{day}") for day in WEEKDAYS)
        return OpeningHours(zone, week, _exceptions(document.get("exceptions", {})))

    def to_document(self) -> dict[str, Any] | None:
        """The reverse of `from_document`; what is written in several ways comes out in one."""
        if self.week is None:
            return None
        return {
            "timezone": self.zone.key,
            "week": {day: _written(spans) for day, spans in zip(WEEKDAYS, self.week, strict=True)},
            "exceptions": {day.isoformat(): _written(spans) for day, spans in sorted(self.exceptions.items())},
        }

    def is_open(self, time_s: float) -> bool:
        """Whether it is open then.

        Args:
            time_s: seconds since the epoch. The second that a span ends with is no part of it.
        """
        if self.week is None:
            return True
        day = self._day(time_s)
        return any(opens_s <= time_s < closes_s for opens_s, closes_s in self._opened(day - _DAY, day + _DAY))

    def seconds_open(self, start_s: float, end_s: float) -> float:
        """How much of the time between two moments it is open, seconds; 0 if the second comes first."""
        if self.week is None:
            return max(0.0, end_s - start_s)
        opened = _joined(self._opened(self._day(start_s) - _DAY, self._day(end_s) + _DAY))
        return sum((max(0.0, min(end_s, closes_s) - max(start_s, opens_s)) for opens_s, closes_s in opened), 0.0)

    def next_change(self, time_s: float) -> float | None:
        """When it opens or closes next after a moment, seconds since the epoch; None: not within the next 400 days."""
        if self.week is None:
            return None
        today = self._day(time_s)
        last = today + LOOK_AHEAD
        horizon_s = _first_shown(last + _DAY, 0, self.zone)
        for span in _joined(self._opened(today - _DAY, last)):
            for change_s in span:
                if change_s > time_s:
                    return change_s if change_s < horizon_s else None
        return None

    def _day(self, time_s: float) -> date:
        return datetime.fromtimestamp(time_s, self.zone).date()

    def _opened(self, first: date, last: date) -> Iterator[_Times]:
        """What the days from ``first`` to ``last`` are open, by when it begins, seconds since the epoch.

        Who looks at a moment needs the day before, whose spans go over midnight, and the day after: where clocks are
        set back shortly behind midnight, a day is over, begins, and is not over after all.
        """
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            for span in sorted(self._spans_of(day)):
                opens_s = _first_shown(day, span.opens_min, self.zone)
                closes_s = _first_shown(day, span.closes_min, self.zone)
                if opens_s < closes_s:
                    yield opens_s, closes_s

    def _spans_of(self, day: date) -> tuple[Span, ...]:
        assert self.week is not None
        return self.exceptions.get(day, self.week[day.weekday()])


def _first_shown(day: date, minute: int, zone: ZoneInfo) -> float:
    """The first moment that a clock shows a time of a day or a later one, seconds since the epoch.

    Args:
        day: local date.
        minute: after its midnight; may be one of the next day.
        zone: of the clock.
    """
    shown = datetime.combine(day, time()) + timedelta(minutes=minute)
    # As if the clock had not been changed yet, and as if it had (PEP 495): they differ only where it is.
    unchanged_s, changed_s = (shown.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if unchanged_s <= changed_s:
        return unchanged_s
    jump = range(int(changed_s), int(unchanged_s))
    return float(
        jump.start
        + bisect_left(jump, True, key=lambda at_s: datetime.fromtimestamp(at_s, zone).replace(tzinfo=None) >= shown)
    )


def _joined(spans: Iterable[_Times]) -> Iterator[_Times]:
    """Spans in the order in which they begin, with those that touch or overlap made one."""
    current: _Times | None = None
    for opens_s, closes_s in spans:
        if current is None:
            current = opens_s, closes_s
        elif opens_s <= current[1]:
            current = current[0], max(current[1], closes_s)
        else:
            yield current
            current = opens_s, closes_s
    if current is not None:
        yield current


def _zone(value: Any) -> ZoneInfo:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME:
        raise OpeningHoursInvalid("timezone must be the name of a time zone, such as Europe/Berlin")
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise OpeningHoursInvalid(f"timezone: there is no time zone {value!r}") from None


def _exceptions(value: Any) -> dict[date, tuple[Span, ...]]:
    if not isinstance(value, Mapping):
        raise OpeningHoursInvalid("exceptions must be an object of dates")
    if len(value) > MOST_EXCEPTIONS:
        raise OpeningHoursInvalid(f"exceptions has {len(value)} dates, at most {MOST_EXCEPTIONS} are possible")
    return {_date(day): _spans(spans, f"exceptions.{day}") for day, spans in value.items()}


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise OpeningHoursInvalid(f"exceptions: {value!r} is no date, such as 2026-12-24")


def _spans(value: Any, where: str) -> tuple[Span, ...]:
    if not isinstance(value, list | tuple):
        raise OpeningHoursInvalid(f"{where} must be a list of spans")
    if len(value) > MOST_SPANS:
        raise OpeningHoursInvalid(f"{where} has {len(value)} spans, at most {MOST_SPANS} are possible")
    return tuple(_span(item, f"{where}[{i}]") for i, item in enumerate(value))


def _span(value: Any, where: str) -> Span:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise OpeningHoursInvalid(f'{where} must be a span such as ["09:00", "18:30"]')
    opens_min, closes_min = _minute(value[0], where), _minute(value[1], where)
    if opens_min == DAY_MIN:
        raise OpeningHoursInvalid(f"{where} begins at 24:00: that is 00:00 of the next day")
    return Span(opens_min, closes_min if closes_min > opens_min else closes_min + DAY_MIN)


def _minute(value: Any, where: str) -> int:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise OpeningHoursInvalid(f"{where} must have times from 00:00 to 24:00, with two digits each")
    return int(value[:2]) * 60 + int(value[3:])


def _written(spans: Iterable[Span]) -> list[list[str]]:
    return [[_clock(span.opens_min), _clock(span.closes_min)] for span in spans]


def _clock(minute: int) -> str:
    within = minute if minute <= DAY_MIN else minute - DAY_MIN
    return f"{within // 60:02}:{within % 60:02}"


def _known(value: Any, where: str, names: Iterable[str]) -> None:
    if not isinstance(value, Mapping):
        raise OpeningHoursInvalid(f"{where} must be an object")
    unknown = set(value) - set(names)
    if unknown:
        raise OpeningHoursInvalid(f"{where} has unknown parts: {', '.join(sorted(map(str, unknown)))}")
