"""Whether a picture stands still longer than this camera ever does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.drift.states import fields, number, whole

FORMAT = 1
NEVER_STILL = 0.7
"""Share of the blocks that change from look to look, on average, from which on a camera is one that is never still."""
LEAST_LOOKS = 5
NEWEST = 0.005
"""Least weight of the newest look in that average."""
NOISY_S, NOISY_LOOKS = 15.0, 4
"""How long, and for how many looks, a camera that is never still may be still."""
COUNTED_LOOKS = 10
"""Still looks that count of a time in which it seemed to be frozen."""
QUIET_S = 600.0
TIMES_LONGER = 3.0
LONGEST_S = 24 * 3600.0
LONGEST_STEP_S = 30.0
"""More than this between two looks counts as this: a clock may be set, and nobody looked meanwhile."""
FORGETS = 0.98
"""How much of the longest usual stillness is left after an hour."""


class Stillness:
    """For how long one stream has shown the very same picture, and for how long it usually does.

    Most cameras are never still, for their sensors make noise. Some encoders smooth that away, or send it only with
    every key frame, and then an empty hall by night is still for hours: how long is learnt.
    """

    def __init__(self) -> None:
        self.still_s = 0.0
        """For how long nothing has changed, seconds."""
        self._still_looks = 0
        self._left: tuple[float, int] = 0.0, 0
        """For how long it was still, and in how many looks, when another reader left off."""
        self._usual_s = 0.0
        self._looks = 0
        self._moving = 0.0

    def look(self, changed: float | None, passed_s: float) -> None:
        """Take in a picture.

        Args:
            changed: share of the blocks that are not as in the picture before; None if there is none to compare with.
            passed_s: since that one, seconds.
        """
        self._usual_s *= FORGETS ** (passed_s / 3600)
        if changed == 0:
            (left_s, left_looks), self._left = self._left, (0.0, 0)
            self.still_s += min(passed_s, LONGEST_STEP_S) + left_s
            self._still_looks += 1 + left_looks
            return
        if changed is not None:
            self._left = 0.0, 0
            # What may have been a fault says little about what is usual; a fault that comes every minute is none.
            for _ in range(min(self._still_looks, COUNTED_LOOKS) if self.is_frozen else self._still_looks):
                self._count(0.0)
            self._count(changed)
            if not self._is_never_still:
                self._usual_s = max(self.still_s, self._usual_s)
        self.still_s, self._still_looks = 0.0, 0

    def _count(self, changed: float) -> None:
        self._looks += 1
        self._moving += max(NEWEST, 1 / self._looks) * (changed - self._moving)

    @property
    def _is_never_still(self) -> bool:
        return self._looks >= LEAST_LOOKS and self._moving >= NEVER_STILL

    @property
    def is_frozen(self) -> bool:
        """Whether this is no empty hall."""
        if self._is_never_still:
            return self.still_s > NOISY_S and self._still_looks >= NOISY_LOOKS
        return self.still_s > max(QUIET_S, min(TIMES_LONGER * self._usual_s, LONGEST_S))

    def snapshot(self) -> dict[str, Any]:
        """What was learnt, as JSON types; that it is still now has to be seen once again."""
        return {
            "format": FORMAT,
            "usual_s": self._usual_s,
            "looks": self._looks,
            "moving": self._moving,
            "still_s": self.still_s + self._left[0],
            "still_looks": self._still_looks + self._left[1],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a `snapshot`.

        Raises:
            ValueError: it is none, or of another format; nothing is changed then.
        """
        state = fields(state, FORMAT)
        usual_s, looks, moving = number(state, "usual_s", 0), whole(state, "looks"), number(state, "moving", 0)
        left = (number(state, "still_s", 0), whole(state, "still_looks")) if "still_s" in state else (0.0, 0)
        self._usual_s, self._looks, self._moving, self._left = usual_s, looks, moving, left
