"""How many streams were taken from their readers, why, and how many more may be for now."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum

AT_ONCE = 4
A_MINUTE = 12


class Why(StrEnum):
    """A stream was taken from its reader."""

    LOST = "lost"
    """That is not there any more."""
    LEAVING = "leaving"
    """That is about to go."""
    BALANCE = "balance"
    """Another has less to do, or reads the same partition of a topic."""


class Moves:
    """Counts moves, and bounds those that nobody needs: each is work for two readers.

    Args:
        clock: monotonic seconds.

    Attributes:
        counts: streams that were taken from a reader since this process began.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.counts: Counter[Why] = Counter(dict.fromkeys(Why, 0))
        self._clock = clock
        self._for_balance_s: deque[float] = deque()

    def left(self, under_way: int) -> int:
        """Of streams, and of shards that move as one, how many may be on the move now with those that already are."""
        while self._for_balance_s and self._clock() - self._for_balance_s[0] > 60.0:
            self._for_balance_s.popleft()
        return min(AT_ONCE, under_way + A_MINUTE - len(self._for_balance_s))

    def begun_for_balance(self, units: int) -> None:
        """So many streams and shards are on the move from now on, though nobody had to."""
        self._for_balance_s.extend(self._clock() for _ in range(units))
