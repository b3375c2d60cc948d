"""Whether a number of people has reached a limit: told once, and not by every flicker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from analytics.geometry import PeopleLimit


class Level:
    """One limit of one zone.

    Reached, and cleared, are told in turns. Each has to hold for a while, without a gap in between; what lies between
    the two numbers changes nothing (hysteresis). After it was told that the limit is reached, that is not told again
    before the cool-down is over, however often people come and go.

    Args:
        limit: None: nothing is ever told.
    """

    def __init__(self, limit: PeopleLimit | None) -> None:
        self._limit = limit
        self._reached = False
        self._since_s: float | None = None
        self._told_s = -math.inf

    def use(self, limit: PeopleLimit | None) -> None:
        """From the next frame on; one that is reached and no more wanted is told to be cleared then."""
        self._limit = limit

    @property
    def reached(self) -> bool:
        """Whether it was told that it is, and not yet that it is not any more."""
        return self._reached

    def update(self, people: int, time_s: float, seen_since_last: bool) -> bool | None:
        """Take one frame.

        Args:
            people: that count for the limit.
            time_s: capture time.
            seen_since_last: whether the time since the frame before was seen; after a gap, holding begins anew.

        Returns:
            True if it is to be told that the limit is reached, False for cleared, None for nothing new.
        """
        limit = self._limit
        if limit is None:
            was_reached = self._reached
            self.restore(None)
            return False if was_reached else None
        turns = people <= limit.clear if self._reached else people >= limit.people
        if not turns:
            self._since_s = None
            return None
        if self._since_s is None or not seen_since_last or time_s < self._since_s:
            self._since_s = time_s
        if time_s - self._since_s < limit.hold_s:
            return None
        if not self._reached and 0 <= time_s - self._told_s < limit.cool_down_s:
            return None
        self._reached, self._since_s = not self._reached, None
        if self._reached:
            self._told_s = time_s
        return self._reached

    def snapshot(self) -> dict[str, Any] | None:
        """The state as JSON types; None if there is none."""
        told_s = self._told_s if math.isfinite(self._told_s) else None
        if not self._reached and self._since_s is None and told_s is None:
            return None
        return {"reached": self._reached, "since_s": self._since_s, "told_s": told_s}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up a `snapshot`."""
        state = state or {}
        told_s = state.get("told_s")
        self._reached, self._since_s = bool(state.get("reached")), state.get("since_s")
        self._told_s = -math.inf if told_s is None else told_s
