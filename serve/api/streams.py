"""Streams and their geometry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from analytics.reports.queries import iso
from pipelines.sources.supervisor import StreamState
from serve.api.bodies import StrictRoute
from serve.api.credentials import Scope
from serve.api.dependencies import ExpectedOrAbsent, InRegistry, InSettings
from serve.api.errors import BODY_RESPONSES, CONFLICT, PRECONDITION, RESPONSES, UNKNOWN
from serve.api.models import (
    GeometryAnswer,
    GeometryBody,
    ProbeAnswer,
    ProbeBody,
    SourceType,
    StreamAnswer,
    StreamBody,
    StreamChanges,
    StreamId,
)
from serve.api.routing import KnownParameters
from serve.api.security import Operator, Viewer, require
from serve.control.messages import StreamView
from serve.definitions.catalogue import source_types
from serve.streams.probe import probe

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES,
    tags=["streams"],
    route_class=StrictRoute,
)
MAX_PAGE = 5000
_PROBES = ThreadPoolExecutor(4, thread_name_prefix="probe")
"""Their own, and no more at once, also when those who asked do not wait for the answer."""
_ETAG: dict[str, Any] = {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}


def _answer(view: StreamView, response: Response | None = None) -> StreamAnswer:
    """What the API shows of a stream; its ETag goes along where it is the only one."""
    if response is not None:
        response.headers["ETag"] = view.etag
    return StreamAnswer(
        id=view.id,
        **view.definition.redacted(),
        geometry=GeometryAnswer.of(view),
        **asdict(view.status),
        since=iso(view.status.since_s),
        weight=round(view.weight.wanted, 4) if view.weight is not None else None,
        reader=view.reader,
        epoch=view.epoch,
    )


@router.get("/source-types")
async def list_source_types() -> list[SourceType]:
    """Every type of source that can be registered, with the JSON Schema of its document."""
    return [SourceType.model_validate(kind) for kind in source_types()]


@router.get(
    "/streams",
    responses={
        200: {
            "headers": {
                "Link": {"description": '`rel="next"`: the page after this one.', "schema": {"type": "string"}},
                "X-Total-Count": {"description": "Streams that match, on all pages.", "schema": {"type": "integer"}},
            }
        }
    },
)
async def list_streams(
    registry: InRegistry,
    request: Request,
    response: Response,
    state: Annotated[list[StreamState] | None, Query(description="Only these; may be repeated.")] = None,
    site: Annotated[str | None, Query(max_length=200, description="Only of this site.")] = None,
    reader: Annotated[str | None, Query(max_length=200, description="Only those of this reader.")] = None,
    search: Annotated[str | None, Query(max_length=200, description="Part of the id or name.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Streams on a page.")] = 1000,
    after: Annotated[str | None, Query(max_length=64, description="Id of the last stream of the page before.")] = None,
) -> list[StreamAnswer]:
    """Streams by id, desired and observed, a page at a time."""
    matching = [
        view
        for view in await registry.list_streams()
        if (not state or view.status.state in state)
        and (site is None or view.definition.site == site)
        and (reader is None or view.reader == reader)
        and (search is None or search.casefold() in f"{view.id}\n{view.definition.name}".casefold())
    ]
    page = [view for view in matching if after is None or view.id > after]
    response.headers["X-Total-Count"] = str(len(matching))
    if len(page) > limit:
        response.headers["Link"] = f'<{_next_page(request, page[:limit])}>; rel="next"'
    return [_answer(view) for view in page[:limit]]


def _next_page(request: Request, page: Sequence[StreamView]) -> str:
    """The same with another ``after``, relative: a proxy may know this service by another name and path."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "after"]
    return f"?{urlencode([*kept, ('after', page[-1].id)])}"


@router.get("/streams/{stream}", responses=UNKNOWN | {200: {"headers": _ETAG}})
async def get_stream(stream: StreamId, registry: InRegistry, response: Response) -> StreamAnswer:
    """One stream. Its ETag names what is wanted of it, not how it is."""
    return _answer(await registry.get_stream(stream), response)


@router.put(
    "/streams/{stream}",
    dependencies=[Operator],
    responses=BODY_RESPONSES
    | PRECONDITION
    | {200: {"headers": _ETAG}, 201: {"model": StreamAnswer, "headers": _ETAG, "description": "It is new."}},
)
async def put_stream(
    stream: StreamId, body: StreamBody, registry: InRegistry, response: Response, expected: ExpectedOrAbsent
) -> StreamAnswer:
    """Register a stream (201) or change it (200). The same again changes nothing and disturbs nobody."""
    geometry = body.geometry.parsed() if body.geometry else None
    view, created = await registry.put_stream(stream, body.definition(), geometry, expected)
    response.status_code = 201 if created else 200
    return _answer(view, response)


@router.patch(
    "/streams/{stream}",
    dependencies=[Operator],
    responses=UNKNOWN | BODY_RESPONSES | PRECONDITION | {200: {"headers": _ETAG}},
)
async def patch_stream(
    stream: StreamId, body: StreamChanges, registry: InRegistry, response: Response, expected: ExpectedOrAbsent
) -> StreamAnswer:
    """Change what is named; ``source`` is replaced whole."""
    changes = body.model_dump(mode="json", exclude_unset=True, exclude={"geometry"})
    geometry = body.geometry.parsed() if body.geometry else None
    return _answer(await registry.patch_stream(stream, changes, geometry, expected), response)


@router.delete("/streams/{stream}", status_code=204, dependencies=[Operator], responses=UNKNOWN | PRECONDITION)
async def delete_stream(
    request: Request,
    stream: StreamId,
    registry: InRegistry,
    expected: ExpectedOrAbsent,
    purge: Annotated[bool, Query(description="Delete its counts and heatmaps too.")] = False,
) -> None:
    """Remove a stream; all others run on. Its history stays, unless it is purged, which needs scope admin."""
    if purge:
        require(request, Scope.ADMIN)
    await registry.delete_stream(stream, purge, expected)


@router.post("/streams/probe", dependencies=[Operator], responses=BODY_RESPONSES)
async def probe_stream(body: ProbeBody, settings: InSettings) -> ProbeAnswer:
    """Open a source without saving it: codec, size, measured frame rate, snapshot, or the reason why not."""
    shown = not settings.privacy.blur_people
    found = partial(probe, body.source, body.seconds, settings.source_limits, people_may_be_shown=shown)
    return ProbeAnswer.model_validate(await asyncio.get_running_loop().run_in_executor(_PROBES, found))


@router.get("/streams/{stream}/geometry", tags=["geometry"], responses=UNKNOWN | {200: {"headers": _ETAG}})
async def get_geometry(stream: StreamId, registry: InRegistry, response: Response) -> GeometryAnswer:
    """Lines and zones, with their version."""
    view = await registry.get_stream(stream)
    response.headers["ETag"] = view.geometry_etag
    return GeometryAnswer.of(view)


@router.put(
    "/streams/{stream}/geometry",
    tags=["geometry"],
    dependencies=[Operator],
    responses=UNKNOWN | BODY_RESPONSES | CONFLICT | PRECONDITION | {200: {"headers": _ETAG}},
)
async def put_geometry(
    stream: StreamId, body: GeometryBody, registry: InRegistry, response: Response, expected: ExpectedOrAbsent
) -> GeometryAnswer:
    """Draw lines and zones; counting goes on with them from the next frame.

    With ``version``, the change is refused (409) if somebody else was faster; with If-Match likewise (412).
    """
    view = await registry.put_geometry(stream, body.parsed(), body.version, expected)
    response.headers["ETag"] = view.geometry_etag
    return GeometryAnswer.of(view)
