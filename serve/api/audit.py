"""The audit log: every change that somebody who is known asked for, and how it was answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from http.client import METHOD_NOT_ALLOWED
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.errors import StoreError
from analytics.reports.queries import iso
from analytics.storage.access import AccessStore, AuditRecord
from serve.api.bodies import StrictRoute
from serve.api.dependencies import InAccess
from serve.api.errors import RESPONSES
from serve.api.routing import KnownParameters
from serve.api.security import Admin, caller_of

logger = logging.getLogger(__name__)
_SUBJECT = "footfall.subject"
_READING = ("GET", "HEAD", "OPTIONS")
MAX_PAGE = 1000
router = APIRouter(
    prefix="/api/v1",
    dependencies=[Admin, KnownParameters],
    responses=RESPONSES,
    tags=["access"],
    route_class=StrictRoute,
)


class AuditEntry(BaseModel):
    """A change that somebody asked for. Bodies are not kept: they may hold passwords."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "number": 41,
                "time": "2026-03-01T09:00:00Z",
                "caller": "shop-floor",
                "action": "put_stream",
                "method": "PUT",
                "path": "/api/v1/streams/entrance",
                "status": 201,
                "subject": "entrance",
            }
        },
    )
    number: int = Field(description="One more with every entry.")
    time: str = Field(description="When it was answered, RFC 3339.")
    caller: str = Field(description="Name of the token; `settings` for the one of the settings.")
    action: str = Field(description="The operation's name in this document.")
    method: str
    path: str
    status: int = Field(description="Of the answer: changes that were refused are here too.")
    subject: str | None = Field(description="Id of the stream or name of the token.")


@router.get(
    "/audit",
    responses={
        200: {
            "headers": {
                "Link": {"description": '`rel="next"`: the page of older ones.', "schema": {"type": "string"}},
            }
        }
    },
)
async def list_audit(
    access: InAccess,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Entries on a page.")] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Number of the page before's last.")] = None,
) -> list[AuditEntry]:
    """Who changed what, newest first, a page at a time. The newest 100,000 entries are kept."""
    found = await asyncio.to_thread(access.audit, limit + 1, before)
    if len(found) > limit:
        response.headers["Link"] = f'<?limit={limit}&before={found[limit - 1].number}>; rel="next"'
    return [
        AuditEntry(
            number=entry.number,
            time=iso(entry.time_s),
            caller=entry.caller,
            action=entry.action,
            method=entry.method,
            path=entry.path,
            status=entry.status,
            subject=entry.subject,
        )
        for entry in found[:limit]
    ]


def note_subject(request: Request, subject: str) -> None:
    """Say what a change is about, where its path does not."""
    request.scope[_SUBJECT] = subject


class Auditor:
    """Writes an entry for every change, before its answer goes out.

    What strangers try is not written: they could push everything else out of the log.

    Args:
        app: what changes.
        store: of the log.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, app: ASGIApp, store: AccessStore, wall_clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._store = store
        self._wall_clock = wall_clock
        self._changes: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING or caller_of(HTTPConnection(scope)) is None:
            await self._app(scope, receive, send)
            return
        # Whoever hangs up early changes what he asked for all the same, and it is written all the same.
        change = asyncio.get_running_loop().create_task(self._change(scope, receive, send))
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        await asyncio.shield(change)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def send_audited(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                if message["status"] != METHOD_NOT_ALLOWED:  # nothing was called
                    await self._write(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_audited)
        except Exception:
            if not answered:
                await self._write(scope, 500)
            raise

    async def _write(self, scope: Scope, status: int) -> None:
        route = scope.get("route")
        if route is None:  # nothing of ours was called
            return
        request = Request(scope)
        caller = caller_of(request)
        parameters = request.path_params
        subject = scope.get(_SUBJECT) or parameters.get("stream") or parameters.get("name")
        entry = AuditRecord(
            time_s=self._wall_clock(),
            caller=caller.name if caller else "",
            action=str(getattr(route, "name", ""))[:64],
            method=request.method[:16],
            path=request.url.path[:200],
            status=status,
            subject=None if subject is None else str(subject)[:64],
        )
        try:
            await asyncio.to_thread(self._store.append_audit, entry)
        except StoreError as error:
            logger.error("not in the audit log: %s: %s", entry, error)
