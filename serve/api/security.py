"""Who may ask what: everybody on this machine as long as there is no token, or else whoever carries one."""

from __future__ import annotations

import base64
import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.errors import FootfallError
from serve.api import errors
from serve.api.credentials import THIS_MACHINE, Caller, Credentials
from serve.api.credentials import Scope as TokenScope
from serve.api.throttle import FailureThrottle
from serve.errors import Forbidden, Malformed, TooManyAttempts, Unauthorized
from serve.settings import is_loopback

PROTOCOL = "footfall"
"""The WebSocket subprotocol that is chosen where one is offered."""
_PROTOCOL_TOKEN = "footfall.token."
_HEALTH = ("/healthz", "/readyz")
_PAGES = ("/", "/docs", "/favicon.ico")
_CALLER, _REFUSAL = "footfall.caller", "footfall.refusal"


class Doorman:
    """Says who asks, before anything of the body is read; strangers get no further than the page and the health.

    Args:
        app: what stands behind.
        credentials: to recognise tokens by.
        throttle: of those who offer wrong ones.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials, throttle: FailureThrottle) -> None:
        self._app = app
        self._credentials = credentials
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        is_page = path in _PAGES or path.startswith("/static/")
        try:
            scope[_CALLER] = await self._caller(connection, is_page)
        except FootfallError as error:
            scope[_REFUSAL] = error
            is_open = path in _HEALTH or (is_page and not isinstance(error, Forbidden))
            if scope["type"] == "http" and (isinstance(error, Malformed) or not is_open):
                await errors.answer(scope["path"], error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _caller(self, connection: HTTPConnection, is_page: bool) -> Caller:
        """Who asks.

        Raises:
            Malformed: its addresses cannot be read.
            Unauthorized, TooManyAttempts: no token, or a wrong one.
            Forbidden: from another machine or another site's page, while there is no token.
            StoreError: tokens are not known.
        """
        host, origin = _addresses(connection)
        if not await self._credentials.needed():
            _require_this_machine(connection, host, origin, is_page)
            return Caller(THIS_MACHINE, TokenScope.ADMIN)
        offered = _offered(connection)
        if not offered:
            raise Unauthorized("this service needs a token: Authorization: Bearer TOKEN")
        caller = await self._credentials.caller_of(offered)
        if caller is None:
            wait_s = self._throttle.failed(connection.client.host if connection.client else "")
            if wait_s is not None:
                raise TooManyAttempts(f"too many wrong tokens: try again in {wait_s} s", wait_s)
            raise Unauthorized("this token is wrong, was revoked, or has expired")
        return caller


async def require_still(connection: HTTPConnection, needed: TokenScope) -> None:
    """For connections that last: what was asked at the beginning, asked again.

    Raises:
        Unauthorized: the token was revoked or has expired, or there is one by now, and it was not given.
        StoreError: tokens are not known.
    """
    credentials: Credentials = connection.app.state.credentials
    if await credentials.needed():
        caller = await credentials.caller_of(_offered(connection))
        if caller is None or not caller.scope.allows(needed):
            raise Unauthorized("this token was revoked, or has expired")


def _offered(connection: HTTPConnection) -> str:
    """The token of the request; never of its address, which ends up in logs and histories.

    A page cannot set headers of a WebSocket, but it can name subprotocols.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(_PROTOCOL_TOKEN):
            return _decoded(name.removeprefix(_PROTOCOL_TOKEN))
    return ""


def _decoded(text: str) -> str:
    """From base64url without padding, since few characters may stand in a subprotocol's name; empty if it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""


def _addresses(connection: HTTPConnection) -> tuple[str, str | None]:
    """Host without its port, and host and port of the page that asks (empty if it hides them), if one does.

    Raises:
        Malformed: one of them cannot be read.
    """
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}")
        origin = connection.headers.get("origin")
        return host.hostname or "", None if origin is None else urlsplit(origin).netloc
    except ValueError:
        raise Malformed("Host or Origin cannot be read") from None


def _require_this_machine(connection: HTTPConnection, host: str, origin: str | None, is_page: bool) -> None:
    """Without a token: nobody from another machine, and no page of another site in a browser on this one.

    The proxy in front binds where its own configuration says, so the caller's address is looked at here too. A foreign
    page may open a WebSocket to anywhere (its ``Origin`` gives it away), show our pictures (browsers say so in
    ``Sec-Fetch-Site``; a link to our own page is no harm), or let its own name point to this machine (then ``Host`` is
    that name).
    """
    client = connection.client
    if client is not None and not is_loopback(client.host):
        raise Forbidden("this service has no token and answers its own machine only: see `footfall tokens`")
    if not _is_address(host):
        raise Forbidden(f"without a token this service answers to its address only, not to the name {host!r}")
    foreign = origin is not None and origin != connection.headers.get("host", "")
    if foreign or (not is_page and connection.headers.get("sec-fetch-site") in ("cross-site", "same-site")):
        raise Forbidden("pages of other sites may not ask this service without a token")


def _is_address(name: str) -> bool:
    """Whether a host is given by address, or as this very machine: no name server was asked for it."""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def caller_of(connection: HTTPConnection) -> Caller | None:
    """Who asks; None for a stranger."""
    caller: Caller | None = connection.scope.get(_CALLER)
    return caller


def require(connection: HTTPConnection, needed: TokenScope) -> None:
    """Refuse whoever may not do what needs that scope.

    Raises:
        Unauthorized, TooManyAttempts, Forbidden, StoreError: as the doorman found it.
        Forbidden: the token does not allow it.
    """
    caller = caller_of(connection)
    if caller is None:
        refusal: FootfallError = connection.scope.get(_REFUSAL) or Unauthorized("this service needs a token")
        raise refusal
    if not caller.scope.allows(needed):
        raise Forbidden(f"this needs a token of scope {needed}; yours is of scope {caller.scope}")


# For the OpenAPI document; what counts is the doorman.
_BEARER = HTTPBearer(auto_error=False, description="A token of `footfall tokens`, or the one of the settings.")


def _needs(scope: TokenScope) -> Any:
    def check(connection: HTTPConnection, bearer: Annotated[object, Security(_BEARER)]) -> None:
        del bearer
        require(connection, scope)

    return Depends(check)


Viewer, Operator, Admin = (_needs(scope) for scope in TokenScope)
