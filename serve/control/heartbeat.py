"""How often readers give a sign of life."""

from __future__ import annotations

HEARTBEAT_S = 1.0
MANY_READERS = 50
"""From so many on, each is heard half as often: that is most of what a registry does while nothing changes."""
TIMES_HEARD = 2.5
"""In the time after which silence counts: one that comes late, or gets lost, must not look like death."""


def interval_s(readers: int, timeout_s: float) -> float:
    """Seconds between two heartbeats of each of so many readers, whose silence counts after ``timeout_s``."""
    usual_s = HEARTBEAT_S if readers < MANY_READERS else 2 * HEARTBEAT_S
    return min(usual_s, timeout_s / TIMES_HEARD)
