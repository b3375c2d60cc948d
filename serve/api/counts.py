"""Counts of any window."""

from __future__ import annotations

import asyncio
import io
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from analytics.reports import queries
from analytics.reports.queries import BUCKET_S, Bucket
from serve.api.dependencies import InRegistry, InStore
from serve.api.errors import BINARY, RESPONSES, TEXT, UNKNOWN
from serve.api.models import StreamId
from serve.api.period import InPeriod
from serve.api.report_models import CountsAnswer
from serve.api.routing import KnownParameters
from serve.api.security import Viewer
from serve.errors import BadRequest

router = APIRouter(prefix="/api/v1", dependencies=[Viewer, KnownParameters], responses=RESPONSES, tags=["reports"])
MAX_BUCKETS = 20_000


@router.get(
    "/streams/{stream}/counts",
    responses=UNKNOWN
    | {
        200: {
            "model": CountsAnswer,
            "content": {"text/csv": {"schema": TEXT}, "application/vnd.apache.parquet": {"schema": BINARY}},
        }
    },
)
async def get_counts(
    stream: StreamId,
    registry: InRegistry,
    store: InStore,
    period: InPeriod,
    bucket: Bucket = "15m",
    format: Literal["json", "csv", "parquet"] = "json",
) -> Response:
    """Crossings per line, occupancy and dwell per zone, people and coverage, in buckets of local time.

    A bucket of which nothing was seen is left out: no data is not zero people.
    """
    await registry.get_stream(stream)
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
