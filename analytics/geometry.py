"""Lines and zones, drawn on the picture in coordinates that survive a change of resolution."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.errors import GeometryError

Point: TypeAlias = tuple[float, float]
"""x right, y down, both in [0, 1] of the frame."""
FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MAX_ITEMS = 64
MAX_CORNERS = 64
MOST_PEOPLE = 10_000
HOLD_S, COOL_DOWN_S = 5.0, 60.0
LARGEST_ENTRY = 1e6
"""Of a homography, either way: a floor plan in metres needs far less."""
_TOUCHING = 1e-6
"""Distance below which a corner lies on an edge, in shares of the picture."""


@dataclass(frozen=True, slots=True)
class Line:
    """A counting line from ``a`` to ``b``; *in* is a crossing towards ``(dy, -dx)`` of ``b - a``.

    On the screen: drawn from top to bottom, a step from left to right is *in*.
    """

    id: str
    a: Point
    b: Point
    name: str = ""
    in_name: str = "in"
    out_name: str = "out"


@dataclass(frozen=True, slots=True)
class PeopleLimit:
    """So many people that somebody wants to be told.

    Attributes:
        people: so many, or more, and the limit is reached.
        clear: so few, or fewer, and it is not any more; what lies between changes nothing.
        hold_s: either has to be so for as long before it is told.
        cool_down_s: least time from telling that it is reached to telling so again.
    """

    people: int
    clear: int
    hold_s: float = HOLD_S
    cool_down_s: float = COOL_DOWN_S


@dataclass(frozen=True, slots=True)
class ZoneLimits:
    """What is told of a zone as soon as it happens.

    Attributes:
        dwell_s: a visit that lasts longer; None: none does.
        queue: of people who have been there for the zone's ``dwell_min_s``.
        occupancy: of everybody in it.
    """

    dwell_s: float | None = None
    queue: PeopleLimit | None = None
    occupancy: PeopleLimit | None = None


NO_LIMITS = ZoneLimits()


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of floor; a stay of at least ``dwell_min_s`` counts for the dwell times."""

    id: str
    polygon: tuple[Point, ...]
    name: str = ""
    dwell_min_s: float = 3.0
    limits: ZoneLimits = NO_LIMITS

    def contains(self, points: FloatArray) -> BoolArray:
        """Which of ``points`` ``[N, 2]`` lie inside (even-odd rule), ``[N]``.

        The rule leaves out a polygon's right and lower border; but whoever stands at the frame's very edge (that is
        where clipped foot points lie) is inside of a zone that reaches it.
        """
        corners = np.array(self.polygon)
        following = np.roll(corners, -1, axis=0)
        inner = np.minimum(points, 1.0 - 1e-9)
        x, y = inner[:, 0:1], inner[:, 1:2]
        spans = (corners[:, 1] > y) != (following[:, 1] > y)
        slope = (following[:, 0] - corners[:, 0]) / np.where(
            following[:, 1] == corners[:, 1], np.inf, following[:, 1] - corners[:, 1]
        )
        crossing = corners[:, 0] + (y - corners[:, 1]) * slope
        return np.asarray((spans & (x < crossing)).sum(axis=1) % 2 == 1)


@dataclass(frozen=True, slots=True)
class Geometry:
    """All that is drawn on one camera's picture.

    Attributes:
        lines: with ids unique among lines.
        zones: with ids unique among zones.
        homography: 3 x 3, picture to floor plan metres, row by row; None if nobody measured it.
    """

    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()
    homography: tuple[tuple[float, float, float], ...] | None = field(default=None)

    @staticmethod
    def parse(document: Mapping[str, Any]) -> Geometry:
        """From the JSON of the contract.

        Raises:
            GeometryError: saying which part is wrong, and how.
        """
        if not isinstance(document, Mapping):
            raise GeometryError("geometry must be an object with lines and zones")
        unknown = set(document) - {"lines", "zones", "homography", "version"}
        if unknown:
            raise GeometryError(f"geometry has unknown parts: {', '.join(sorted(unknown))}")
        lines = tuple(_line(item, f"lines[{i}]") for i, item in enumerate(_items(document, "lines")))
        zones = tuple(_zone(item, f"zones[{i}]") for i, item in enumerate(_items(document, "zones")))
        _unique([line.id for line in lines], "lines")
        _unique([zone.id for zone in zones], "zones")
        return Geometry(lines, zones, _homography(document.get("homography")))

    @staticmethod
    def drawn(document: Mapping[str, Any]) -> Geometry:
        """The same for what somebody draws now: refuses also what `parse` must go on taking, since it is stored.

        Raises:
            GeometryError: likewise.
        """
        geometry = Geometry.parse(document)
        for i, zone in enumerate(geometry.zones):
            if _touches_itself(zone.polygon):
                raise GeometryError(f"zones[{i}].polygon touches itself: a corner lies on another corner or edge")
        if any(abs(entry) > LARGEST_ENTRY for row in geometry.homography or () for entry in row):
            raise GeometryError(f"homography must have entries of at most {LARGEST_ENTRY:,.0f}")
        return geometry

    def to_json(self) -> dict[str, Any]:
        return {
            "lines": [
                {
                    "id": o.id,
                    "name": o.name,
                    "a": list(o.a),
                    "b": list(o.b),
                    "in_name": o.in_name,
                    "out_name": o.out_name,
                }
                for o in self.lines
            ],
            "zones": [
                {
                    "id": o.id,
                    "name": o.name,
                    "polygon": [list(p) for p in o.polygon],
                    "dwell_min_s": o.dwell_min_s,
                    "limits": None if o.limits == NO_LIMITS else asdict(o.limits),
                }
                for o in self.zones
            ],
            "homography": [list(row) for row in self.homography] if self.homography else None,
        }


def foot_points(boxes: npt.NDArray[np.float32], frame_size: tuple[int, int]) -> FloatArray:
    """Bottom centres of boxes ``[N, 4]`` (source pixels) as points ``[N, 2]`` in [0, 1].

    Args:
        boxes: ``x1, y1, x2, y2``; what reaches over the frame is clipped to it first.
        frame_size: (height, width), pixels.
    """
    height, width = frame_size
    clipped = np.clip(boxes.astype(np.float64) / [width, height, width, height], 0.0, 1.0)
    return np.stack([(clipped[:, 0] + clipped[:, 2]) / 2, clipped[:, 3]], axis=1)


def _items(document: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = document.get(key) or []
    if not isinstance(value, list | tuple):
        raise GeometryError(f"{key} must be a list")
    if len(value) > MAX_ITEMS:
        raise GeometryError(f"{key} has {len(value)} entries, at most {MAX_ITEMS} are possible")
    return value


def _line(item: Any, where: str) -> Line:
    _known(item, where, {"id", "name", "a", "b", "in_name", "out_name"})
    a, b = _point(item.get("a"), f"{where}.a"), _point(item.get("b"), f"{where}.b")
    if math.dist(a, b) < 0.01:
        raise GeometryError(f"{where}: a and b are the same point")
    return Line(
        id=_id(item, where),
        a=a,
        b=b,
        name=_text(item, "name", where, ""),
        in_name=_text(item, "in_name", where, "in"),
        out_name=_text(item, "out_name", where, "out"),
    )


def _zone(item: Any, where: str) -> Zone:
    _known(item, where, {"id", "name", "polygon", "dwell_min_s", "limits"})
    corners = item.get("polygon")
    if not isinstance(corners, list | tuple) or not 3 <= len(corners) <= MAX_CORNERS:
        raise GeometryError(f"{where}.polygon must have 3 to {MAX_CORNERS} points")
    polygon = tuple(_point(p, f"{where}.polygon[{i}]") for i, p in enumerate(corners))
    if _crosses_itself(polygon):
        raise GeometryError(f"{where}.polygon crosses itself")
    if _area(polygon) < 1e-4:
        raise GeometryError(f"{where}.polygon encloses no area")
    dwell_min_s = item.get("dwell_min_s", 3.0)
    if not _number(dwell_min_s) or not 0 <= dwell_min_s <= 3600:
        raise GeometryError(f"{where}.dwell_min_s must be between 0 and 3600 seconds")
    limits = _limits(item.get("limits"), f"{where}.limits")
    return Zone(_id(item, where), polygon, _text(item, "name", where, ""), float(dwell_min_s), limits)


def _limits(value: Any, where: str) -> ZoneLimits:
    if value is None:
        return NO_LIMITS
    _known(value, where, {"dwell_s", "queue", "occupancy"})
    dwell_s = value.get("dwell_s")
    return ZoneLimits(
        None if dwell_s is None else _seconds(dwell_s, f"{where}.dwell_s", 86400),
        _people_limit(value.get("queue"), f"{where}.queue"),
        _people_limit(value.get("occupancy"), f"{where}.occupancy"),
    )


def _people_limit(value: Any, where: str) -> PeopleLimit | None:
    if value is None:
        return None
    _known(value, where, {"people", "clear", "hold_s", "cool_down_s"})
    people = value.get("people")
    if not _whole(people) or not 1 <= people <= MOST_PEOPLE:
        raise GeometryError(f"{where}.people must be a whole number from 1 to {MOST_PEOPLE:,}")
    clear = people - 1 if value.get("clear") is None else value["clear"]
    if not _whole(clear) or not 0 <= clear < people:
        raise GeometryError(f"{where}.clear must be a whole number from 0 to people - 1")
    return PeopleLimit(
        people,
        clear,
        _seconds(value.get("hold_s", HOLD_S), f"{where}.hold_s", 3600),
        _seconds(value.get("cool_down_s", COOL_DOWN_S), f"{where}.cool_down_s", 86400),
    )


def _seconds(value: Any, where: str, most: int) -> float:
    if not _number(value) or not 0 <= value <= most:
        raise GeometryError(f"{where} must be between 0 and {most} seconds")
    return float(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _homography(value: Any) -> tuple[tuple[float, float, float], ...] | None:
    if value is None:
        return None
    matrix = np.array(value, dtype=object)
    if matrix.shape != (3, 3) or not all(_number(v) for v in matrix.ravel()):
        raise GeometryError("homography must be 3 rows of 3 numbers")
    if abs(np.linalg.det(matrix.astype(np.float64))) < 1e-12:
        raise GeometryError("homography cannot be inverted")
    return tuple((float(r[0]), float(r[1]), float(r[2])) for r in matrix)


def _known(item: Any, where: str, names: set[str]) -> None:
    if not isinstance(item, Mapping):
        raise GeometryError(f"{where} must be an object")
    unknown = set(item) - names
    if unknown:
        raise GeometryError(f"{where} has unknown parts: {', '.join(sorted(map(str, unknown)))}")


def _id(item: Mapping[str, Any], where: str) -> str:
    value = item.get("id")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise GeometryError(
            f"{where}.id must be 1 to 64 letters, digits, '_', '.' or '-', and begin with one of the first"
        )
    return value


def _text(item: Mapping[str, Any], key: str, where: str, default: str) -> str:
    value = item.get(key, default)
    if not isinstance(value, str) or len(value) > 200:
        raise GeometryError(f"{where}.{key} must be text of at most 200 characters")
    if any("\ud800" <= character <= "\udfff" for character in value):  # half a character: no answer could hold it
        raise GeometryError(f"{where}.{key} holds characters that are none")
    return value


def _point(value: Any, where: str) -> Point:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(_number(v) for v in value):
        raise GeometryError(f"{where} must be a point [x, y]")
    if not all(0 <= v <= 1 for v in value):
        raise GeometryError(f"{where} is {list(value)}: coordinates are shares of the picture, from 0 to 1")
    return float(value[0]), float(value[1])


def _number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _unique(ids: list[str], where: str) -> None:
    repeated = sorted({i for i in ids if ids.count(i) > 1})
    if repeated:
        raise GeometryError(f"{where} repeat the id {repeated[0]!r}")


def _area(polygon: Sequence[Point]) -> float:
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _crosses_itself(polygon: Sequence[Point]) -> bool:
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    count = len(edges)
    return any(
        _edges_cross(*edges[i], *edges[j])
        for i in range(count)
        for j in range(i + 2, count)
        if (j + 1) % count != i  # neighbours share a corner
    )


def _touches_itself(polygon: Sequence[Point]) -> bool:
    """Whether a corner lies on an edge that is not its own; so do corners that come twice, and edges that run back."""
    count = len(polygon)
    return any(
        _distance(polygon[i], polygon[j], polygon[(j + 1) % count]) < _TOUCHING
        for i in range(count)
        for j in range(count)
        if i not in (j, (j + 1) % count)
    ) or any(math.dist(polygon[i - 1], polygon[i]) < _TOUCHING for i in range(count))


def _distance(point: Point, a: Point, b: Point) -> float:
    """From a point to the edge between two others."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    along = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / length if length else 0.0
    along = min(1.0, max(0.0, along))
    return math.dist(point, (a[0] + along * dx, a[1] + along * dy))


def _edges_cross(p: Point, q: Point, r: Point, s: Point) -> bool:
    def turn(a: Point, b: Point, c: Point) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return turn(p, q, r) * turn(p, q, s) < 0 and turn(r, s, p) * turn(r, s, q) < 0
