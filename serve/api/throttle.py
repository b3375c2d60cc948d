"""How many wrong tokens one address may offer before it is told to wait."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 4096


class FailureThrottle:
    """Wrong tokens by address: a bucket that each empties and time fills.

    A right token is never held up by it, because behind loopback or a proxy everybody has the same address. So it
    bounds noise and work; what keeps a token from being guessed is its length.

    Args:
        per_minute: how often an address may be wrong.
        clock: monotonic seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = per_minute
        self._refill_s = 60.0 / per_minute
        self._clock = clock
        # By address, those that failed last at the end: how far it is in debt, and when that was.
        self._debts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def remembered(self) -> int:
        """How many addresses are known by now."""
        return len(self._debts)

    def failed(self, address: str) -> int | None:
        """Count a wrong token; returns the seconds to wait, or None while there is no need to."""
        now = self._clock()
        debt, since = self._debts.pop(address, (0.0, now))
        debt = max(0.0, debt - (now - since) / self._refill_s)
        waiting = debt + 1 > self._burst
        self._debts[address] = (debt if waiting else debt + 1, now)
        if len(self._debts) > MAX_ADDRESSES:
            self._debts.popitem(last=False)
        return max(1, math.ceil((debt + 1 - self._burst) * self._refill_s)) if waiting else None
