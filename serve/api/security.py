"""Who may ask: everybody on this machine, or whoever carries the token."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from serve.api.errors import Forbidden, Unauthorized
from serve.settings import Settings, is_loopback


def settings_of(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


def require_access(connection: HTTPConnection, settings: Annotated[Settings, Depends(settings_of)]) -> None:
    """Refuse callers without the token, and, if there is none, callers from other machines.

    A WebSocket or an image tag of a page cannot set headers, so the token may also come as the query parameter
    ``token``.

    Raises:
        Unauthorized: no token or a wrong one.
        Forbidden: from another machine, while no token is set.
    """
    token = settings.api.token
    if token is None:
        # The proxy in front binds where its own configuration says; without a token nobody else is let in anyway.
        client = connection.client
        if client is not None and not is_loopback(client.host):
            raise Forbidden("this service has no token and answers its own machine only: set FOOTFALL_API__TOKEN")
        return
    header = connection.headers.get("authorization", "")
    offered = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else None
    offered = offered or connection.query_params.get("token") or ""
    if not secrets.compare_digest(offered.encode(), token.get_secret_value().encode()):
        raise Unauthorized("this service needs its token: Authorization: Bearer TOKEN")


Access = Depends(require_access)
