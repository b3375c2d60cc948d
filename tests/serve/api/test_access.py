"""Who may ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serve.api.app import make_api
from serve.settings import load
from tests.serve.api.conftest import BrokenStore, LocalRegistry
from tests.serve.api.test_streams import problem_of

TOKEN = "correct-horse"


@pytest.fixture
def token() -> str:
    return TOKEN


PATHS = [
    "/api/v1/streams",
    "/api/v1/streams/x",
    "/api/v1/streams/x/counts",
    "/api/v1/streams/x/snapshot.jpg",
    "/metrics",
]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(api: TestClient, path: str) -> None:
    answer = api.get(path)
    problem_of(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    problem_of(api.get(path, headers={"Authorization": "Bearer wrong"}), 401, "unauthorized")
    problem_of(api.get(path, headers={"Authorization": f"Basic {TOKEN}"}), 401, "unauthorized")


def test_the_token_opens_by_header_and_by_query(api: TestClient) -> None:
    assert api.get("/api/v1/streams", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert api.get("/api/v1/streams", params={"token": TOKEN}).status_code == 200


def test_health_and_the_empty_pages_need_no_token(api: TestClient) -> None:
    assert api.get("/healthz").status_code == 200
    for address in ("/", "/docs"):
        answer = api.get(address)
        assert "Footfall" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_a_socket_without_the_token_is_closed_with_a_reason(api: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect("/api/v1/streams/x/tracks") as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 4401


def test_a_socket_for_no_stream_is_closed_with_a_reason(api: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(f"/api/v1/streams/nobody/tracks?token={TOKEN}") as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 4404
    assert "no stream" in closed.value.reason


def test_without_a_token_other_machines_are_refused(tmp_path: Path, store: BrokenStore) -> None:
    settings = load(None, data_dir=str(tmp_path))
    app = make_api(LocalRegistry(settings, store), store, settings)
    with TestClient(app, "http://127.0.0.1:8000", client=("192.0.2.7", 40000)) as stranger:
        problem_of(stranger.get("/api/v1/streams"), 403, "forbidden")
    with TestClient(app, "http://[::1]:8000", client=("::1", 40000)) as neighbour:
        assert neighbour.get("/api/v1/streams").status_code == 200


def test_without_a_token_pages_of_other_sites_are_refused(tmp_path: Path, store: BrokenStore) -> None:
    settings = load(None, data_dir=str(tmp_path))
    app = make_api(LocalRegistry(settings, store), store, settings)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 40000)) as browser:
        own = {"Origin": "http://127.0.0.1:8000"}
        foreign = {"Origin": "https://evil.example"}
        assert browser.get("/api/v1/streams", headers=own).status_code == 200
        problem_of(browser.get("/api/v1/streams", headers=foreign), 403, "forbidden")
        problem_of(browser.get("/api/v1/streams", headers={"Host": "evil.example:8000"}), 403, "forbidden")
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            browser.websocket_connect("/api/v1/streams/x/tracks", headers=foreign) as socket,
        ):
            socket.receive_text()
        assert closed.value.code == 4401
