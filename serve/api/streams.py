"""Streams and their geometry."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from analytics.reports.queries import iso
from pipelines.sources.base import SourceLimits
from serve.api.dependencies import InDirectory, InSettings
from serve.api.errors import RESPONSES
from serve.api.models import (
    GeometryBody,
    ProbeBody,
    ProbeResult,
    StreamBody,
    StreamChanges,
    StreamId,
    StreamView,
)
from serve.api.security import Access
from serve.streams.probe import probe

router = APIRouter(prefix="/api/v1", dependencies=[Access], responses=RESPONSES, tags=["streams"])
_PROBES = asyncio.Semaphore(4)


def _view(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "since": iso(document["since_s"])}


@router.get("/streams", response_model=list[StreamView])
async def list_streams(directory: InDirectory) -> list[dict[str, Any]]:
    """All streams, desired and observed."""
    return [_view(document) for document in await directory.list_streams()]


@router.get("/streams/{stream}", response_model=StreamView)
async def get_stream(stream: StreamId, directory: InDirectory) -> dict[str, Any]:
    """One stream."""
    return _view(await directory.get_stream(stream))


@router.put("/streams/{stream}", response_model=StreamView, responses={201: {"model": StreamView}})
async def put_stream(stream: StreamId, body: StreamBody, directory: InDirectory, response: Response) -> dict[str, Any]:
    """Register a stream (201) or change it (200). The same again changes nothing and disturbs nobody."""
    document = body.model_dump(mode="json", exclude={"geometry"})
    view, created = await directory.put_stream(stream, document, body.geometry.drawn() if body.geometry else None)
    response.status_code = 201 if created else 200
    return _view(view)


@router.patch("/streams/{stream}", response_model=StreamView)
async def patch_stream(stream: StreamId, body: StreamChanges, directory: InDirectory) -> dict[str, Any]:
    """Change what is named; ``source`` is replaced whole."""
    changes = body.model_dump(mode="json", exclude_unset=True, exclude={"geometry"})
    return _view(await directory.patch_stream(stream, changes, body.geometry.drawn() if body.geometry else None))


@router.delete("/streams/{stream}", status_code=204)
async def delete_stream(
    stream: StreamId,
    directory: InDirectory,
    purge: Annotated[bool, Query(description="Delete its counts and heatmaps too.")] = False,
) -> None:
    """Remove a stream; all others run on. Its history stays, unless it is purged."""
    await directory.delete_stream(stream, purge)


@router.post("/streams/probe")
async def probe_stream(body: ProbeBody, settings: InSettings) -> ProbeResult:
    """Open a source without saving it: codec, size, measured frame rate, snapshot, or the reason why not."""
    reader = settings.reader
    limits = SourceLimits(reader.open_timeout_s, reader.read_timeout_s, reader.stall_timeout_s)
    async with _PROBES:
        return await asyncio.to_thread(probe, body.source, body.seconds, limits)


@router.get("/streams/{stream}/geometry", response_model=GeometryBody, tags=["geometry"])
async def get_geometry(stream: StreamId, directory: InDirectory) -> dict[str, Any]:
    """Lines and zones, with their version."""
    geometry: dict[str, Any] = (await directory.get_stream(stream))["geometry"]
    return geometry


@router.put("/streams/{stream}/geometry", response_model=GeometryBody, tags=["geometry"])
async def put_geometry(stream: StreamId, body: GeometryBody, directory: InDirectory) -> dict[str, Any]:
    """Draw lines and zones; counting goes on with them from the next frame.

    With ``version``, the change is refused (409) if somebody else was faster.
    """
    view = await directory.put_geometry(stream, body.drawn(), body.version)
    geometry: dict[str, Any] = view["geometry"]
    return geometry
