"""Tokens over the API; `serve.cli.tokens` does the same without the service."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from analytics.errors import UnknownToken
from analytics.reports.queries import iso
from analytics.storage.access import TokenRecord
from serve.api.audit import note_subject
from serve.api.bodies import StrictRoute
from serve.api.credentials import TOKEN_NAME, Scope, new_token
from serve.api.dependencies import InAccess, InCredentials
from serve.api.errors import BODY_RESPONSES, CONFLICT, RESPONSES, UNKNOWN
from serve.api.routing import KnownParameters
from serve.api.security import Admin

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Admin, KnownParameters],
    responses=RESPONSES,
    tags=["access"],
    route_class=StrictRoute,
)
LONGEST_S = 10 * 366 * 86_400.0
_EXAMPLE: dict[str, Any] = {"name": "shop-floor", "scope": "viewer", "created": "2026-03-01T09:00:00Z", "expires": None}
_NAME = f"^{TOKEN_NAME.pattern}$"


class TokenAnswer(BaseModel):
    """A token that there is; not the token itself, which is not kept."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})
    name: str
    scope: Scope
    created: str = Field(description="RFC 3339.")
    expires: str | None = Field(description="RFC 3339; none: never.")

    @classmethod
    def of(cls, record: TokenRecord) -> Self:
        expires = None if record.expires_s is None else iso(record.expires_s)
        return cls(name=record.name, scope=Scope(record.scope), created=iso(record.created_s), expires=expires)


class TokenBody(BaseModel):
    """A token to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "shop-floor", "scope": "viewer", "lifetime_s": 86_400}}
    )
    name: str = Field(pattern=_NAME, description="Unique; shown in the audit log.")
    scope: Scope = Field(
        description="viewer reads; operator also changes and probes streams; admin also purges, and sees to tokens and "
        "the audit log."
    )
    lifetime_s: float | None = Field(
        None,
        strict=True,
        allow_inf_nan=False,
        ge=60,
        le=LONGEST_S,
        description="Seconds until it expires; none: never.",
    )


class NewToken(TokenAnswer):
    """A token that was just made."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "token": "ff_..."}})
    token: str = Field(description="The token itself, shown this once.")


@router.get("/tokens")
async def list_tokens(access: InAccess) -> list[TokenAnswer]:
    """All tokens by name, but the one of the settings."""
    return [TokenAnswer.of(record) for record in await asyncio.to_thread(access.tokens)]


@router.post("/tokens", status_code=201, responses=CONFLICT | BODY_RESPONSES)
async def create_token(request: Request, body: TokenBody, access: InAccess, credentials: InCredentials) -> NewToken:
    """Make a token. Its text is in this answer, and nowhere else; with the first one, every caller needs one."""
    note_subject(request, body.name)
    now = time.time()
    expires_s = None if body.lifetime_s is None else now + body.lifetime_s
    record, secret = new_token(body.name, body.scope, now, expires_s)
    await asyncio.to_thread(access.add_token, record)
    credentials.forget()
    return NewToken(**TokenAnswer.of(record).model_dump(), token=secret)


@router.delete("/tokens/{name}", status_code=204, responses=UNKNOWN)
async def revoke_token(
    name: Annotated[str, Path(pattern=_NAME, examples=["shop-floor"])], access: InAccess, credentials: InCredentials
) -> None:
    """Revoke a token; it stops working within two seconds.

    After the last one, and without one in the settings, this machine is answered without a token again.
    """
    if not await asyncio.to_thread(access.revoke_token, name):
        raise UnknownToken(f"there is no token {name!r}")
    credentials.forget()
