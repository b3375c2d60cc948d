"""Health, readiness and metrics; outside the prefix."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from analytics.alerts.book import Alert
from analytics.errors import StoreError
from pipelines.errors import FootfallError
from serve.api.dependencies import InRegistry, InSinkDesk, InStore
from serve.api.errors import OPEN_RESPONSES, RESPONSES
from serve.api.routing import KnownParameters
from serve.api.security import Viewer, caller_of
from serve.events.desk import SinkView
from serve.metrics.streams import Scrape, StreamCollector

DATABASE_S = 2.0
"""How long Prometheus is kept waiting for it."""
router = APIRouter(tags=["monitoring"])


class Readiness(BaseModel):
    """Whether the whole service works."""

    status: Literal["ready", "not ready"]
    problems: list[str]


@router.get("/healthz", dependencies=[KnownParameters], responses=OPEN_RESPONSES)
async def get_health() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    dependencies=[KnownParameters],
    responses=OPEN_RESPONSES
    | {200: {"model": Readiness}, 503: {"model": Readiness, "description": "It does not, or not yet."}},
)
async def get_readiness(request: Request, registry: InRegistry, store: InStore) -> Response:
    """The whole service works: registry, database, and at least one reader.

    Without a token, only the part that does not work is named; with one, also why.
    """
    found: dict[str, str] = {}
    try:
        overview = await registry.overview()
        if not overview.loaded:
            found["the registry is loading"] = overview.store_error or ""
        if not overview.readers:
            found["no reader is running"] = ""
    except FootfallError as error:
        found["the registry does not answer"] = str(error)
    try:
        await asyncio.to_thread(store.check)
    except StoreError as error:
        found["the database does not answer"] = str(error)
    known = caller_of(request) is not None
    problems = [f"{part}: {reason}" if known and reason else part for part, reason in found.items()]
    status: Literal["ready", "not ready"] = "not ready" if problems else "ready"
    answer = Readiness(status=status, problems=problems)
    return JSONResponse(answer.model_dump(), 503 if problems else 200)


@router.get(
    "/metrics",
    dependencies=[Viewer, KnownParameters],
    response_class=PlainTextResponse,
    responses=RESPONSES | {200: {"description": "Prometheus text format."}},
)
async def get_metrics(registry: InRegistry, desk: InSinkDesk, request: Request) -> Response:
    """Prometheus text; a deleted stream's series go away with it. Without the database, what it knows is left out."""
    views, overview = await registry.list_streams(), await registry.overview()
    alerts: list[Alert] = []
    sinks: list[SinkView] = []
    with contextlib.suppress(StoreError):
        alerts = await registry.alerts()
    if overview.store_error is None:  # and else Prometheus would not even hear of that
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(DATABASE_S):
                sinks = await desk.views()
    made = CollectorRegistry()
    made.register(StreamCollector(Scrape(views, overview, alerts, sinks, dict(request.app.state.requests))))
    return Response(generate_latest(made), media_type=CONTENT_TYPE_LATEST)
