"""HTTP posts to receivers that other people name: what an address has to look like, and what answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field

from analytics.storage.outbox import NumberedEvent
from serve.definitions.fields import form
from serve.events.sinks import http
from serve.events.sinks.base import Outcome

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


def _address(url: str) -> str:
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


def _header(text: str | None) -> str | None:
    if text is not None and not (text.isascii() and text.isprintable() and text.strip() == text):
        raise ValueError("a header is made of printable ASCII characters, with no blank at either end")
    return text


Address: TypeAlias = Annotated[str, AfterValidator(_address)]
"""Of a receiver. Names no user, who would stand in logs."""
Authorization: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=2000,
        title="Authorization",
        description="Sent as this header, such as Bearer TOKEN.",
        json_schema_extra={**form(advanced=True), "format": "password", "writeOnly": True},
    ),
    AfterValidator(_header),
]
"""A header that proves who sends; a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver made of a request.

    Attributes:
        error: why it has not taken it, in plain words; None: it has.
        refuses: whether it will never take just this.
        answered: whether it may be the fault of what was sent that it cannot be taken now.
        pause_s: how long it asks us to wait; None if it does not say.
    """

    error: str | None = None
    refuses: bool = False
    answered: bool = False
    pause_s: float | None = None

    def outcome(self, events: Sequence[NumberedEvent]) -> Outcome:
        """What became of the events that were sent."""
        if self.error is None:
            return Outcome(len(events))
        if self.refuses:
            return Outcome(len(events), [(one, self.error) for one in events])
        return Outcome(0, error=self.error, answered=self.answered, pause_s=self.pause_s)


class Poster:
    """Posts to one receiver.

    Args:
        url: where.
        authorization: header; None: none.
        client: closed at the end.
    """

    def __init__(self, url: str, authorization: str | None, client: httpx.AsyncClient) -> None:
        self._url = url
        self._authorization = authorization
        self._client = client
        self._host = urlsplit(url).hostname or "the receiver"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One request; what is wrong with it, the answer says."""
        proof = {} if self._authorization is None else {"Authorization": self._authorization}
        try:
            async with (
                asyncio.timeout(WHOLE_S),
                self._client.stream("POST", self._url, content=body, headers={**headers, **proof}) as answer,
            ):
                await _read_some(answer)
                return self._judged(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            return Answer(f"{self._host} does not answer: {_words(error)}")

    def _judged(self, answer: httpx.Response) -> Answer:
        """2xx is taken; what a receiver cannot do now is tried again; what it says no to is dead."""
        status = answer.status_code
        says = f"{self._host} answers {status}"
        if 200 <= status < 300:
            return Answer()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
            return Answer(says, answered=True, pause_s=_retry_after(answer))
        if status in _OURS or status < HTTPStatus.BAD_REQUEST:
            return Answer(f"{says}: its address or its secret is wrong")
        return Answer(says, refuses=True)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()


async def singling_out(
    events: Sequence[NumberedEvent], send: Callable[[Sequence[NumberedEvent]], Awaitable[Outcome]]
) -> Outcome:
    """Send events together, and each by itself if they are refused together.

    One of them is what they do not like; the others are none the worse for it.
    """
    outcome = await send(events)
    if not outcome.refused or len(events) == 1:
        return outcome
    done, refused = 0, list[tuple[NumberedEvent, str]]()
    for one in events:
        outcome = await send([one])
        if not outcome.done:
            return Outcome(done, refused, outcome.error, outcome.answered, outcome.pause_s)
        done, refused = done + 1, [*refused, *outcome.refused]
    return Outcome(done, refused)


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
