"""Whether the crossings that are told of a camera are those that it has shown, each of them once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

WITHIN_S = 0.6
"""Between a crossing in the picture and what is told of it: a few analysed frames."""
UNSETTLED_S = 1.5
"""The same while a camera has not told its time yet: what comes is dated by its arrival, which is late where everything
begins at once."""
EDGE_S = 3.0
"""From the first frame until somebody who comes towards a line is followed; as long behind a gap."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crosses the one line of the clip.

    Attributes:
        time_s: seconds since the epoch, or since the clip began.
        direction: ``in`` or ``out``.
    """

    time_s: float
    direction: str


def phases_of(told: Sequence[Crossing], shown: Sequence[Crossing], loop_s: float) -> list[float]:
    """When the endless clip may have begun, modulo its length.

    Such that something that is told was shown then, or lies as far before that as something else does behind it: of
    several that are told a little too soon or too late, none may be right to the frame.
    """
    exact = [(one.time_s - each.time_s) % loop_s for one in told for each in shown if one.direction == each.direction]
    apart = [(one, (other - one) % loop_s) for one, other in permutations(exact, 2)]
    return exact + [(one + apart_s / 2) % loop_s for one, apart_s in apart if apart_s <= 2 * WITHIN_S]


def shown_between(
    shown: Sequence[Crossing], phase_s: float, loop_s: float, begin_s: float, end_s: float
) -> list[Crossing]:
    """All crossings of the endless clip between two times."""
    first = int((begin_s - phase_s) // loop_s)
    loops = range(first, int((end_s - phase_s) // loop_s) + 1)
    found = [Crossing(phase_s + number * loop_s + one.time_s, one.direction) for number in loops for one in shown]
    return sorted((one for one in found if begin_s <= one.time_s <= end_s), key=lambda one: one.time_s)


def unmatched(
    told: Sequence[Crossing], expected: Sequence[Crossing], settled_s: float = -math.inf
) -> tuple[list[Crossing], list[Crossing]]:
    """What was told and never shown, or told twice; and what was shown and never told.

    Args:
        told: of a camera.
        expected: what it has shown.
        settled_s: from when on it certainly tells its time.
    """
    left, extra = list(expected), []
    for one in told:
        within_s = WITHIN_S if one.time_s >= settled_s else UNSETTLED_S
        close = [each for each in left if abs(one.time_s - each.time_s) <= within_s]
        fitting = [each for each in close if each.direction == one.direction]
        if fitting:
            left.remove(min(fitting, key=lambda each: abs(each.time_s - one.time_s)))
        else:
            extra.append(one)
    return extra, left
