"""Events as HTTP requests, signed after Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator

from analytics.events import identity
from analytics.storage.outbox import NumberedEvent
from pipelines.redaction import redact
from pipelines.sources.reach import Reach
from serve.definitions.fields import Whole, form
from serve.definitions.secretive import Secret
from serve.events.envelope import cloud_event
from serve.events.sinks import http
from serve.events.sinks.base import Outcome, Sink, SinkContext, Target

PREFIX = "whsec_"
"""Of a secret, before its base64."""
LEAST_KEY, MOST_KEY = 24, 64
"""Bytes of a key, after Standard Webhooks."""
MOST_ANSWER = 4096
"""Of an answer's bytes nobody wants to know more; who says more is hung up on."""
WHOLE_S = 2 * http.TIMEOUT_S
"""For a request with its answer, however slowly that comes."""
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Answers below 500 that say nothing against the event."""
_OURS = (
    *(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED),
    *(HTTPStatus.GONE, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED),
)
"""Those that say that the sink is wrong, and somebody will set it right: no event is to blame."""


class WebhookTarget(Target):
    """An HTTP server that takes events as POST requests."""

    title: ClassVar = "Webhook"
    secrets: ClassVar = {"url": Secret.CREDENTIALS, "secret": Secret.WHOLE, "authorization": Secret.WHOLE}
    belongs_to: ClassVar = ("url",)

    type: Literal["webhook"]
    url: str = Field(
        max_length=2000,
        title="Address",
        description="http:// or https://; the host has to be in events.networks.",
        json_schema_extra={
            **form(
                placeholder="https://till.example.invalid/footfall",
                needed="An address such as https://till.example.invalid/footfall is needed.",
            ),
            "format": "uri",
        },
    )
    secret: str | None = Field(
        None,
        max_length=200,
        title="Secret",
        description="whsec_ and 24 to 64 random bytes in base64; requests are signed with it, so that the receiver "
        "knows that they come from here.",
        json_schema_extra={**form(), "format": "password", "writeOnly": True},
    )
    authorization: str | None = Field(
        None,
        max_length=2000,
        title="Authorization",
        description="Sent as this header, such as Bearer TOKEN.",
        json_schema_extra={**form(advanced=True), "format": "password", "writeOnly": True},
    )
    at_once: Whole = Field(
        1,
        ge=1,
        le=500,
        title="Events in a request",
        description="More than one come as a list; needed for more than some hundred events a second.",
        json_schema_extra=form(advanced=True),
    )

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
            httpx.URL(url)
        except (ValueError, httpx.InvalidURL):
            raise ValueError("the URL cannot be read") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("the URL must look like http://HOST/PATH or https://HOST/PATH")
        if any(character.isspace() for character in url):
            raise ValueError("the URL holds white space")
        if parts.username is not None:
            raise ValueError("the URL holds a user: put it into authorization")
        return url

    @field_validator("secret")
    @classmethod
    def _is_key(cls, secret: str | None) -> str | None:
        if secret is not None and not secret.startswith("***") and not LEAST_KEY <= len(_key(secret)) <= MOST_KEY:
            raise ValueError(f"a secret is {PREFIX} and {LEAST_KEY} to {MOST_KEY} bytes in base64")
        return secret

    @field_validator("authorization")
    @classmethod
    def _is_header(cls, text: str | None) -> str | None:
        if text is not None and not (text.isascii() and text.isprintable() and text.strip() == text):
            raise ValueError("a header is made of printable ASCII characters, with no blank at either end")
        return text

    @property
    def place(self) -> str:
        return redact(self.url)

    def check(self, reach: Reach) -> None:
        reach.host(urlsplit(self.url).hostname or "")

    def open(self, context: SinkContext) -> Sink:
        return self.open_trial(context.reach)

    def open_trial(self, reach: Reach) -> Sink:
        return WebhookSink(self.url, self.secret, self.authorization, self.at_once, http.client(reach))


def _key(secret: str) -> bytes:
    """Empty for what is no key."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def signature(secret: str, name: str, sent_s: int, body: bytes) -> str:
    """What proves that a request is ours, and new: ``v1,`` and the HMAC-SHA256 of id, time and body, in base64."""
    signed = b".".join((name.encode(), str(sent_s).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


class WebhookSink:
    """Posts each event as a CloudEvent in JSON, or several as a batch; see `serve.events.sinks.base.Sink`.

    Args:
        url: of the receiver.
        secret: that requests are signed with; None: they are not.
        authorization: header; None: none.
        at_once: events in one request; more than one are sent as a list.
        client: closed at the end.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        url: str,
        secret: str | None,
        authorization: str | None,
        at_once: int,
        client: httpx.AsyncClient,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._authorization = authorization
        self._at_once = at_once
        self._client = client
        self._wall_clock = wall_clock
        self._host = urlsplit(url).hostname or "the receiver"

    @property
    def at_once(self) -> int:
        return self._at_once

    @property
    def idle_s(self) -> None:
        return None

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        outcome = await self._post(events)
        if not outcome.refused or len(events) == 1:
            return outcome
        # One of them is what they do not like; the others are none the worse for it.
        done, refused = 0, list[tuple[NumberedEvent, str]]()
        for one in events:
            outcome = await self._post([one])
            if not outcome.done:
                return Outcome(done, refused, outcome.error, outcome.answered, outcome.pause_s)
            done, refused = done + 1, [*refused, *outcome.refused]
        return Outcome(done, refused)

    async def _post(self, events: Sequence[NumberedEvent]) -> Outcome:
        headers, body = self._request(events)
        try:
            async with (
                asyncio.timeout(WHOLE_S),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                await _read_some(answer)
                return self._judged(events, answer)
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(0, error=f"{self._host} does not answer: {_words(error)}")

    def _request(self, events: Sequence[NumberedEvent]) -> tuple[dict[str, str], bytes]:
        documents = [cloud_event(one) for one in events]
        single = self._at_once == 1
        body = json.dumps(documents[0] if single else documents).encode()
        kind = "application/cloudevents+json" if single else "application/cloudevents-batch+json"
        # The same however often it is sent, so that a receiver who goes by it drops repeats, too.
        name = documents[0]["id"] if single else identity(*(document["id"] for document in documents))
        sent_s = int(self._wall_clock())
        headers = {"Content-Type": kind, "webhook-id": name, "webhook-timestamp": str(sent_s)}
        if self._secret is not None:
            headers["webhook-signature"] = signature(self._secret, name, sent_s, body)
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        return headers, body

    def _judged(self, events: Sequence[NumberedEvent], answer: httpx.Response) -> Outcome:
        """2xx is taken; what a receiver cannot do now is tried again; what it says no to is dead."""
        status = answer.status_code
        says = f"{self._host} answers {status}"
        if 200 <= status < 300:
            return Outcome(len(events))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
            return Outcome(0, error=says, answered=True, pause_s=_retry_after(answer))
        if status in _OURS or status < HTTPStatus.BAD_REQUEST:
            return Outcome(0, error=f"{says}: its address or its secret is wrong")
        return Outcome(len(events), [(one, says) for one in events])

    async def close(self) -> None:
        await self._client.aclose()


def _words(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "it takes too long"
    if isinstance(error, httpx.ConnectError) and "attempts" in str(error):
        return "there is nobody"
    return str(error) or type(error).__name__


async def _read_some(answer: httpx.Response) -> None:
    """To its end, if that is near: then the connection can be used again."""
    read = 0
    async for part in answer.aiter_raw():
        read += len(part)
        if read > MOST_ANSWER:
            return


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds; dates are left to our own pauses."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
