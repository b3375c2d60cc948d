"""A live frame on its way from the reader that has the stream to whoever looks at it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveTrack:
    """A person in the picture.

    Attributes:
        id: of the track, for one epoch of the stream; see `pipelines.types.Tracks`.
        box: x1, y1, x2, y2 in shares of the picture.
        score: of the detection, in [0, 1].
    """

    id: int
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, slots=True)
class LiveCrossing:
    """Somebody has just crossed a line."""

    line: str
    track: int
    direction: str


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """What one analysed frame shows.

    Attributes:
        time_s: capture time, seconds since the epoch.
        width: of the source frame, pixels.
        height: of the source frame, pixels.
        tracks: everybody who was observed.
        crossings: since the frame before.
        jpeg: the picture, scaled down, people pixelated unless the operator allows otherwise.
    """

    time_s: float
    width: int
    height: int
    tracks: tuple[LiveTrack, ...]
    crossings: tuple[LiveCrossing, ...]
    jpeg: bytes

    def to_json(self) -> dict[str, Any]:
        """All but the picture, as JSON types."""
        document = asdict(self)
        del document["jpeg"]
        return document
