"""Live pictures: what happens when everybody wants to look."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serve.streams import live_hub
from tests.serve.api.test_streams import problem_of


def test_whoever_comes_when_too_many_look_is_told_to_come_later(
    api: TestClient, camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_hub, "MAX_WATCHERS", 0)
    answer = api.get(f"/api/v1/streams/{camera}/snapshot.jpg")
    problem_of(answer, 503, "too-many-watchers")
    assert answer.headers["retry-after"]
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(f"ws://127.0.0.1:8000/api/v1/streams/{camera}/tracks") as socket,
    ):
        socket.receive_text()
    assert closed.value.code == 1013
    assert "looking" in closed.value.reason
