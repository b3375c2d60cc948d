"""How a camera looked when its reference was made, and when something was found wrong with it."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Self

from fastapi import APIRouter, Response
from fastapi.responses import Response as PlainResponse
from pydantic import BaseModel, ConfigDict, Field

from analytics.reports.queries import iso
from analytics.storage.view_pictures import StoredView, ViewKind
from serve.api.dependencies import InRegistry, InSettings, InViewPictures
from serve.api.errors import BINARY, RESPONSES, UNKNOWN
from serve.api.models import StreamId
from serve.api.routing import KnownParameters
from serve.api.security import Viewer
from serve.errors import NoPicture, PicturesNotAllowed
from serve.settings import Settings

router = APIRouter(
    prefix="/api/v1/monitoring/streams",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES | UNKNOWN,
    tags=["monitoring"],
)
Kind = Literal["before", "after"]
_EXAMPLE: dict[str, Any] = {"kind": "before", "captured": "2026-03-01T08:00:00Z", "version": 2, "blurred": True}


class ViewPictureAnswer(BaseModel):
    """One picture."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})
    kind: Kind = Field(
        description="`before`: when its reference was made; `after`: when it was found moved, covered, blurred or dark."
    )
    captured: str = Field(description="RFC 3339.")
    version: int = Field(description="Of the reference that it belongs to.")
    blurred: bool = Field(description="Whether people that were found in it are pixelated.")

    @classmethod
    def of(cls, view: StoredView) -> Self:
        return cls(kind=view.kind.value, captured=iso(view.captured_s), version=view.version, blurred=view.blurred)


class ViewPicturesAnswer(BaseModel):
    """Which pictures there are of a stream."""

    model_config = ConfigDict(json_schema_extra={"example": {"allowed": True, "pictures": [_EXAMPLE]}})
    allowed: bool = Field(description="Whether the operator allows to keep any (`monitoring.pictures`).")
    pictures: list[ViewPictureAnswer]


def _is_shown(view: StoredView, stream: str, settings: Settings) -> bool:
    """Not with people who are to be pixelated since it was taken."""
    return view.blurred or not settings.privacy.blurs(stream)


@router.get("/{stream}/pictures")
async def get_view_pictures(
    stream: StreamId, registry: InRegistry, store: InViewPictures, settings: InSettings
) -> ViewPicturesAnswer:
    """Which pictures there are of a stream's view: of how it should be, and of how it was when something was wrong."""
    await registry.get_stream(stream)
    if not settings.monitoring.pictures:
        return ViewPicturesAnswer(allowed=False, pictures=[])
    found = await asyncio.to_thread(store.find, stream)
    views = [found[kind] for kind in ViewKind if kind in found and _is_shown(found[kind], stream, settings)]
    return ViewPicturesAnswer(allowed=True, pictures=[ViewPictureAnswer.of(view) for view in views])


@router.get(
    "/{stream}/pictures/{kind}",
    responses={200: {"content": {"image/jpeg": {"schema": BINARY}}}},
    response_class=PlainResponse,
)
async def get_view_picture(
    stream: StreamId, kind: Kind, registry: InRegistry, store: InViewPictures, settings: InSettings
) -> Response:
    """One of them; people are pixelated unless the operator allows otherwise."""
    await registry.get_stream(stream)
    if not settings.monitoring.pictures:
        raise PicturesNotAllowed("pictures of views are not kept: monitoring.pictures is off")
    found = await asyncio.to_thread(store.jpeg, stream, ViewKind(kind))
    if found is None or not _is_shown(found[0], stream, settings):
        raise NoPicture(f"there is no picture of {kind} of stream {stream!r}")
    view, jpeg = found
    headers = {"Cache-Control": "no-store", "X-Footfall-Time": f"{view.captured_s:.3f}"}
    return PlainResponse(jpeg, media_type="image/jpeg", headers=headers)
