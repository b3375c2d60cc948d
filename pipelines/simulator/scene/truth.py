"""What truly happens in a scene: who crosses the line, who is in the zone for how long, who can be seen.

The line and the zone are judged by the foot points on the floor, which no observer sees directly.
`pipelines.simulator.scene.plan` says why an observer of boxes can still arrive at the same counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.hall import Hall
from pipelines.simulator.scene.plan import Plan
from pipelines.types import Float64Array

LINE_ID = "door"
ZONE_ID = "till"

DWELL_MIN_S = 3
"""What the geometry asks of the zone before a stay counts as dwelling."""

VISIBLE_SHARE = 0.25
VISIBLE_HEIGHT_PX = 12
"""Somebody of whom less can be seen, or whose box is lower, counts as not visible."""

Direction: TypeAlias = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one frame.

    Attributes:
        id: from 1, unique in the scene.
        look: number of the look.
        box: x1, y1, x2, y2 of the person's pixels within the frame, as if nobody stood in front; exclusive x2, y2.
        foot: where the foot point appears, pixels; may be outside of the frame.
        world: foot point on the floor, metres.
        pose: frame of the gait, -1 standing.
        visible: share of the person's pixels that is neither hidden nor outside of the frame, in [0, 1].
        cut: the box touches the edge of the frame.
    """

    id: int
    look: int
    box: tuple[int, int, int, int]
    foot: tuple[float, float]
    world: tuple[float, float]
    pose: int
    visible: float
    cut: bool

    @property
    def counts_as_visible(self) -> bool:
        """Enough can be seen to ask a detector for a box."""
        return self.visible >= VISIBLE_SHARE and self.box[3] - self.box[1] >= VISIBLE_HEIGHT_PX


@dataclass(frozen=True, slots=True, order=True)
class Crossing:
    """The foot point of person `id` is on the other side of the line in frame `frame` for the first time."""

    frame: int
    id: int
    direction: Direction


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """The foot point of person `id` is in the zone from frame `first` to frame `last`, both included."""

    id: int
    first: int
    last: int


def crossings(plan: Plan) -> list[Crossing]:
    """All crossings of the line between frame 0 and the last frame, in order of time."""
    found = []
    for walk in plan.walks:
        distance = plan.hall.line_distance(walk.feet)
        position = plan.hall.line_position(walk.feet)
        for sample in np.flatnonzero((distance[1:] > 0) != (distance[:-1] > 0)) + 1:
            frame = walk.start + int(sample)
            if 0 < frame < plan.frames and 0 <= position[sample] <= 1:
                found.append(Crossing(frame, walk.id, "in" if distance[sample] > 0 else "out"))
    return sorted(found)


def visits(plan: Plan) -> list[Visit]:
    """All visits to the zone within the clip; one that lasts beyond the clip ends with its last frame."""
    found = []
    for walk in plan.walks:
        samples = walk.within(plan.frames)
        inside = plan.hall.zone_distance(walk.feet[samples]) > 0
        steps = np.diff(np.concatenate([[0], inside.astype(np.int8), [0]]))
        first = walk.start + samples.start
        for begin, end in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
            found.append(Visit(walk.id, first + int(begin), first + int(end) - 1))
    return sorted(found)


def geometry(camera: Camera, hall: Hall) -> dict[str, Any]:
    """The line and the zone as the service takes them: normalised to the frame, x right, y down.

    A floor seen by a camera above it is mirrored in an image whose y points down. So that *in* stays *in*, the line's
    far end comes first: a hall's line that leads away from the camera appears as one drawn from top to bottom.

    Raises:
        ValueError: the line or the zone is not wholly in view.
    """
    a, b = _normalised(camera, hall.line[::-1], "the line")
    polygon = _normalised(camera, hall.zone, "the zone")
    line = {"id": LINE_ID, "name": "Door", "a": a, "b": b, "in_name": "enter", "out_name": "leave"}
    zone = {"id": ZONE_ID, "name": "Till", "polygon": polygon, "dwell_min_s": DWELL_MIN_S}
    return {"lines": [line], "zones": [zone], "homography": None}


def document(plan: Plan, visible_person_frames: int) -> dict[str, Any]:
    """The truth of a whole clip, ready for JSON.

    Args:
        plan: of the scene.
        visible_person_frames: the number of pairs of a frame and a person who counts as visible in it.

    Returns:
        ``lines``: crossings per line and direction. ``zones``: how often a foot point entered, and the sum over frames
        of the foot points inside, divided by the frame rate. ``person_seconds``: `visible_person_frames` divided by the
        frame rate. ``crossings`` and ``visits``: the same, one by one, with frame numbers from 1.
    """
    crossed, visited = crossings(plan), visits(plan)
    directions = [crossing.direction for crossing in crossed]
    inside = sum(visit.last - visit.first + 1 for visit in visited)
    return {
        "lines": {LINE_ID: {"in": directions.count("in"), "out": directions.count("out")}},
        "zones": {ZONE_ID: {"person_seconds": round(inside / plan.fps, 6), "entries": len(visited)}},
        "person_seconds": round(visible_person_frames / plan.fps, 6),
        "frames": plan.frames,
        "fps": plan.fps,
        "size": [plan.camera.width, plan.camera.height],
        "crossings": [{"frame": c.frame + 1, "id": c.id, "direction": c.direction, "line": LINE_ID} for c in crossed],
        "visits": [{"id": v.id, "first": v.first + 1, "last": v.last + 1, "zone": ZONE_ID} for v in visited],
    }


def _normalised(camera: Camera, points: Sequence[tuple[float, float]], what: str) -> list[list[float]]:
    """Floor points as shares of the frame's width and height, rounded to a millionth."""
    pixels, distance = camera.project_floor(points)
    shares: Float64Array = pixels / [camera.width, camera.height]
    if (distance <= 0).any() or (shares < 0).any() or (shares > 1).any():
        raise ValueError(f"{what} is not wholly in the camera's view")
    return [[round(float(x), 6), round(float(y), 6)] for x, y in shares]
