"""Health, readiness and metrics; outside the prefix."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from analytics.errors import StoreError
from pipelines.errors import FootfallError
from serve.api.dependencies import InDirectory, InStore
from serve.api.security import Access
from serve.metrics.streams import StreamCollector

router = APIRouter(tags=["monitoring"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {}})
async def readyz(directory: InDirectory, store: InStore) -> Response:
    """The whole service works: registry, database, and at least one reader."""
    problems: list[str] = []
    try:
        overview = await directory.overview()
        if not overview["loaded"]:
            problems.append(overview["store_error"] or "the registry is loading")
        if not overview["readers"]:
            problems.append("no reader is running")
    except FootfallError as error:
        problems.append(str(error))
    try:
        await asyncio.to_thread(store.check)
    except StoreError as error:
        problems.append(str(error))
    status = "not ready" if problems else "ready"
    return JSONResponse({"status": status, "problems": problems}, 503 if problems else 200)


@router.get("/metrics", dependencies=[Access])
async def metrics(directory: InDirectory) -> Response:
    """Prometheus text; a deleted stream's series go away with it."""
    registry = CollectorRegistry()
    registry.register(StreamCollector(await directory.list_streams(), await directory.overview()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
