"""What a reader tells of its streams with each heartbeat: what has changed, and of the rest some in turn.

All counters of all streams grow all the time. Were they told each second, the registry's work would grow with streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from serve.control.messages import Reported
from serve.streams.status import StreamStatus

EACH_TIME, AT_LEAST = 16, 8
"""Streams of which a heartbeat tells; and of those to which nothing has happened, however much happens to others."""
AGE_S = 1.0
"""A newest frame that is older by so much, or younger, has to be told."""


class Reports:
    """Decides what is worth telling to one listener; a stream's turn comes after all others'."""

    def __init__(self) -> None:
        self._told: dict[str, Reported] = {}  # those first that were told longest ago

    def choose(self, streams: Mapping[str, Reported]) -> dict[str, Reported]:
        """Those to tell now.

        Args:
            streams: all that there are, and how they are.
        """
        news = {name: one for name, one in streams.items() if _is_news(self._told.get(name), one)}
        rest = (name for name in self._told if name in streams and name not in news)
        return news | {name: streams[name] for name in islice(rest, max(AT_LEAST, EACH_TIME - len(news)))}

    def heard(self, told: Mapping[str, Reported], streams: Mapping[str, Reported]) -> None:
        """These were told, of all that there are."""
        kept = {name: one for name, one in self._told.items() if name in streams and name not in told}
        self._told = kept | dict(told)


def _is_news(told: Reported | None, now: Reported) -> bool:
    if told is None or told.epoch != now.epoch:
        return True
    before, after = told.status, now.status
    if abs((before.frame_age_s or 0.0) - (after.frame_age_s or 0.0)) > AGE_S:
        return True
    return _drifted(before) != _drifted(after) or any(getattr(before, name) != getattr(after, name) for name in _SELDOM)


def _drifted(status: StreamStatus) -> tuple[Any, ...]:
    """What of its drift changes only when something happens."""
    drift = status.drift
    if drift is None:
        return ()
    return drift.causes, drift.judges_pictures, drift.judges_people, drift.proposes_renewal, drift.version


_SELDOM = (
    "state",
    "since_s",
    "error",
    "error_code",
    "codec",
    "width",
    "height",
    "corrupt",
    "reconnects",
    "spooled",
    "rows_lost",
    "shard",
)
"""What changes only when something happens."""
