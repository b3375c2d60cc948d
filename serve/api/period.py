"""The window of a report: which minutes, in which time zone."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Query

from analytics.reports.queries import Window
from serve.errors import BadRequest

DEFAULT_WINDOW_S = 86_400
_MOMENT: dict[str, Any] = {"min_length": 1, "max_length": 64, "examples": ["2026-03-01", 1_772_355_600]}


@dataclass(frozen=True, slots=True)
class Period:
    """A window in a time zone, as asked for."""

    window: Window
    zone: tzinfo
    zone_name: str

    def in_words(self) -> str:
        """For a legend."""
        first = datetime.fromtimestamp(self.window.start, self.zone)
        last = datetime.fromtimestamp(self.window.end, self.zone)
        end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
        return f"{first:%Y-%m-%d %H:%M} - {end} {self.zone_name}"


def period_of(
    start: Annotated[
        str | None, Query(**_MOMENT, description="ISO 8601, or seconds since the epoch; none: a day before end.")
    ] = None,
    end: Annotated[str | None, Query(**_MOMENT, description="Likewise; none: now.")] = None,
    tz: Annotated[
        str,
        Query(min_length=1, max_length=100, description="IANA time zone of buckets and of times without an offset."),
    ] = "UTC",
) -> Period:
    """The window asked for, in whole minutes.

    Raises:
        BadRequest: a time or zone that cannot be read, or an empty window.
    """
    try:
        zone: tzinfo = UTC if tz == "UTC" else ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequest(f"tz: there is no time zone {tz!r}") from None
    end_s = time.time() if end is None else moment(end, "end", zone)
    start_s = end_s - DEFAULT_WINDOW_S if start is None else moment(start, "start", zone)
    try:
        return Period(Window.of(start_s, end_s), zone, tz)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def moment(text: str, name: str, zone: tzinfo) -> float:
    """Seconds since the epoch."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        except ValueError:
            raise BadRequest(f"{name}: {text!r} is neither ISO 8601 nor seconds since the epoch") from None
        try:
            seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).timestamp()
        except (OverflowError, ValueError):
            seconds = math.inf
    if not 0 <= seconds < 253_000_000_000:
        raise BadRequest(f"{name}: {text!r} is out of range")
    return seconds


InPeriod = Annotated[Period, Depends(period_of)]
