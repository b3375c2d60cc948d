"""Health, readiness and metrics; outside the prefix."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from analytics.errors import StoreError
from pipelines.errors import FootfallError
from serve.api.dependencies import InRegistry, InStore
from serve.api.errors import RESPONSES
from serve.api.routing import KnownParameters
from serve.api.security import Access
from serve.metrics.streams import StreamCollector

router = APIRouter(tags=["monitoring"])


class Readiness(BaseModel):
    """Whether the whole service works."""

    status: Literal["ready", "not ready"]
    problems: list[str]


@router.get("/healthz", dependencies=[KnownParameters])
async def get_health() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get("/readyz", dependencies=[KnownParameters], responses={200: {"model": Readiness}, 503: {"model": Readiness}})
async def get_readiness(registry: InRegistry, store: InStore) -> Response:
    """The whole service works: registry, database, and at least one reader."""
    problems: list[str] = []
    try:
        overview = await registry.overview()
        if not overview.loaded:
            problems.append(overview.store_error or "the registry is loading")
        if not overview.readers:
            problems.append("no reader is running")
    except FootfallError as error:
        problems.append(str(error))
    try:
        await asyncio.to_thread(store.check)
    except StoreError as error:
        problems.append(str(error))
    status: Literal["ready", "not ready"] = "not ready" if problems else "ready"
    answer = Readiness(status=status, problems=problems)
    return JSONResponse(answer.model_dump(), 503 if problems else 200)


@router.get(
    "/metrics",
    dependencies=[Access, KnownParameters],
    response_class=PlainTextResponse,
    responses=RESPONSES | {200: {"description": "Prometheus text format."}},
)
async def get_metrics(registry: InRegistry) -> Response:
    """Prometheus text; a deleted stream's series go away with it."""
    scrape = CollectorRegistry()
    scrape.register(StreamCollector(await registry.list_streams(), await registry.overview()))
    return Response(generate_latest(scrape), media_type=CONTENT_TYPE_LATEST)
