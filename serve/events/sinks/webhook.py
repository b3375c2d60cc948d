"""Events as HTTP requests, signed after Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal
from urllib.parse import urlsplit

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
from serve.events.sinks.posting import Address, Authorization, Poster, singling_out

PREFIX = "whsec_"
"""Of a secret, before its base64."""
LEAST_KEY, MOST_KEY = 24, 64
"""Bytes of a key, after Standard Webhooks."""


class WebhookTarget(Target):
    """An HTTP server that takes events as POST requests."""

    title: ClassVar = "Webhook"
    secrets: ClassVar = {"url": Secret.CREDENTIALS, "secret": Secret.WHOLE, "authorization": Secret.WHOLE}
    belongs_to: ClassVar = ("url",)

    type: Literal["webhook"]
    url: Address = Field(
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
    authorization: Authorization = None
    at_once: Whole = Field(
        1,
        ge=1,
        le=500,
        title="Events in a request",
        description="More than one come as a list; needed for more than some hundred events a second.",
        json_schema_extra=form(advanced=True),
    )

    @field_validator("secret")
    @classmethod
    def _is_key(cls, secret: str | None) -> str | None:
        if secret is not None and not secret.startswith("***") and not LEAST_KEY <= len(_key(secret)) <= MOST_KEY:
            raise ValueError(f"a secret is {PREFIX} and {LEAST_KEY} to {MOST_KEY} bytes in base64")
        return secret

    @property
    def place(self) -> str:
        return redact(self.url)

    def check(self, reach: Reach) -> None:
        reach.host(urlsplit(self.url).hostname or "")

    def open(self, context: SinkContext) -> Sink:
        return self.open_trial(context.reach)

    def open_trial(self, reach: Reach) -> Sink:
        return WebhookSink(Poster(self.url, self.authorization, http.client(reach)), self.secret, self.at_once)


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
        poster: to the receiver; closed at the end.
        secret: that requests are signed with; None: they are not.
        at_once: events in one request; more than one are sent as a list.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        poster: Poster,
        secret: str | None,
        at_once: int,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._poster = poster
        self._secret = secret
        self._at_once = at_once
        self._wall_clock = wall_clock

    @property
    def at_once(self) -> int:
        return self._at_once

    @property
    def idle_s(self) -> None:
        return None

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        return await singling_out(events, self._post)

    async def _post(self, events: Sequence[NumberedEvent]) -> Outcome:
        headers, body = self._request(events)
        return (await self._poster.post(body, headers)).outcome(events)

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
        return headers, body

    async def close(self) -> None:
        await self._poster.close()
