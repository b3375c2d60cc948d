"""How often readers give a sign of life."""

from __future__ import annotations

HEARTBEAT_S = 1.0
LEAST_S = 0.3
MANY_READERS = 50
"""From so many on, each is heard half as often: that is most of what a registry does while nothing changes."""
LOOKED_S = 1.0
"""The registry looks who is silent once in so many seconds."""


def interval_s(readers: int, timeout_s: float) -> float:
    """Seconds between two heartbeats of each of so many readers, whose silence counts after ``timeout_s``."""
    usual_s = HEARTBEAT_S if readers < MANY_READERS else 2 * HEARTBEAT_S
    # One that gets lost must not look like death.
    return min(usual_s, max(LEAST_S, (timeout_s - LOOKED_S) / 2))
