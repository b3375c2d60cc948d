"""Counts like an observer who sees only boxes: written from the meaning of the numbers, apart from the simulator."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DEAD_BAND = 0.2
"""Share of the box's height that a point has to be beyond a line or border before it counts as across."""

Box = tuple[float, float, float, float]
Line = Mapping[str, Any]
Track = list[tuple[int, Box]]


def read_mot(path: Path) -> dict[int, Track]:
    """Frame number and box (x1, y1, x2, y2) by id."""
    tracks: dict[int, Track] = defaultdict(list)
    with path.open(encoding="ascii", newline="") as file:
        for frame, person, x, y, w, h, confidence, kind, visible in csv.reader(file):
            assert (confidence, kind) == ("1", "1")
            assert 0 < float(visible) <= 1
            tracks[int(person)].append((int(frame), (int(x), int(y), int(x) + int(w), int(y) + int(h))))
    return tracks


def bottom_centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, box[3]


def in_distance(line: Line, x: float, y: float, width: int, height: int) -> float:
    """Pixels from the endless line, positive towards (dy, -dx) of b - a."""
    ax, ay = line["a"][0] * width, line["a"][1] * height
    dx, dy = line["b"][0] * width - ax, line["b"][1] * height - ay
    return float(((x - ax) * dy - (y - ay) * dx) / (dx * dx + dy * dy) ** 0.5)


def is_beside(line: Line, x: float, y: float, width: int, height: int) -> bool:
    """Whether the point is next to the line rather than beyond one of its ends."""
    ax, ay = line["a"][0] * width, line["a"][1] * height
    dx, dy = line["b"][0] * width - ax, line["b"][1] * height - ay
    return bool(0 <= ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy) <= 1)


def count_line(line: Line, tracks: Iterable[Track], width: int, height: int) -> dict[str, int]:
    counts = {"in": 0, "out": 0}
    for track in tracks:
        side = 0
        for _, box in track:
            x, y = bottom_centre(box)
            distance = in_distance(line, x, y, width, height)
            if abs(distance) < DEAD_BAND * (box[3] - box[1]):
                continue
            now = 1 if distance > 0 else -1
            if side and now != side and is_beside(line, x, y, width, height):
                counts["in" if now > 0 else "out"] += 1
            side = now
    return counts


def contains(polygon: list[list[float]], x: float, y: float) -> bool:
    """Winding by angles would do as well; this one shoots a ray upwards."""
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (x1 > x) != (x2 > x) and y > y1 + (x - x1) / (x2 - x1) * (y2 - y1):
            inside = not inside
    return inside
