"""Pictures of views over the API: only where the operator allows them, and never people who are not to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.storage.base import StreamRecord
from analytics.storage.stores import Stores
from analytics.storage.view_pictures import DatabaseViewPictures, StoredView, ViewKind
from serve.api.app import make_api
from serve.settings import load
from tests.assigning import assign
from tests.serve.api.conftest import NOON, BrokenStore, LocalRegistry
from tests.serve.api.test_streams import problem_of
from tests.waiting import wait_until

PICTURES = "/api/v1/monitoring/streams/door/pictures"
JPEG = b"\xff\xd8\x00picture"


@pytest.fixture
def allowed() -> bool:
    return True


@pytest.fixture
def privacy() -> dict[str, Any]:
    return {}


@pytest.fixture
def api(tmp_path: Path, store: BrokenStore, allowed: bool, privacy: dict[str, Any]) -> Iterator[TestClient]:
    values: dict[str, Any] = {"data_dir": str(tmp_path), "log_format": "text", "monitoring": {"pictures": allowed}}
    values["sources"] = {"networks": ["192.0.2.0/24"]}
    settings = load(None, **values, privacy=privacy)
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 40000), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def pictured(camera: str, store: BrokenStore) -> str:
    """A camera with both pictures; on the one of after, people are to be seen."""
    epoch = assign(store, camera, "reader")
    pictures = DatabaseViewPictures(store)
    assert pictures.keep(camera, epoch, StoredView(ViewKind.BEFORE, 1, NOON, True), JPEG)
    assert pictures.keep(camera, epoch, StoredView(ViewKind.AFTER, 1, NOON + 60.5, False), b"another")
    return camera


@pytest.mark.parametrize("privacy", [{"except_streams": ["door"]}])
def test_there_are_two_with_their_times(api: TestClient, pictured: str) -> None:
    assert api.get(PICTURES).json() == {
        "allowed": True,
        "pictures": [
            {"kind": "before", "captured": "2026-09-27T12:00:00Z", "version": 1, "blurred": True},
            {"kind": "after", "captured": "2026-09-27T12:01:00.500000Z", "version": 1, "blurred": False},
        ],
    }
    for kind, content, time_s in (("before", JPEG, f"{NOON}.000"), ("after", b"another", f"{NOON + 60}.500")):
        answer = api.get(f"{PICTURES}/{kind}")
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-footfall-time"] == time_s


def test_people_are_not_shown_who_were_allowed_to_be_when_it_was_taken(api: TestClient, pictured: str) -> None:
    assert [one["kind"] for one in api.get(PICTURES).json()["pictures"]] == ["before"]
    problem_of(api.get(f"{PICTURES}/after"), 404, "no-picture")


def test_what_is_not_there_is_said(api: TestClient, camera: str) -> None:
    assert api.get(PICTURES).json() == {"allowed": True, "pictures": []}
    problem_of(api.get(f"{PICTURES}/before"), 404, "no-picture")
    problem_of(api.get(f"{PICTURES}/between"), 422, "invalid")
    problem_of(api.get(PICTURES.replace("door", "roof")), 404, "unknown-stream")
    problem_of(api.get(f"{PICTURES}/before".replace("door", "roof")), 404, "unknown-stream")


def test_a_new_view_has_none_yet(api: TestClient, pictured: str) -> None:
    assert api.post("/api/v1/streams/door/reference").status_code == 202
    assert api.get(PICTURES).json()["pictures"] == []
    problem_of(api.get(f"{PICTURES}/before"), 404, "no-picture")


@pytest.mark.parametrize("allowed", [False])
def test_where_they_are_not_allowed_that_is_said_and_none_is_shown(api: TestClient, pictured: str) -> None:
    assert api.get(PICTURES).json() == {"allowed": False, "pictures": []}
    problem_of(api.get(f"{PICTURES}/before"), 404, "pictures-not-allowed")


@pytest.mark.parametrize("allowed", [False, True])
def test_those_that_are_there_go_at_the_start_where_they_are_not_allowed_any_more(
    store: BrokenStore, tmp_path: Path, allowed: bool
) -> None:
    store.put_stream(StreamRecord("door", {"source": {"type": "rtsp", "url": "rtsp://192.0.2.1/x"}}))
    pictures = DatabaseViewPictures(store)
    pictures.keep("door", assign(store, "door", "reader"), StoredView(ViewKind.BEFORE, 1, NOON, True), JPEG)
    settings = load(None, data_dir=str(tmp_path), monitoring={"pictures": allowed})
    with TestClient(
        make_api(LocalRegistry(settings, store), Stores.of(store), settings),
        "http://127.0.0.1:8000",
        client=("127.0.0.1", 1),
    ) as client:
        wait_until(lambda: client.get("/api/v1/streams/door").status_code == 200, 10, "the registry")
        assert bool(pictures.find("door")) is allowed
