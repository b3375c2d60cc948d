"""Counts and heatmaps of any window."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import cv2
import numpy as np
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from analytics.counting.heatmap import UNITS, HeatCells, Measure
from analytics.reports import queries
from analytics.reports.queries import BUCKET_S, Bucket, Window
from analytics.reports.rendering import BAR_HEIGHT, Caption, Picture, render, scale_top
from analytics.storage.base import Store
from pipelines.errors import FootfallError
from serve.api.backend import Directory
from serve.api.errors import RESPONSES
from serve.api.live import newest_frame
from serve.api.models import StreamId
from serve.api.security import Access
from serve.api.streams import InDirectory
from serve.errors import BadRequest

router = APIRouter(prefix="/api/v1", dependencies=[Access], responses=RESPONSES, tags=["reports"])
MAX_BUCKETS = 20_000
DEFAULT_WINDOW_S = 86_400


def store_of(connection: HTTPConnection) -> Store:
    store: Store = connection.app.state.store
    return store


InStore = Annotated[Store, Depends(store_of)]


@dataclass(frozen=True, slots=True)
class Period:
    """A window in a time zone, as asked for."""

    window: Window
    zone: tzinfo
    zone_name: str

    def in_words(self) -> str:
        """For a legend."""
        first = datetime.fromtimestamp(self.window.start, self.zone)
        last = datetime.fromtimestamp(self.window.end, self.zone)
        end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
        return f"{first:%Y-%m-%d %H:%M} - {end} {self.zone_name}"


def period_of(
    start: Annotated[
        str | None, Query(description="ISO 8601, or seconds since the epoch; none: a day before end.")
    ] = None,
    end: Annotated[str | None, Query(description="Likewise; none: now.")] = None,
    tz: Annotated[str, Query(description="IANA time zone of buckets and of times without an offset.")] = "UTC",
) -> Period:
    """The window asked for, in whole minutes.

    Raises:
        BadRequest: a time or zone that cannot be read, or an empty window.
    """
    try:
        zone: tzinfo = UTC if tz == "UTC" else ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequest(f"tz: there is no time zone {tz!r}") from None
    end_s = time.time() if end is None else moment(end, "end", zone)
    start_s = end_s - DEFAULT_WINDOW_S if start is None else moment(start, "start", zone)
    try:
        return Period(Window.of(start_s, end_s), zone, tz)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def moment(text: str, name: str, zone: tzinfo) -> float:
    """Seconds since the epoch."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        except ValueError:
            raise BadRequest(f"{name}: {text!r} is neither ISO 8601 nor seconds since the epoch") from None
        seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).timestamp()
    if not 0 <= seconds < 253_000_000_000:
        raise BadRequest(f"{name}: {text!r} is out of range")
    return seconds


InPeriod = Annotated[Period, Depends(period_of)]


@router.get("/streams/{stream}/counts")
async def counts(
    stream: StreamId,
    directory: InDirectory,
    store: InStore,
    period: InPeriod,
    bucket: Bucket = "15m",
    format: Literal["json", "csv", "parquet"] = "json",
) -> Response:
    """Crossings per line, occupancy and dwell per zone, people and coverage, in buckets of local time.

    A bucket of which nothing was seen is left out: no data is not zero people.
    """
    await directory.get_stream(stream)
    if period.window.length_s / BUCKET_S[bucket] > MAX_BUCKETS:
        raise BadRequest(f"the window holds more than {MAX_BUCKETS} buckets of {bucket}: take larger buckets")
    found = await asyncio.to_thread(queries.counts, store, stream, period.window, bucket, period.zone)
    if format == "json":
        return JSONResponse(
            {
                "stream": stream,
                "start": queries.iso(period.window.start),
                "end": queries.iso(period.window.end),
                "bucket": bucket,
                "tz": period.zone_name,
                "buckets": [queries.as_json(merged) for merged in found],
                "total": queries.as_json(queries.total_of(found, period.window)),
            }
        )
    table = queries.as_table(found, period.zone)
    name = f"{stream}-{bucket}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format == "csv":
        return Response(table.to_csv(index=False), media_type="text/csv; charset=utf-8", headers=headers)
    content = io.BytesIO()
    await asyncio.to_thread(table.to_parquet, content, index=False)
    return Response(content.getvalue(), media_type="application/vnd.apache.parquet", headers=headers)


@router.get(
    "/streams/{stream}/heatmap",
    responses={200: {"content": {"application/json": {}, "image/png": {}, "application/octet-stream": {}}}},
)
async def heatmap(
    stream: StreamId,
    directory: InDirectory,
    store: InStore,
    period: InPeriod,
    measure: Measure = "dwell",
    format: Literal["json", "png", "npz"] = "json",
    overlay: Annotated[bool, Query(description="Draw over a snapshot, where the camera gives one.")] = True,
    clip: Annotated[float, Query(gt=0, le=100, description="Percentile of filled cells where the scale ends.")] = 99.0,
    legend: Annotated[bool, Query(description="Draw scale, unit, window and coverage below the PNG.")] = True,
) -> Response:
    """Where people stood: person-seconds (``dwell``) or visits per cell of a 64 x 36 grid over the picture."""
    view = await directory.get_stream(stream)
    cells, covered_s = await asyncio.to_thread(queries.heatmap, store, stream, period.window)
    if format == "json":
        return JSONResponse(_as_json(stream, cells, measure, period, covered_s, clip))
    if format == "npz":
        return Response(_as_npz(cells, period, covered_s), media_type="application/octet-stream")
    background = await _background(directory, stream) if overlay else None
    caption = Caption(view["name"] or stream, period.in_words(), _coverage(covered_s, period))
    picture = render(cells.grid(measure), measure, caption, background=background, clip=clip)
    if not legend:
        picture = picture[:-BAR_HEIGHT]
    ok, content = cv2.imencode(".png", picture)
    if not ok:
        raise FootfallError("the heatmap cannot be encoded")
    return Response(content.tobytes(), media_type="image/png", headers={"Cache-Control": "no-store"})


def _coverage(covered_s: float, period: Period) -> float:
    return min(1.0, covered_s / period.window.length_s)


def _as_json(
    stream: str, cells: HeatCells, measure: Measure, period: Period, covered_s: float, clip: float
) -> dict[str, Any]:
    grid = cells.grid(measure)
    return {
        "stream": stream,
        "start": queries.iso(period.window.start),
        "end": queries.iso(period.window.end),
        "measure": measure,
        "unit": UNITS[measure],
        "shape": list(cells.shape),
        "coverage": round(_coverage(covered_s, period), 4),
        "covered_s": round(covered_s, 3),
        "scale": {"clip": clip, "top": round(scale_top(grid, clip), 3), "highest": round(float(grid.max()), 3)},
        "total": round(float(grid.sum(dtype=np.float64)), 3),
        "grid": [[round(float(value), 3) for value in row] for row in grid],
    }


def _as_npz(cells: HeatCells, period: Period, covered_s: float) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(
        content,
        person_seconds=cells.grid("dwell"),
        visits=cells.grid("visits"),
        covered_s=covered_s,
        start_s=period.window.start,
        end_s=period.window.end,
    )
    return content.getvalue()


async def _background(directory: Directory, stream: str) -> Picture | None:
    """The newest snapshot; none if the camera is away, which must not cost the heatmap."""
    try:
        frame = await newest_frame(directory, stream, wait_s=1.5)
    except FootfallError:
        return None
    return np.asarray(cv2.imdecode(np.frombuffer(frame["jpeg"], np.uint8), cv2.IMREAD_COLOR)).astype(np.uint8)
