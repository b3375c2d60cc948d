"""What is taken as a body, and what comes with every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.api.bodies import MAX_BODY_BYTES, BodyRefused, BoundedBody
from tests.serve.api.test_streams import RTSP, problem_of

STREAM = "/api/v1/streams/door"
JSON = {"Content-Type": "application/json"}


def pieces_of(megabytes: int) -> Iterator[bytes]:
    """A body that says nothing of its length."""
    for _ in range(megabytes * 16):
        yield b" " * (1 << 16)


def test_a_body_whose_length_is_not_said_is_refused_at_the_limit(api: TestClient) -> None:
    problem_of(api.put(STREAM, content=pieces_of(3), headers=JSON), 413, "too-large")
    problem_of(api.put(STREAM, content=b" " * (MAX_BODY_BYTES + 1), headers=JSON), 413, "too-large")
    assert api.put(STREAM, json={"source": RTSP}).status_code == 201


def test_nothing_is_read_beyond_the_limit() -> None:
    pieces = pieces_of(64)
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        piece = next(pieces)
        read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    async def send(message: Any) -> None: ...

    with pytest.raises(BodyRefused):
        asyncio.run(BoundedBody(application)({"type": "http", "headers": []}, receive, send))
    assert read <= MAX_BODY_BYTES + (1 << 16)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 900 + b"]" * 900,
        b'{"source": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"lines": [' + b"[" * 60 + b"]" * 60 + b"]}",
        b'{"homography": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"[" * 100_000,
        b'{"lines": [{"id": "a", "a": [1' + b"0" * 400 + b', 0], "b": [0, 0]}]}',
        b'{"version": 1' + b"0" * 5000 + b"}",
        b'{"homography": [[NaN, 0, 0], [0, 1, 0], [0, 0, 1]]}',
        b'{"homography": [[1e300, 0, 0], [0, 1, 0], [0, 0, 1]]}',
        b'{"homography": [[1e999, 0, 0], [0, 1, 0], [0, 0, 1]]}',
        b'{"zones": [{"id": "z", "polygon": [[0, 0], [1, 0], [0.5, 0.5], [1, 1], [0, 1], [0.5, 0.5]]}]}',
        b'{"version": true}',
        b'{"version": "1"}',
        b"\xff\xfe",
        b"{",
        b"",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_json_that_makes_no_sense_is_the_callers_mistake(api: TestClient, camera: str, body: bytes) -> None:
    for path in (f"/api/v1/streams/{camera}/geometry", f"/api/v1/streams/{camera}"):
        answer = api.put(path, content=body, headers=JSON)
        assert answer.status_code == 422, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        {"analysis_fps": True},
        {"analysis_fps": "6"},
        {"analysis_fps": 121},
        {"analysis_fps": 10**400},
        {"enabled": "yes"},
        {"enabled": None},
        {"name": None},
        {"source": None},
        {"model": ""},
        {"source": {"type": "file", "path": "/x.mp4", "start_s": 1e300}},
        {"source": {"type": "file", "path": "/x.mp4", "start_s": True}},
        {"source": {"type": "simulator", "scene": {"people": True}}},
        {"source": {"type": "simulator", "scene": {"seconds": 601}}},
    ],
    ids=str,
)
def test_values_are_what_they_say_and_within_their_bounds(api: TestClient, camera: str, change: dict[str, Any]) -> None:
    problem_of(api.patch(f"/api/v1/streams/{camera}", json=change), 422, "invalid")
    problem_of(api.put(f"/api/v1/streams/{camera}", json={"source": RTSP, **change}), 422, "invalid")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/docs", 200),
        ("/static/main.js", 200),
        ("/static/nothing.js", 404),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/metrics", 200),
        ("/api/v1/streams", 200),
        ("/api/v1/streams/nobody", 404),
        ("/api/v1/streams?limit=0", 422),
        ("/api/v1/openapi.json", 200),
        ("/nowhere", 404),
    ],
)
def test_every_answer_tells_browsers_to_keep_it_from_other_sites(api: TestClient, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    is_page = path in ("/", "/docs") or path.startswith("/static")
    assert answer.headers["cache-control"] == ("no-cache" if is_page and status == 200 else "no-store")


def test_what_nobody_foresaw_is_kept_from_other_sites_too(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.api.streams.source_types", lambda: 1 / 0)
    answer = api.get("/api/v1/source-types")
    problem_of(answer, 500, "internal")
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("method", ["TRACE", "POST", "PATCH", "OPTIONS"])
def test_a_method_that_is_not_there_is_told_which_are(api: TestClient, method: str) -> None:
    answer = api.request(method, "/api/v1/streams")
    problem_of(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "HEAD, GET"
    stream = api.request("TRACE", STREAM).headers["allow"]
    assert stream == "HEAD, DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize("depth", [33, 900, 50_000])
def test_json_that_is_too_deep_is_refused_as_such_before_anything_looks_into_it(
    api: TestClient, camera: str, depth: int
) -> None:
    body = b'{"homography": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    answer = api.put(f"/api/v1/streams/{camera}/geometry", content=body, headers=JSON)
    assert "32 deep" in problem_of(answer, 422, "invalid")["detail"]
