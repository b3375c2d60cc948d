"""Who may ask: everybody on this machine, or whoever carries the token."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Security
from fastapi.security import APIKeyQuery, HTTPBearer
from starlette.requests import HTTPConnection

from serve.api.dependencies import InSettings
from serve.errors import Forbidden, Unauthorized
from serve.settings import is_loopback

# For the OpenAPI document; what counts is `require_access`.
_BEARER = HTTPBearer(auto_error=False, description="The service's token.")
_QUERY = APIKeyQuery(
    name="token", auto_error=False, description="The same, where headers cannot be set: WebSockets, image tags."
)


def require_access(connection: HTTPConnection, settings: InSettings) -> None:
    """Refuse callers without the token, and, if there is none, callers from other machines.

    A WebSocket or an image tag of a page cannot set headers, so the token may also come as the query parameter
    ``token``.

    Raises:
        Unauthorized: no token or a wrong one.
        Forbidden: from another machine or another site's page, while no token is set.
    """
    token = settings.api.token
    if token is None:
        _require_this_machine(connection)
        return
    header = connection.headers.get("authorization", "")
    offered = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else None
    offered = offered or connection.query_params.get("token") or ""
    if not secrets.compare_digest(offered.encode(), token.get_secret_value().encode()):
        raise Unauthorized("this service needs its token: Authorization: Bearer TOKEN")


def _require_this_machine(connection: HTTPConnection) -> None:
    """Without a token: nobody from another machine, and no page of another site in a browser on this one.

    The proxy in front binds where its own configuration says, so the caller's address is looked at here too. A foreign
    page may open a WebSocket to anywhere (its ``Origin`` gives it away), or let its own name point to this machine
    (then ``Host`` is that name).
    """
    client = connection.client
    if client is not None and not is_loopback(client.host):
        raise Forbidden("this service has no token and answers its own machine only: set FOOTFALL_API__TOKEN")
    host = connection.headers.get("host", "")
    if not _is_address(urlsplit(f"//{host}").hostname or ""):
        raise Forbidden(f"without a token this service answers to its address only, not to the name {host!r}")
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        raise Forbidden(f"pages of {origin} may not ask this service without its token")


def _is_address(name: str) -> bool:
    """Whether a host is given by address, or as this very machine: no name server was asked for it."""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _documented(
    connection: HTTPConnection,
    settings: InSettings,
    bearer: Annotated[object, Security(_BEARER)],
    query: Annotated[object, Security(_QUERY)],
) -> None:
    del bearer, query
    require_access(connection, settings)


Access = Depends(_documented)
