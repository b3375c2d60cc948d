"""Who may ask, and who may ask for what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.api.credentials import Scope, new_token
from serve.api.security import PROTOCOL
from serve.settings import load
from tests.serve.api.conftest import BrokenStore, LocalRegistry
from tests.serve.api.test_streams import RTSP, problem_of

TOKEN = "correct-horse"
STREAMS = "/api/v1/streams"


@pytest.fixture
def token() -> str:
    return TOKEN


PATHS = [
    "/api/v1/streams",
    "/api/v1/streams/x",
    "/api/v1/streams/x/counts",
    "/api/v1/streams/x/snapshot.jpg",
    "/api/v1/tokens",
    "/api/v1/audit",
    "/api/v1/openapi.json",
    "/api/v1/nowhere",
    "/metrics",
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(api: TestClient, path: str) -> None:
    answer = api.get(path)
    problem_of(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    problem_of(api.get(path, headers=bearer("wrong")), 401, "unauthorized")
    problem_of(api.get(path, headers={"Authorization": f"Basic {TOKEN}"}), 401, "unauthorized")


def test_a_stranger_is_turned_away_before_his_body_is_read(api: TestClient) -> None:
    problem_of(api.put(f"{STREAMS}/x", content=b"[" * 10_000), 401, "unauthorized")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(api: TestClient, scheme: str) -> None:
    assert api.get(STREAMS, headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


def test_no_route_takes_the_token_from_its_address(api: TestClient) -> None:
    for path in PATHS:
        problem_of(api.get(path, params={"token": TOKEN}), 401, "unauthorized")
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(f"{STREAMS}/x/tracks?token={TOKEN}") as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 4401


@pytest.mark.parametrize("blank", ["", " ", "        "])
def test_a_blank_token_is_refused(api: TestClient, blank: str) -> None:
    problem_of(api.get(STREAMS, headers={"Authorization": f"Bearer {blank}"}), 401, "unauthorized")


def test_health_and_the_empty_pages_need_no_token(api: TestClient) -> None:
    assert api.get("/healthz").status_code == 200
    for address in ("/", "/docs"):
        answer = api.get(address)
        assert "Footfall" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_strangers_learn_which_part_does_not_work_and_not_why(api: TestClient, store: BrokenStore) -> None:
    store.away = True
    told = api.get("/readyz")
    assert told.status_code == 503
    assert "the database does not answer" in told.json()["problems"]
    assert "connection refused" not in told.text
    assert "connection refused" in api.get("/readyz", headers=bearer(TOKEN)).text
    assert "connection refused" not in api.get("/readyz", headers=bearer("wrong")).text


def test_a_socket_without_the_token_is_closed_with_a_reason(api: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(f"{STREAMS}/x/tracks", subprotocols=[PROTOCOL, "footfall.token.d3Jvbmc"]) as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 4401


@pytest.mark.parametrize(
    "offer", [{"headers": bearer(TOKEN)}, {"subprotocols": [PROTOCOL, "footfall.token.Y29ycmVjdC1ob3JzZQ"]}], ids=str
)
def test_a_socket_carries_its_token_as_a_header_or_as_a_subprotocol(api: TestClient, offer: dict[str, Any]) -> None:
    with api.websocket_connect(f"{STREAMS}/nobody/tracks", **offer) as socket:
        assert socket.accepted_subprotocol == (PROTOCOL if "subprotocols" in offer else None)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4404
    assert "no stream" in closed.value.reason


def test_wrong_tokens_are_throttled_and_the_right_one_still_gets_in(api: TestClient) -> None:
    for number in range(10):
        problem_of(api.get(STREAMS, headers=bearer(f"guess-{number}")), 401, "unauthorized")
    answer = api.get(STREAMS, headers=bearer("guess-again"))
    problem_of(answer, 429, "too-many-attempts")
    assert int(answer.headers["retry-after"]) >= 1
    assert api.get(STREAMS, headers=bearer(TOKEN)).status_code == 200
    problem_of(api.get(STREAMS), 401, "unauthorized")  # who offers none does not guess


@pytest.fixture
def scoped(api: TestClient, store: BrokenStore) -> dict[Scope, dict[str, str]]:
    """Headers of a token of each scope."""
    found = {}
    for scope in Scope:
        record, secret = new_token(f"a-{scope}", scope, 0.0)
        Stores.of(store).access.add_token(record)
        found[scope] = bearer(secret)
    return found


@pytest.mark.parametrize(
    ("method", "path", "body", "needed"),
    [
        ("GET", STREAMS, None, Scope.VIEWER),
        ("GET", "/metrics", None, Scope.VIEWER),
        ("GET", "/api/v1/openapi.json", None, Scope.VIEWER),
        ("PUT", f"{STREAMS}/door", {"source": RTSP}, Scope.OPERATOR),
        ("PATCH", f"{STREAMS}/door", {"name": "x"}, Scope.OPERATOR),
        ("PUT", f"{STREAMS}/door/geometry", {}, Scope.OPERATOR),
        ("POST", f"{STREAMS}/probe", {}, Scope.OPERATOR),
        ("DELETE", f"{STREAMS}/door", None, Scope.OPERATOR),
        ("DELETE", f"{STREAMS}/door?purge=true", None, Scope.ADMIN),
        ("GET", "/api/v1/alert-rules", None, Scope.VIEWER),
        ("PUT", "/api/v1/alert-rules/camera-down", {"hold_s": 60}, Scope.OPERATOR),
        ("DELETE", "/api/v1/alert-rules/camera-down", None, Scope.OPERATOR),
        ("GET", "/api/v1/tokens", None, Scope.ADMIN),
        ("POST", "/api/v1/tokens", {"name": "new", "scope": "admin"}, Scope.ADMIN),
        ("DELETE", "/api/v1/tokens/nobody", None, Scope.ADMIN),
        ("GET", "/api/v1/audit", None, Scope.ADMIN),
    ],
)
def test_a_token_allows_what_its_scope_says(
    api: TestClient, scoped: dict[Scope, dict[str, str]], method: str, path: str, body: Any, needed: Scope
) -> None:
    for scope, headers in scoped.items():
        status = api.request(method, path, json=body, headers=headers).status_code
        assert (status == 403) is not scope.allows(needed), (scope, status)


def test_every_operation_says_what_it_needs_or_is_open(api: TestClient) -> None:
    """A route that somebody adds must not be open because its router forgot to ask."""
    document = api.get("/api/v1/openapi.json", headers=bearer(TOKEN)).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            filled = path.replace("{stream}", "x").replace("{name}", "x")
            status = api.request(method, filled, json={}).status_code
            assert (status == 401) is ("security" in operation), (method, path)


def open_api(tmp_path: Path, store: BrokenStore, base: str, client: str) -> TestClient:
    """The API without a token in its settings, as somebody there sees it."""
    settings = load(None, data_dir=str(tmp_path))
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    return TestClient(app, base, client=(client, 40000), raise_server_exceptions=False)


def test_without_a_token_other_machines_are_refused(tmp_path: Path, store: BrokenStore) -> None:
    with open_api(tmp_path, store, "http://127.0.0.1:8000", "192.0.2.7") as stranger:
        problem_of(stranger.get(STREAMS), 403, "forbidden")
        assert stranger.get("/healthz").status_code == 200
    with open_api(tmp_path, store, "http://[::1]:8000", "::1") as neighbour:
        assert neighbour.get(STREAMS).status_code == 200


def test_without_a_token_pages_of_other_sites_are_refused(tmp_path: Path, store: BrokenStore) -> None:
    with open_api(tmp_path, store, "http://127.0.0.1:8000", "127.0.0.1") as browser:
        own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
        foreign = {"Origin": "https://evil.example"}
        assert browser.get(STREAMS, headers=own).status_code == 200
        problem_of(browser.get(STREAMS, headers=foreign), 403, "forbidden")
        for path in (STREAMS, "/api/v1/openapi.json", "/docs", "/"):
            problem_of(browser.get(path, headers={"Host": "evil.example:8000"}), 403, "forbidden")
        image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
        problem_of(browser.get(f"{STREAMS}/x/snapshot.jpg", headers=image), 403, "forbidden")
        assert browser.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # somebody's link to it
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            browser.websocket_connect(f"{STREAMS}/x/tracks", headers=foreign) as socket,
        ):
            socket.receive_text()
        assert closed.value.code == 4401


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/readyz", "/metrics", STREAMS, f"{STREAMS}/x", "/nowhere"])
@pytest.mark.parametrize("header", [{"Host": "[::1"}, {"Origin": "http://["}], ids=str)
def test_addresses_that_cannot_be_read_are_the_callers_mistake(
    tmp_path: Path, store: BrokenStore, path: str, header: dict[str, str]
) -> None:
    with open_api(tmp_path, store, "http://127.0.0.1:8000", "127.0.0.1") as caller:
        problem_of(caller.get(path, headers=header), 400, "malformed")


def test_with_the_first_stored_token_everybody_needs_one(tmp_path: Path, store: BrokenStore) -> None:
    with open_api(tmp_path, store, "http://127.0.0.1:8000", "127.0.0.1") as caller:
        made = caller.post("/api/v1/tokens", json={"name": "mine", "scope": "admin"})
        assert made.status_code == 201
        problem_of(caller.get(STREAMS), 401, "unauthorized")
        mine = bearer(made.json()["token"])
        assert caller.get(STREAMS, headers=mine).status_code == 200
        assert caller.delete("/api/v1/tokens/mine", headers=mine).status_code == 204
        assert caller.get(STREAMS).status_code == 200


@pytest.mark.parametrize("header", [{"Host": "[::1"}, {"Origin": "http://["}], ids=str)
def test_a_socket_from_an_address_that_cannot_be_read_is_closed_with_a_reason(
    api: TestClient, header: dict[str, str]
) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(f"{STREAMS}/x/tracks", headers={**bearer(TOKEN), **header}) as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 4401
    assert "cannot be read" in closed.value.reason
