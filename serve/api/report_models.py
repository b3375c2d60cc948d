"""Answers about numbers. They are not checked on their way out (they are large); a test holds them against these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from analytics.counting.heatmap import Measure
from analytics.reports.queries import Bucket

_BUCKET_EXAMPLE: dict[str, Any] = {
    "start": "2026-03-01T09:00:00Z",
    "end": "2026-03-01T09:15:00Z",
    "coverage": 1.0,
    "analysed_fps": 6.0,
    "people": {"mean": 2.4, "peak": 7, "person_seconds": 2160.0},
    "lines": {"door": {"in": 31, "out": 28}},
    "zones": {
        "till": {
            "mean": 0.8,
            "peak": 3,
            "person_seconds": 720.0,
            "entries": 14,
            "exits": 13,
            "dwells": 11,
            "dwell_p50_s": 41.2,
            "dwell_p90_s": 98.6,
        }
    },
}


class PeopleCount(BaseModel):
    """Everybody in the picture."""

    mean: float | None = Field(description="At a time, weighted by time; none if nothing was seen.")
    peak: int
    person_seconds: float


class LineCount(BaseModel):
    """Crossings of a line."""

    entered: int = Field(alias="in")
    left: int = Field(alias="out")


class ZoneCount(BaseModel):
    """What happened in a zone."""

    mean: float | None = Field(description="People inside at a time, weighted by time.")
    peak: int
    person_seconds: float
    entries: int
    exits: int
    dwells: int = Field(description="Visits that were long enough to count.")
    dwell_p50_s: float | None
    dwell_p90_s: float | None


class CountsBucket(BaseModel):
    """A bucket of local time."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _BUCKET_EXAMPLE})
    start: str
    end: str
    coverage: float = Field(ge=0, le=1, description="Share of the bucket that was seen.")
    analysed_fps: float | None = Field(
        ge=0,
        description="How closely: analysed frames of each second that was seen, fewer than `analysis_fps` where there "
        "was no time for all; none if nothing was seen.",
    )
    people: PeopleCount
    lines: dict[str, LineCount]
    zones: dict[str, ZoneCount]


class CountsAnswer(BaseModel):
    """Counts of a window."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "stream": "entrance",
                "start": "2026-03-01T09:00:00Z",
                "end": "2026-03-01T09:15:00Z",
                "bucket": "15m",
                "tz": "Europe/Berlin",
                "buckets": [_BUCKET_EXAMPLE],
                "total": _BUCKET_EXAMPLE,
            }
        },
    )
    stream: str
    start: str
    end: str
    bucket: Bucket
    tz: str
    buckets: list[CountsBucket] = Field(description="Those of which something was seen: no data is not zero people.")
    total: CountsBucket


class HeatmapScale(BaseModel):
    """How amounts become colours."""

    clip: float = Field(description="Percentile of the filled cells where the scale ends.")
    top: float = Field(description="Amount at that percentile.")
    highest: float


class HeatmapAnswer(BaseModel):
    """A heatmap of a window."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "stream": "entrance",
                "start": "2026-03-01T09:00:00Z",
                "end": "2026-03-01T10:00:00Z",
                "measure": "dwell",
                "unit": "person-seconds",
                "shape": [2, 3],
                "coverage": 0.98,
                "covered_s": 3528.0,
                "scale": {"clip": 99.0, "top": 41.5, "highest": 42.0},
                "total": 55.5,
                "grid": [[0.0, 1.5, 42.0], [0.0, 0.0, 12.0]],
            }
        },
    )
    stream: str
    start: str
    end: str
    measure: Measure
    unit: Literal["person-seconds", "visits"]
    shape: list[int] = Field(min_length=2, max_length=2, description="Rows and columns.")
    coverage: float = Field(ge=0, le=1, description="Share of the window that was seen.")
    covered_s: float
    scale: HeatmapScale
    total: float
    grid: list[list[float]] = Field(description="Amounts, row by row from the top.")
