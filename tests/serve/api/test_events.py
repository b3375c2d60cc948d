"""Events over HTTP: what has happened, and what happens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from analytics.storage.outbox import DatabaseOutbox
from analytics.storage.stores import Stores
from serve.api import events as events_module
from serve.api.app import make_api
from serve.events import tail as tail_module
from serve.settings import load
from tests.analytics.storage.test_outbox import crossing
from tests.serve.api.conftest import BrokenStore, LocalRegistry
from tests.serve.events.documented import check
from tests.waiting import wait_until

HISTORY, FOLLOW = "/api/v1/events/history", "/api/v1/events"


@pytest.fixture
def outbox(store: BrokenStore) -> DatabaseOutbox:
    return DatabaseOutbox(store)


def fill(outbox: DatabaseOutbox, *times: float, stream: str = "cam", site: str = "") -> None:
    outbox.append([crossing(at_s, stream, site) for at_s in times])


def sequences(answer: Any) -> list[int]:
    return [int(event["sequence"]) for event in answer.json()]


# -- what has happened


def test_what_has_happened_is_told_a_page_at_a_time(api: TestClient, outbox: DatabaseOutbox) -> None:
    fill(outbox, *range(5))
    page = api.get(HISTORY, params={"limit": 2})
    assert sequences(page) == [1, 2]
    assert page.headers["link"] == '<?limit=2&after=2>; rel="next"'
    filtered = api.get(HISTORY, params={"limit": 2, "stream": ["cam", "x"], "since": "1"})
    assert filtered.headers["link"] == '<?limit=2&stream=cam&stream=x&since=1&after=3>; rel="next"'
    last = api.get(HISTORY, params={"limit": 3, "after": 2})
    assert sequences(last) == [3, 4, 5]
    assert "link" not in last.headers
    event = last.json()[-1]
    assert (event["type"], event["stream"], event["subject"]) == ("footfall.crossing.v1", "cam", "door")


def test_who_wants_some_says_which(api: TestClient, outbox: DatabaseOutbox) -> None:
    fill(outbox, 1, 2, 3, stream="a", site="berlin")
    fill(outbox, 1, 2, 3, stream="b", site="paris")
    assert sequences(api.get(HISTORY, params={"stream": ["a", "b"], "site": "paris"})) == [4, 5, 6]
    assert sequences(api.get(HISTORY, params={"since": "1970-01-01T00:00:02Z"})) == [2, 3, 5, 6]
    assert sequences(api.get(HISTORY, params={"type": "footfall.queue.v1"})) == []


@pytest.mark.parametrize("wrong", [{"after": -1}, {"since": "yesterday"}, {"kind": "crossing"}])
@pytest.mark.parametrize("path", [HISTORY, FOLLOW])
def test_what_cannot_be_asked_is_refused(api: TestClient, wrong: dict[str, Any], path: str) -> None:
    answer = api.get(path, params=wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_has_its_bounds(api: TestClient, limit: int) -> None:
    assert api.get(HISTORY, params={"limit": limit}).status_code == 422


def test_a_last_event_that_is_no_number_is_refused(api: TestClient) -> None:
    answer = api.get(FOLLOW, headers={"Last-Event-ID": "abc"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:footfall:problem:bad-request")


@pytest.mark.parametrize("token", ["a-long-secret"])
@pytest.mark.parametrize("path", [HISTORY, FOLLOW])
def test_strangers_hear_nothing(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 401


def test_a_database_that_is_away_is_said_so(api: TestClient, store: BrokenStore) -> None:
    store.away = True
    for path in (HISTORY, FOLLOW):
        assert api.get(path).status_code == 503


def test_a_head_of_what_never_ends_comes_to_an_end(api: TestClient) -> None:
    answer = api.head(FOLLOW)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")


# -- what happens, over a WebSocket

SOCKET = "ws://127.0.0.1:8000/api/v1/events/socket"


def news(socket: WebSocketTestSession) -> Any:
    """The next message that tells more than how far it is."""
    while "position" in (message := check("socket", socket.receive_json())):
        pass
    return message


def test_a_socket_begins_with_where_it_begins(api: TestClient, outbox: DatabaseOutbox) -> None:
    fill(outbox, 1, 2)
    with api.websocket_connect(SOCKET) as socket:
        assert check("socket", socket.receive_json()) == {"position": 2}


def test_a_socket_hears_what_is_there_and_what_comes(api: TestClient, outbox: DatabaseOutbox) -> None:
    fill(outbox, 1, 2)
    with api.websocket_connect(f"{SOCKET}?after=1") as socket:
        assert news(socket)["sequence"] == f"{2:020d}"
        fill(outbox, 3, stream="other")
        assert news(socket)["stream"] == "other"
    with api.websocket_connect(f"{SOCKET}?since=0&stream=other") as socket:
        assert news(socket)["sequence"] == f"{3:020d}"


def test_a_socket_says_what_is_not_kept_any_more(api: TestClient, outbox: DatabaseOutbox) -> None:
    fill(outbox, *range(5))
    outbox.number()
    outbox.forget(0.0, keep=1)
    with api.websocket_connect(f"{SOCKET}?after=0") as socket:
        assert news(socket) == {"gap": {"after": 0, "oldest": 5}}
        assert news(socket)["sequence"] == f"{5:020d}"


def test_who_is_cut_off_before_anything_has_come_goes_on_where_he_began(
    url: str, outbox: DatabaseOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A till that waits for a long queue, for a day: what happens while the connection is down is not lost."""
    monkeypatch.setattr("serve.events.telling.POSITION_S", 0.0)
    fill(outbox, 1, 2)
    rare = {"params": {"stream": "rare"}}
    with following(url, **rare) as messages:
        ids = (message["id"] for message in messages if "id" in message)
        assert next(ids) == "2"
        fill(outbox, 3, 4)
        assert next(ids) == "4"
    fill(outbox, 5, stream="rare")
    with following(url, headers={"Last-Event-ID": "4"}, **rare) as messages:
        assert numbers(messages, 1) == [5]


def test_a_connection_ends_after_so_many_events_and_the_next_one_goes_on(
    api: TestClient, outbox: DatabaseOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MOST_AT_A_TIME", 3)
    monkeypatch.setattr(tail_module, "AT_ONCE", 3)
    fill(outbox, *range(5))
    with api.websocket_connect(f"{SOCKET}?after=0") as socket:
        assert [int(news(socket)["sequence"]) for _ in range(3)] == [1, 2, 3]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 4503
    with api.websocket_connect(f"{SOCKET}?after=3") as socket:
        assert [int(news(socket)["sequence"]) for _ in range(2)] == [4, 5]


def test_who_has_seen_more_than_there_is_hears_all_that_there_is(api: TestClient, outbox: DatabaseOutbox) -> None:
    """The database was restored, or is another."""
    fill(outbox, 1, 2)
    with api.websocket_connect(f"{SOCKET}?after=5000") as socket:
        assert news(socket) == {"gap": {"after": 5000, "oldest": 1}}
        assert [int(news(socket)["sequence"]) for _ in range(2)] == [1, 2]


NONSENSE = [
    "?kind=x",
    "?since=yesterday",
    "?after=abc",
    "?after=-1",
    "?stream=a/b",
    "?type=",
    f"?site={'x' * 300}&site=",
]


@pytest.mark.parametrize("query", NONSENSE)
def test_a_socket_that_asks_for_nonsense_is_closed(api: TestClient, query: str) -> None:
    with api.websocket_connect(SOCKET + query) as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == 4400
    assert closed.value.reason


@pytest.mark.parametrize("token", ["a-long-secret"])
def test_a_strangers_socket_is_closed(api: TestClient, token: str) -> None:
    for query in ("", "?after=abc"):
        with api.websocket_connect(SOCKET + query) as socket, pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 4401


def test_a_socket_is_closed_while_the_database_is_away(api: TestClient, store: BrokenStore) -> None:
    assert api.get("/api/v1/streams").status_code == 200
    store.away = True
    with api.websocket_connect(SOCKET) as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == 4503


# -- what happens, as server-sent events


@pytest.fixture
def url(tmp_path: Path, store: BrokenStore, token: str | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API behind a web server: a test client waits for the end of an answer."""
    monkeypatch.setattr(events_module, "PING_S", 1)
    monkeypatch.setattr(events_module, "FRESH_S", 0.1)
    monkeypatch.setattr("serve.api.credentials.FRESH_S", 0.1)
    given = {"api": {"token": token}} if token else {}
    settings = load(None, data_dir=str(tmp_path), **given)
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, 20, "the web server")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@contextmanager
def following(url: str, **options: Any) -> Iterator[Iterator[dict[str, str]]]:
    """What comes: an event each, as its fields; a comment has the field with the empty name."""
    with httpx.stream("GET", url + FOLLOW, timeout=10, **options) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"

        def messages() -> Iterator[dict[str, str]]:
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()
                elif fields:
                    yield fields
                    fields = {}

        yield messages()


def numbers(messages: Iterator[dict[str, str]], count: int) -> list[int]:
    found = (message for message in messages if "data" in message)
    return [int(message["id"]) for message in islice(found, count)]


def test_who_follows_hears_of_what_happens_from_now_on(url: str, outbox: DatabaseOutbox) -> None:
    fill(outbox, 1, 2)
    with following(url) as messages:
        assert next(messages) == {"": "events of Footfall", "retry": "2000"}
        fill(outbox, 3, 4)
        heard = list(islice((message for message in messages if "data" in message), 2))
    assert [message["id"] for message in heard] == ["3", "4"]
    event = check("events", json.loads(heard[0]["data"]))
    assert (event["specversion"], event["type"], event["sequence"]) == ("1.0", "footfall.crossing.v1", f"{3:020d}")


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"headers": {"Last-Event-ID": "2"}, "params": {"after": 0}}, 3),
        ({"params": {"after": 1}}, 2),
        ({"params": {"since": "3"}}, 3),
        ({"params": {"stream": "other", "after": 0}}, 5),
    ],
)
def test_who_comes_back_goes_on_where_he_was(
    url: str, outbox: DatabaseOutbox, options: dict[str, Any], first: int
) -> None:
    fill(outbox, 1, 2, 3, 4)
    fill(outbox, 5, stream="other")
    with following(url, **options) as messages:
        assert numbers(messages, 6 - first) == list(range(first, 6))


def test_where_something_is_not_kept_any_more_that_is_said(url: str, outbox: DatabaseOutbox) -> None:
    fill(outbox, *range(10))
    outbox.number()
    outbox.forget(0.0, keep=3)
    with following(url, params={"after": 2}) as messages:
        gap = next(message for message in messages if "event" in message)
        assert (gap["event"], check("events", json.loads(gap["data"]))) == ("gap", {"after": 2, "oldest": 8})
        assert numbers(messages, 3) == [8, 9, 10]


def test_who_follows_is_sent_away_after_so_many_events(
    url: str, outbox: DatabaseOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MOST_AT_A_TIME", 3)
    monkeypatch.setattr(tail_module, "AT_ONCE", 3)
    fill(outbox, *range(5))
    with following(url, params={"after": 0}) as messages:
        assert [message["id"] for message in messages if "data" in message] == ["1", "2", "3"]


def test_a_silent_connection_is_kept_open(url: str) -> None:
    with following(url) as messages:
        next(messages)
        assert next(messages) == {"id": "0"}
        assert next(messages)[""].startswith("ping")


def test_who_follows_while_the_database_is_away_misses_nothing(
    url: str, outbox: DatabaseOutbox, store: BrokenStore
) -> None:
    with following(url) as messages:
        assert (next(messages).get("retry"), next(messages).get("id")) == ("2000", "0")
        store.away = True
        assert "" in next(messages)  # a ping
        store.away = False
        fill(outbox, 1, 2)
        assert numbers(messages, 2) == [1, 2]


@pytest.mark.parametrize("token", ["a-long-secret"])
def test_who_loses_his_token_hears_no_more(url: str) -> None:
    admin = {"Authorization": "Bearer a-long-secret"}
    made = httpx.post(f"{url}/api/v1/tokens", json={"name": "screen", "scope": "viewer"}, headers=admin)
    viewer = {"Authorization": f"Bearer {made.json()['token']}"}
    with following(url, headers=viewer) as messages:
        next(messages)
        assert httpx.delete(f"{url}/api/v1/tokens/screen", headers=admin).status_code == 204
        assert all("data" not in message for message in messages)  # to its end
    assert httpx.get(url + FOLLOW, headers=viewer).status_code == 401


def test_a_client_that_is_gone_ends_its_connection_quietly_however_the_host_tells(
    tmp_path: Path, store: BrokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(None, data_dir=str(tmp_path))
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    scope = {
        "type": "http",
        "method": "GET",
        "path": FOLLOW,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
    }
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        while "http.response.body" not in sent:
            await asyncio.sleep(0.01)
        raise ConnectionError("the client has gone")

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))  # type: ignore[arg-type]
    assert sent[:2] == ["http.response.start", "http.response.body"]
    assert caplog.messages == []
    assert app.state.event_tail.listeners == 0


def test_only_so_many_listen_at_once_and_who_hangs_up_makes_room(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MOST_LISTENERS", 1)

    def status() -> int:
        with httpx.stream("GET", url + FOLLOW, timeout=5) as answer:
            return answer.status_code

    with following(url) as messages:
        next(messages)
        wait_until(lambda: status() == 503, 5, "the second to be refused")
    wait_until(lambda: status() == 200, 10, "room")
