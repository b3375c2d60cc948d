"""Who is in a zone, who came, who left, and how long they stayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.geometry import FloatArray, Zone


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """What one frame changed in one zone.

    Attributes:
        inside: people in it now.
        entries: visits that began.
        exits: visits that ended.
        dwells_s: lengths of the ended visits that were long enough to count.
    """

    inside: int
    entries: int
    exits: int
    dwells_s: tuple[float, ...]


@dataclass(slots=True)
class _Visit:
    begun_s: float
    inside_s: float  # last seen inside


class ZoneCounter:
    """Visits to one zone by the tracks of one stream.

    A visit begins when a foot point is first seen inside and ends once it has not been inside for ``exit_grace_s``:
    a step over the border and back, or a few hidden frames, do not end it.

    Args:
        zone: in normalised coordinates.
        exit_grace_s: how long a person may be outside or unseen without having left.
    """

    def __init__(self, zone: Zone, *, exit_grace_s: float = 1.5) -> None:
        self.zone = zone
        self._exit_grace_s = exit_grace_s
        self._visits: dict[int, _Visit] = {}

    def update(self, ids: Iterable[int], feet: FloatArray, time_s: float, gone: Iterable[int] = ()) -> ZoneChange:
        """Take the observed tracks of one frame.

        Args:
            ids: of the tracks.
            feet: foot points ``[N, 2]``, normalised.
            time_s: capture time.
            gone: tracks that will not come back.
        """
        inside = self.zone.contains(feet) if len(feet) else ()
        here = [int(track) for track, is_inside in zip(ids, inside, strict=True) if is_inside]
        entries = 0
        for track in here:
            visit = self._visits.get(track)
            if visit is not None and time_s - visit.inside_s <= self._exit_grace_s:
                visit.inside_s = time_s
            elif visit is None:
                self._visits[track] = _Visit(time_s, time_s)
                entries += 1
        left = set(map(int, gone))
        over = [
            track
            for track, visit in self._visits.items()
            if track in left or time_s - visit.inside_s > self._exit_grace_s
        ]
        ended = [self._visits.pop(track) for track in over]
        returned = [track for track in over if track in here]
        for track in returned:  # came back after the grace: the old visit is over, a new one begins
            self._visits[track] = _Visit(time_s, time_s)
        dwells = (visit.inside_s - visit.begun_s for visit in ended)
        long_enough = tuple(dwell_s for dwell_s in dwells if dwell_s >= self.zone.dwell_min_s)
        return ZoneChange(len(here), entries + len(returned), len(ended), long_enough)

    def snapshot(self) -> dict[str, Any]:
        return {str(track): [visit.begun_s, visit.inside_s] for track, visit in self._visits.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._visits = {int(track): _Visit(begun, inside) for track, (begun, inside) in state.items()}
