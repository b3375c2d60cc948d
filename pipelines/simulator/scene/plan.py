"""Who walks where in a scene, chosen so that an observer of boxes can count what the truth counts.

An observer knows a person only by the bottom centre of a box, which sways about the foot point by up to a step.
So a walk is taken only if

- it keeps `LINE_MARGIN_M` away from the counting line, or crosses it from one margin to the other without turning back;
- the whole body is in view from a second before a crossing to a second after it, and the crossing is on the line, away
  from its ends, and not in the first or last second of the clip;
- it keeps the zone's border in the same way (`ZONE_MARGIN_M`), and nobody is in the zone at the first frame;
- nobody hides more of somebody farther away than asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall
from pipelines.simulator.scene.walk import Walk, WalkSource
from pipelines.types import Float64Array, Int64Array

LINE_MARGIN_M = 0.35
LINE_END_MARGIN_M = 0.7
ZONE_MARGIN_M = 0.3
SETTLED_S = 1.0
"""How long before and after a crossing a person is wholly in view, and the clip goes on."""

TRIES_PER_S = 30
TURN_S = 2.0
"""How many walks are drawn for a second that a place is free, and for how long before it is another place's turn."""

SHARE_PREFERRING = 0.5
"""Of the tries, in which only walks that cross the line are taken: short cuts through a corner fit in more easily."""

LONGEST_WAIT_S = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The whole course of a scene.

    Attributes:
        camera: who looks on.
        hall: the floor plan.
        walks: everybody who comes by.
        frames: length of the clip.
        fps: frames a second.
    """

    camera: Camera
    hall: Hall
    walks: tuple[Walk, ...]
    frames: int
    fps: float


def make_plan(
    camera: Camera, hall: Hall, people: int, frames: int, fps: float, max_overlap: float, rng: np.random.Generator
) -> Plan:
    """Fill a number of places, each with one walker after another; a place may stay empty where nobody fits in.

    Args:
        camera: who looks on.
        hall: the floor plan.
        people: how many are in the hall at a time.
        frames: length of the clip.
        fps: frames a second.
        max_overlap: largest share of a person's box that one nearer person's box may cover.
        rng: where all chance comes from.
    """
    source = WalkSource(camera, hall, fps, looks=max(30, 2 * people), rng=rng)
    occupancy = _Occupancy(camera, people, frames, max_overlap)
    walks: list[Walk] = []
    free_from = -rng.uniform(0, LONGEST_WAIT_S, people) * fps
    while people and free_from.min() < frames:
        place = int(free_from.argmin())
        begin = int(free_from[place])
        free_from[place] += TURN_S * fps
        tries = int(TRIES_PER_S * TURN_S)
        for attempt in range(tries):
            walk = source.draw(len(walks) + 1, begin + int(attempt / TRIES_PER_S * fps))
            if attempt < SHARE_PREFERRING * tries and not len(_changes(hall.line_distance(walk.feet))):
                continue
            if is_provable(walk, camera, hall, frames, fps) and occupancy.admits(walk):
                occupancy.take(place, walk)
                walks.append(walk)
                free_from[place] = walk.stop
                break
    return Plan(camera, hall, tuple(walks), frames, fps)


def is_provable(walk: Walk, camera: Camera, hall: Hall, frames: int, fps: float) -> bool:
    """Whether an observer of boxes can count this walk at the line and in the zone; see the module's text."""
    settled = math.ceil(SETTLED_S * fps)
    from_line = hall.line_distance(walk.feet)
    if not _crosses_cleanly(from_line, LINE_MARGIN_M):
        return False
    if hall.line_end_distance(walk.feet).min() < LINE_END_MARGIN_M:
        return False
    position = hall.line_position(walk.feet)
    for crossing in _changes(from_line):
        frame = int(crossing) + walk.start
        if _near_an_end(frame, frames, settled):
            return False
        if 0 < frame < frames and not (0 < position[crossing] < 1 and _in_view(walk, camera, int(crossing), settled)):
            return False
    return _zone_is_provable(walk, hall, frames, settled)


def _zone_is_provable(walk: Walk, hall: Hall, frames: int, settled: int) -> bool:
    inside = hall.zone_distance(walk.feet)
    if not _crosses_cleanly(inside, ZONE_MARGIN_M):
        return False
    if any(_near_an_end(int(change) + walk.start, frames, settled) for change in _changes(inside)):
        return False
    begins_inside = walk.start <= 0 < walk.stop and inside[-walk.start] > 0
    return not begins_inside


def _changes(distance: Float64Array) -> Int64Array:
    """Samples right after which a signed distance has changed its side."""
    return np.flatnonzero((distance[1:] > 0) != (distance[:-1] > 0)) + 1


def _near_an_end(frame: int, frames: int, settled: int) -> bool:
    return abs(frame) < settled or abs(frames - 1 - frame) < settled


def _crosses_cleanly(distance: Float64Array, margin: float) -> bool:
    """Whether every stay within the margin leads from one side to the other, with a single change of sign."""
    firm = np.where(np.abs(distance) < margin, 0, np.sign(distance))
    if firm[0] == 0 or firm[-1] == 0:
        return False
    stays = np.flatnonzero(np.diff(firm) != 0)
    entered = stays[firm[stays + 1] == 0]
    left = stays[firm[stays] == 0]
    turned_back = bool((firm[entered] == firm[left + 1]).any())
    settled = firm[firm != 0]
    return not turned_back and np.count_nonzero(np.diff(settled)) == len(_changes(distance))


def _in_view(walk: Walk, camera: Camera, sample: int, around: int) -> bool:
    """Whether the whole body is in the frame from `around` samples before to as many after."""
    if sample < around or sample + around >= len(walk.feet):
        return False
    boxes = camera.outline(walk.feet[sample - around : sample + around + 1])
    return bool((boxes[:, :2].min() > 0) and (boxes[:, 2].max() < camera.width) and (boxes[:, 3].max() < camera.height))


class _Occupancy:
    """Who is where at which frame, as rough boxes."""

    def __init__(self, camera: Camera, people: int, frames: int, max_overlap: float) -> None:
        self._camera = camera
        self._frames = frames
        self._max_overlap = max_overlap
        self._boxes = np.full((people, frames, 4), np.nan)
        self._looks = np.full((people, frames), -1)

    def admits(self, walk: Walk) -> bool:
        """Whether nobody who looks the same is there, and nobody would hide too much of another."""
        samples = walk.within(self._frames)
        at = slice(walk.start + samples.start, walk.start + samples.stop)
        if (self._looks[:, at] == walk.look).any():
            return False
        boxes = self._camera.outline(walk.feet[samples])
        return largest_hidden_share(self._boxes[:, at], boxes) <= self._max_overlap

    def take(self, place: int, walk: Walk) -> None:
        samples = walk.within(self._frames)
        at = slice(walk.start + samples.start, walk.start + samples.stop)
        self._boxes[place, at] = self._camera.outline(walk.feet[samples])
        self._looks[place, at] = walk.look


def largest_hidden_share(others: Float64Array, boxes: Float64Array) -> float:
    """The largest share of any box that a nearer one (whose bottom is lower) covers.

    Args:
        others: ``[P, N, 4]``, boxes of P people at N frames; NaN where there is nobody.
        boxes: ``[N, 4]``, of one more person at the same frames.
    """
    if not others.size:
        return 0.0
    low = np.maximum(others[..., :2], boxes[:, :2])
    high = np.minimum(others[..., 2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)
    others_area = np.prod(others[..., 2:] - others[..., :2], axis=-1)
    farther = np.where(others[..., 3] < boxes[:, 3], others_area, area)
    return float(np.nan_to_num(shared / farther).max(initial=0))
