"""Minutes: what is stored, and what any number of them amount to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from analytics.counting.base import Analytic

MINUTE_S = 60
Value = TypeVar("Value")


def minute_of(time_s: float) -> int:
    """Start of the minute, seconds since the epoch."""
    return int(time_s // MINUTE_S) * MINUTE_S


@dataclass(slots=True)
class Totals:
    """What the analytics know of a minute, or of any number of minutes merged.

    Attributes:
        values: of each analytic; one that has nothing to say is left out.
    """

    values: dict[Analytic[Any], Any] = field(default_factory=dict)

    def __getitem__(self, analytic: Analytic[Value]) -> Value:
        """The value of an analytic; zero, and no part of this, if there is none."""
        found = self.values.get(analytic)
        return analytic.zero() if found is None else cast(Value, found)

    def add(self, other: Totals) -> None:
        """Merge; nothing of ``other`` is shared afterwards."""
        for analytic, value in other.values.items():
            if analytic not in self.values:
                self.values[analytic] = analytic.zero()
            analytic.merge(self.values[analytic], value)

    @property
    def is_empty(self) -> bool:
        """No time was seen, nobody was there, and nothing happened."""
        return all(analytic.is_empty(value) for analytic, value in self.values.items())


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """A stored minute, keyed by stream, minute and epoch; writing one twice changes nothing.

    Attributes:
        stream: id.
        minute: its start, seconds since the epoch.
        epoch: of the assignment that saw it.
        totals: everything this epoch has seen of the minute so far, of the analytics that changed or were asked for.
    """

    stream: str
    minute: int
    epoch: int
    totals: Totals
