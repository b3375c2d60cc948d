"""Requests and responses of RTSP 1.0 (RFC 2326), and who may make them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

AuthScheme: TypeAlias = Literal["basic", "digest"]

REALM = "simulator"
SERVER_NAME = "footfall-simulator"
TRACK = "/track0"
LARGEST_BODY = 65_536

_DIGEST_FIELD = re.compile(r'(\w+)="?([^",]*)"?')


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.

    Attributes:
        method: such as ``DESCRIBE``.
        uri: as sent.
        headers: by lower-case name.
    """

    method: str
    uri: str
    headers: Mapping[str, str]

    @property
    def camera(self) -> str:
        """Name of the camera that the URI asks for."""
        return urlsplit(self.uri).path.removesuffix("/").removesuffix(TRACK).strip("/")


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request; binary packets that a client sends in between (receiver reports) are skipped.

    Raises:
        ValueError: what arrives is not RTSP.
        asyncio.IncompleteReadError: the connection ended.
    """
    first = await reader.readexactly(1)
    while first == b"$":
        header = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(header[1:], "big"))
        first = await reader.readexactly(1)
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = request_line.split(" ")
    length = int(headers.get("content-length", "0"))
    if len(words) != 3 or not 0 <= length <= LARGEST_BODY:
        raise ValueError(f"not an RTSP request: {request_line[:80]!r}")
    await reader.readexactly(length)
    return Request(words[0], words[1], headers)


def response(request: Request, status: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    """An answer to a request; `status` is a code and its text, such as ``200 OK``."""
    lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", f"Server: {SERVER_NAME}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


class Gatekeeper:
    """Checks user and password, by Basic (RFC 7617) or Digest authentication (RFC 2617 without qop).

    Args:
        user: None lets everybody in.
        password: of that user.
        scheme: how a client has to send them.
    """

    def __init__(self, user: str | None, password: str, scheme: AuthScheme) -> None:
        self._user = user
        self._password = password
        self._scheme = scheme
        self._nonce = secrets.token_hex(16)

    @property
    def challenge(self) -> str:
        """Value of the header that asks for credentials."""
        if self._scheme == "basic":
            return f'Basic realm="{REALM}"'
        return f'Digest realm="{REALM}", nonce="{self._nonce}"'

    def admits(self, request: Request) -> bool:
        if self._user is None:
            return True
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != self._scheme:
            return False
        if self._scheme == "basic":
            return self._admits_basic(credentials)
        return self._admits_digest(request, dict(_DIGEST_FIELD.findall(credentials)))

    def _admits_basic(self, credentials: str) -> bool:
        try:
            given = base64.b64decode(credentials, validate=True)
        except binascii.Error:
            return False
        return secrets.compare_digest(given, f"{self._user}:{self._password}".encode())

    def _admits_digest(self, request: Request, fields: Mapping[str, str]) -> bool:
        account = _md5(f"{self._user}:{REALM}:{self._password}")
        asked = _md5(f"{request.method}:{fields.get('uri', request.uri)}")
        expected = _md5(f"{account}:{self._nonce}:{asked}")
        same_nonce = fields.get("nonce") == self._nonce
        return same_nonce and secrets.compare_digest(fields.get("response", "").encode(), expected.encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
