"""How many replicas there should be, by what they have to do: up at once, down late, and never to and fro."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

FULL = 0.8
"""Share of its capacity that a replica is planned for; the rest is room for growth while another one starts."""
SLACK = 0.08
"""Replicas go once the others would do even if there were more to do by this share."""
LOOK_BACK_S = 300.0
"""As long as a new reader takes to be there many times over, and short beside what a shop is open."""
UNKNOWN_S = 30.0
"""A longer time without any report tells nothing of what was needed meanwhile."""
FRAME_AGE_S = 0.25
"""What waits for a detector is to be done within so long."""
FRESH_S = 10.0
"""A report that is older than the newest of all by more comes from a replica that is frozen."""
EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class DetectorLoad:
    """What a detector replica reports.

    Attributes:
        busy: share of the last seconds that it spent on inference.
        queued_frames: that wait for it.
        oldest_age_s: since the one that came first of these has waited; 0 if none waits.
        frame_s: seconds of inference that a frame takes.
    """

    busy: float
    queued_frames: float
    oldest_age_s: float
    frame_s: float


def readers_needed(weight: float, capacity: float) -> float:
    """Reader replicas for streams of a weight, in replicas and parts of them.

    Args:
        weight: CPU cores that all streams want that are switched on.
        capacity: CPU cores that a reader takes streams for.
    """
    return weight / (capacity * FULL)


def detectors_needed(loads: Collection[DetectorLoad]) -> float:
    """Detector replicas that keep up with what comes, and have done in time what waits; likewise.

    Once a frame has waited for too long, one more than report is needed, whatever the rest says.
    """
    working = sum(load.busy for load in loads)
    waiting = sum(load.queued_frames * load.frame_s for load in loads) / FRAME_AGE_S
    needed = (working + waiting) / FULL
    late = any(load.oldest_age_s > FRAME_AGE_S for load in loads)
    return max(needed, len(loads) + 1.0) if late else needed


@dataclass(frozen=True, slots=True)
class Sample:
    """A number that a replica reported at a time, seconds since the epoch."""

    at_s: float
    value: float


def newest(reports: Mapping[str, Sample]) -> Sample | None:
    """Of what every replica says alike: who is frozen says something old for ever."""
    return max(reports.values(), key=lambda sample: sample.at_s, default=None)


def fresh(reports: Mapping[str, Sample]) -> dict[str, float]:
    """Of what every replica says for itself: without those that are frozen."""
    last = newest(reports)
    if last is None:
        return {}
    return {replica: sample.value for replica, sample in reports.items() if last.at_s - sample.at_s <= FRESH_S}


class Scaling:
    """Remembers what was needed lately.

    Args:
        look_back_s: replicas go once they were not needed for so long.
    """

    def __init__(self, look_back_s: float = LOOK_BACK_S) -> None:
        self._look_back_s = look_back_s
        self._needs: deque[tuple[float, float]] = deque()
        self._known_since_s = 0.0

    def wanted(self, replicas: int, needed: float | None, now_s: float, *, least: int = 1, most: int) -> int:
        """How many there should be.

        Args:
            replicas: how many there are, or are on their way.
            needed: replicas and parts of them; None if nobody says.
            now_s: monotonic seconds.
            least: replicas that stay, whatever is needed.
            most: replicas that there may be.
        """
        return max(least, min(most, self._wanted(replicas, needed, now_s)))

    def _wanted(self, replicas: int, needed: float | None, now_s: float) -> int:
        if needed is None:
            return replicas
        self._remember(needed, now_s)
        enough = math.ceil(needed - EXACT)
        if enough > replicas:
            return enough
        if now_s - self._known_since_s < self._look_back_s:
            return replicas
        most_needed = self._needs[0][1]
        return min(replicas, math.ceil(most_needed * (1 + SLACK) - EXACT))

    def _remember(self, needed: float, now_s: float) -> None:
        if not self._needs or now_s - self._needs[-1][0] > UNKNOWN_S:
            self._known_since_s = now_s
        while self._needs and now_s - self._needs[0][0] > self._look_back_s:
            self._needs.popleft()
        # Whatever is smaller than the newest and older will never be the largest again.
        while self._needs and self._needs[-1][1] <= needed:
            self._needs.pop()
        self._needs.append((now_s, needed))
