"""Heatmaps of any window: as data, and as a picture with its legend."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from analytics.counting.heatmap import UNITS, HeatCells, Measure
from analytics.reports import queries
from analytics.reports.rendering import BAR_HEIGHT, Caption, render, scale_top
from pipelines.errors import FootfallError
from pipelines.types import Image
from serve.api.dependencies import InRegistry, InStore
from serve.api.errors import BINARY, RESPONSES, UNKNOWN
from serve.api.models import StreamId
from serve.api.period import InPeriod, Period
from serve.api.registry_client import RegistryClient, newest_frame
from serve.api.report_models import HeatmapAnswer
from serve.api.routing import KnownParameters
from serve.api.security import Viewer

router = APIRouter(prefix="/api/v1", dependencies=[Viewer, KnownParameters], responses=RESPONSES, tags=["reports"])


@router.get(
    "/streams/{stream}/heatmap",
    responses=UNKNOWN
    | {
        200: {
            "model": HeatmapAnswer,
            "content": {"image/png": {"schema": BINARY}, "application/octet-stream": {"schema": BINARY}},
        }
    },
)
async def get_heatmap(
    stream: StreamId,
    registry: InRegistry,
    store: InStore,
    period: InPeriod,
    measure: Measure = "dwell",
    format: Literal["json", "png", "npz"] = "json",
    overlay: Annotated[bool, Query(description="Draw over a snapshot, where the camera gives one.")] = True,
    clip: Annotated[float, Query(gt=0, le=100, description="Percentile of filled cells where the scale ends.")] = 99.0,
    legend: Annotated[bool, Query(description="Draw scale, unit, window and coverage below the PNG.")] = True,
) -> Response:
    """Where people stood: person-seconds (``dwell``) or visits per cell of a 64 x 36 grid over the picture."""
    view = await registry.get_stream(stream)
    cells, covered_s = await asyncio.to_thread(queries.heatmap, store, stream, period.window)
    if format == "json":
        return JSONResponse(_as_json(stream, cells, measure, period, covered_s, clip))
    if format == "npz":
        return Response(_as_npz(cells, period, covered_s), media_type="application/octet-stream")
    background = await _background(registry, stream) if overlay else None
    caption = Caption(view.definition.name or stream, period.in_words(), _coverage(covered_s, period))
    image = render(cells.grid(measure), measure, caption, background=background, clip=clip)
    if not legend:
        image = image[:-BAR_HEIGHT]
    ok, content = cv2.imencode(".png", image)
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


async def _background(registry: RegistryClient, stream: str) -> Image | None:
    """The newest snapshot; none if the camera is away, which must not cost the heatmap."""
    try:
        frame = await newest_frame(registry, stream, wait_s=1.5)
    except FootfallError:
        return None
    return np.asarray(cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)).astype(np.uint8)
