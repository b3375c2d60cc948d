"""Events as HTTP requests: what is sent, and what is made of the answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from analytics.events import Event, EventContext, identity
from analytics.storage.outbox import NumberedEvent
from pipelines.errors import SourceNotAllowed
from pipelines.sources.reach import Reach
from serve.events.sinks import http, posting
from serve.events.sinks.base import Outcome
from serve.events.sinks.posting import Poster
from serve.events.sinks.webhook import WebhookSink, WebhookTarget
from tests.serve.events.documented import check

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
URL = "http://till.example.invalid/hook"
NEAR = Reach((), ("127.0.0.0/8",), setting="events.networks")


def event(number: int) -> NumberedEvent:
    data = {"line": "door", "direction": "in", "track": number}
    context = EventContext("shop", "berlin", 1, "nanodet-g")
    return NumberedEvent(number, Event(identity(number), "footfall.crossing.v1", context, "door", 10.0, data), 11.0)


def answered(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"thanks"))


def send(
    answer: Callable[[httpx.Request], httpx.Response], *events: NumberedEvent, at_once: int = 1, **fields: Any
) -> Outcome:
    async def whole() -> Outcome:
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        made = {"secret": SECRET, "authorization": None, **fields}
        poster = Poster(URL, made["authorization"], client)
        sink = WebhookSink(poster, made["secret"], at_once, wall_clock=lambda: 1000.7)
        try:
            return await sink.send(events)
        finally:
            await sink.close()

    return asyncio.run(whole())


def test_a_request_is_a_cloud_event_that_is_signed_as_standard_webhooks_are() -> None:
    """The signature is made here a second time, by the words of the specification."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answered(204)

    assert send(answer, event(7), authorization="Bearer till") == Outcome(1)
    (request,) = requests
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["authorization"] == "Bearer till"
    assert json.loads(request.content)["id"] == request.headers["webhook-id"] == identity(7)
    assert request.headers["webhook-timestamp"] == "1000"
    signed = f"{identity(7)}.1000.".encode() + request.content
    mine = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{mine}"


def test_without_a_secret_nothing_is_signed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "webhook-signature" not in request.headers
        return answered(200)

    assert send(answer, event(1), secret=None) == Outcome(1)


def test_several_come_as_a_list_and_with_the_same_id_each_time() -> None:
    names: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        names.append(request.headers["webhook-id"])
        assert request.headers["content-type"] == "application/cloudevents-batch+json"
        sent = check("webhook", json.loads(request.content))
        assert [one["data"]["track"] for one in sent] == [1, 2, 3]
        return answered(200)

    for _ in range(2):
        assert send(answer, event(1), event(2), event(3), at_once=10) == Outcome(3)
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Outcome(1)),
        (500, {}, Outcome(0, error="till.example.invalid answers 500", answered=True)),
        (503, {"Retry-After": "7"}, Outcome(0, error="till.example.invalid answers 503", answered=True, pause_s=7.0)),
        (503, {"Retry-After": "soon"}, Outcome(0, error="till.example.invalid answers 503", answered=True)),
        (429, {}, Outcome(0, error="till.example.invalid answers 429", answered=True)),
        (401, {}, Outcome(0, error="till.example.invalid answers 401: its address or its secret is wrong")),
        (404, {}, Outcome(0, error="till.example.invalid answers 404: its address or its secret is wrong")),
        (302, {"Location": "http://169.254.169.254/"}, None),
        (422, {}, Outcome(1, [(event(1), "till.example.invalid answers 422")])),
    ],
)
def test_what_is_made_of_an_answer(status: int, headers: dict[str, str], outcome: Outcome | None) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answered(status, headers=headers)

    expected = outcome or Outcome(0, error="till.example.invalid answers 302: its address or its secret is wrong")
    assert send(answer, event(1)) == expected
    assert asked == [URL]  # nobody is followed elsewhere


def test_of_a_list_that_is_refused_the_one_that_is_wrong_is_found() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return answered(422 if any(one["data"]["track"] == 2 for one in json.loads(request.content)) else 200)

    outcome = send(answer, event(1), event(2), event(3), at_once=10)
    assert (outcome.done, [one.number for one, _ in outcome.refused]) == (3, [2])


def test_a_receiver_that_goes_away_in_the_middle_of_that_gets_the_rest_later() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        tracks = [one["data"]["track"] for one in json.loads(request.content)]
        if tracks == [3]:
            raise httpx.ConnectError("refused")
        return answered(422 if 2 in tracks else 200)

    outcome = send(answer, event(1), event(2), event(3), event(4), at_once=10)
    assert (outcome.done, [one.number for one, _ in outcome.refused]) == (2, [2])
    assert outcome.error == "till.example.invalid does not answer: refused"


class Slow(BaseHTTPRequestHandler):
    """Says whatever it says, byte by byte for ever."""

    protocol_version = "HTTP/1.1"
    stop = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        while not self.stop.wait(0.05):
            self.wfile.write(b".")

    def log_message(self, *_: object) -> None: ...


class Baker(BaseHTTPRequestHandler):
    """Gives everybody a cookie, and notes who has one already."""

    cookies: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.cookies.append(self.headers["Cookie"])
        self.send_response(204)
        self.send_header("Set-Cookie", "visit=1; Path=/")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        Slow.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
        Slow.stop.clear()


@pytest.fixture
def slow() -> Iterator[int]:
    with served(Slow) as port:
        yield port


def try_sending(url: str, reach: Reach) -> Outcome:
    async def whole() -> Outcome:
        sink = WebhookTarget.model_validate({"type": "webhook", "url": url}).open_trial(reach)
        try:
            return await sink.send([event(1)])
        finally:
            await sink.close()

    return asyncio.run(whole())


def test_who_answers_for_ever_is_left(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "WHOLE_S", 0.3)
    outcome = try_sending(f"http://127.0.0.1:{slow}/", NEAR)
    assert outcome == Outcome(0, error="127.0.0.1 does not answer: it takes too long")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",  # the same once more
        "http://8.8.8.8/",
        "http://inside.example.invalid/",
        "http://rebinding.example.invalid/",
    ],
)
def test_nothing_is_sent_to_where_nothing_may_be_sent(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked at when they are resolved, and only what was looked at is connected to."""
    connected: list[Any] = []

    async def connect(_: object, host: str, *args: object, **options: object) -> None:
        connected.append(host)
        raise AssertionError("connected")

    monkeypatch.setattr(http.httpcore.AnyIOBackend, "connect_tcp", connect)
    addresses = {"inside.example.invalid": ["10.0.0.5"], "rebinding.example.invalid": ["127.0.0.1", "10.0.0.5"]}
    reach = Reach((), ("127.0.0.0/8",), resolve=lambda host: addresses[host], setting="events.networks")
    outcome = try_sending(url, reach)
    assert outcome.done == 0
    assert "events.networks" in (outcome.error or "")
    assert connected == []
    target = WebhookTarget.model_validate({"type": "webhook", "url": url})
    if "example" not in url:
        with pytest.raises(SourceNotAllowed, match=r"events\.networks"):
            target.check(reach)


def test_no_cookie_is_kept() -> None:
    async def whole(port: int) -> None:
        target = WebhookTarget.model_validate({"type": "webhook", "url": f"http://127.0.0.1:{port}/"})
        sink = target.open_trial(NEAR)
        assert [await sink.send([event(number)]) for number in (1, 2)] == [Outcome(1), Outcome(1)]
        await sink.close()

    with served(Baker) as port:
        asyncio.run(whole(port))
    assert Baker.cookies == [None, None]


def test_a_name_that_nobody_answers_for_holds_up_no_other_sink() -> None:
    answers = threading.Event()

    def resolve(host: str) -> list[str]:
        if host == "stuck.example.invalid":
            answers.wait(20)
        return ["127.0.0.1"]

    async def whole(port: int) -> None:
        reach = Reach((), ("127.0.0.0/8",), resolve=resolve)
        stuck, well = (
            WebhookTarget.model_validate({"type": "webhook", "url": f"http://{host}:{port}/"}).open_trial(reach)
            for host in ("stuck.example.invalid", "well.example.invalid")
        )
        waiting = asyncio.create_task(stuck.send([event(1)]))
        await asyncio.sleep(0)
        assert await well.send([event(1)]) == Outcome(1)
        assert not waiting.done()
        answers.set()
        assert await waiting == Outcome(1)
        await stuck.close()
        await well.close()

    with served(Baker) as port:
        asyncio.run(whole(port))


def test_a_name_is_asked_for_once_a_connection_and_not_again(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(posting, "WHOLE_S", 0.3)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nobody minds it

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    outcome = try_sending(f"http://till.example.invalid:{slow}/", Reach((), ("127.0.0.0/8",), resolve=resolve))
    assert outcome.error == "till.example.invalid does not answer: it takes too long"  # it was reached
    assert asked == ["till.example.invalid"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "ftp://till/"}, "must look like"),
        ({"url": "http://till /"}, "white space|cannot be read"),
        ({"url": "http://[::1/"}, "cannot be read"),
        ({"url": "http://user:pass@till/"}, "authorization"),
        ({"secret": "hunter2"}, "24 to 64 bytes"),
        ({"secret": "whsec_" + base64.b64encode(b"short").decode()}, "24 to 64 bytes"),
        ({"authorization": "Bearer a\r\nX: y"}, "printable"),
        ({"at_once": 0}, "greater than"),
        ({"nobody": 1}, "not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        WebhookTarget.model_validate({"type": "webhook", "url": URL, **fields})
    assert "hunter2" not in str([error["msg"] for error in caught.value.errors()])


def test_secrets_are_hidden_and_come_back_as_they_were_shown_but_not_for_another_place() -> None:
    target = WebhookTarget.model_validate(
        {"type": "webhook", "url": URL + "?key=s3cret", "secret": SECRET, "authorization": "Bearer x"}
    )
    shown = target.redacted()
    assert (shown["secret"], shown["authorization"]) == ("***", "***")
    assert "s3cret" not in str(shown) + repr(target) + target.place
    assert target.model_copy(update={"url": "https://hooks.slack.com/services/T0/B0/s3cret"}).place.endswith("/***")
    back = WebhookTarget.model_validate(shown)
    assert back.with_secrets_of(target) == target
    elsewhere = back.model_copy(update={"url": "http://192.0.2.7/hook"})
    assert elsewhere.with_secrets_of(target).secret == "***"
