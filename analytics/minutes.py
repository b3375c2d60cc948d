"""What one minute of one stream amounts to. Every part merges by addition, maximum or histogram union."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from analytics.counting.heatmap import HeatCells

MINUTE_S = 60


def minute_of(time_s: float) -> int:
    """Start of the minute, seconds since the epoch."""
    return int(time_s // MINUTE_S) * MINUTE_S


@dataclass(slots=True)
class LineTotals:
    """Crossings of a line in each direction."""

    entered: int = 0
    left: int = 0

    def add(self, other: LineTotals) -> None:
        self.entered += other.entered
        self.left += other.left


@dataclass(slots=True)
class ZoneTotals:
    """What happened in a zone.

    Attributes:
        person_seconds: time spent inside by all together; over covered seconds it is the mean occupancy.
        peak: most people inside at once.
        entries: visits that began.
        exits: visits that ended.
        dwells: of visits that ended, by duration; see `analytics.counting.histogram`.
    """

    person_seconds: float = 0.0
    peak: int = 0
    entries: int = 0
    exits: int = 0
    dwells: Counter[int] = field(default_factory=Counter)

    def add(self, other: ZoneTotals) -> None:
        self.person_seconds += other.person_seconds
        self.peak = max(self.peak, other.peak)
        self.entries += other.entries
        self.exits += other.exits
        self.dwells.update(other.dwells)


@dataclass(slots=True)
class Totals:
    """A minute, or any number of them merged.

    Attributes:
        covered_s: seconds that were really seen.
        frames: analysed.
        person_seconds: of everybody in the picture.
        peak: most people in one frame.
        lines: by line id.
        zones: by zone id.
        heat: cells of the heatmap.
    """

    covered_s: float = 0.0
    frames: int = 0
    person_seconds: float = 0.0
    peak: int = 0
    lines: dict[str, LineTotals] = field(default_factory=dict)
    zones: dict[str, ZoneTotals] = field(default_factory=dict)
    heat: HeatCells = field(default_factory=HeatCells)

    def add(self, other: Totals) -> None:
        self.covered_s += other.covered_s
        self.frames += other.frames
        self.person_seconds += other.person_seconds
        self.peak = max(self.peak, other.peak)
        for line, counts in other.lines.items():
            self.lines.setdefault(line, LineTotals()).add(counts)
        for zone, totals in other.zones.items():
            self.zones.setdefault(zone, ZoneTotals()).add(totals)
        self.heat.add(other.heat)

    @property
    def says_nothing(self) -> bool:
        """No time was seen, nobody was there, and nothing happened."""
        happened = any(t.entered or t.left for t in self.lines.values()) or any(
            t.entries or t.exits for t in self.zones.values()
        )
        return self.covered_s <= 0 and not self.peak and not happened

    @property
    def mean_people(self) -> float | None:
        """Time-weighted; None if nothing was seen."""
        return self.person_seconds / self.covered_s if self.covered_s > 0 else None


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """A stored minute, keyed by stream, minute and epoch; writing one twice changes nothing.

    Attributes:
        stream: id.
        minute: its start, seconds since the epoch.
        epoch: of the assignment that saw it.
        totals: everything this epoch has seen of the minute so far.
    """

    stream: str
    minute: int
    epoch: int
    totals: Totals
