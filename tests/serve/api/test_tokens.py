"""Tokens over the API, and the log of who changed what."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serve.api.conftest import BrokenStore
from tests.serve.api.test_access import TOKEN, bearer
from tests.serve.api.test_streams import RTSP, problem_of

TOKENS, AUDIT, STREAMS = "/api/v1/tokens", "/api/v1/audit", "/api/v1/streams"
ADMIN = bearer(TOKEN)


@pytest.fixture
def token() -> str:
    return TOKEN


def make(api: TestClient, name: str, scope: str, **more: Any) -> dict[str, Any]:
    answer = api.post(TOKENS, json={"name": name, "scope": scope, **more}, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_token_is_shown_once_and_works_until_it_is_revoked(api: TestClient) -> None:
    secret = make(api, "shop", "viewer")["token"]
    assert api.get(STREAMS, headers=bearer(secret)).status_code == 200
    listed = api.get(TOKENS, headers=ADMIN)
    assert [(found["name"], found["scope"], found["expires"]) for found in listed.json()] == [("shop", "viewer", None)]
    assert secret not in listed.text
    assert api.delete(f"{TOKENS}/shop", headers=ADMIN).status_code == 204
    problem_of(api.get(STREAMS, headers=bearer(secret)), 401, "unauthorized")
    problem_of(api.delete(f"{TOKENS}/shop", headers=ADMIN), 404, "unknown-token")


def test_a_name_that_is_taken_is_refused(api: TestClient) -> None:
    make(api, "shop", "viewer", lifetime_s=60)
    problem_of(api.post(TOKENS, json={"name": "shop", "scope": "admin"}, headers=ADMIN), 409, "token-conflict")


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, {"name": "x", "scope": "king"}, {"name": "x", "scope": "viewer", "lifetime_s": True}]
)
def test_a_token_that_makes_no_sense_is_refused(api: TestClient, body: dict[str, Any]) -> None:
    problem_of(api.post(TOKENS, json=body, headers=ADMIN), 422, "invalid")


@pytest.mark.parametrize("name", ["settings", "this-machine"])
def test_a_token_cannot_pose_as_somebody_else(api: TestClient, name: str) -> None:
    problem_of(api.post(TOKENS, json={"name": name, "scope": "viewer"}, headers=ADMIN), 422, "bad-request")


def audited(api: TestClient, **query: Any) -> list[tuple[Any, ...]]:
    answer = api.get(AUDIT, params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return [(entry["caller"], entry["action"], entry["subject"], entry["status"]) for entry in answer.json()]


def test_the_log_tells_who_did_what_and_whether_it_was_done(api: TestClient) -> None:
    shop = bearer(make(api, "shop", "operator")["token"])
    secret_url = {"type": "rtsp", "url": "rtsp://user:s3cret@camera.example.invalid/x"}
    api.put(f"{STREAMS}/door", json={"source": secret_url}, headers=shop)
    api.patch(f"{STREAMS}/nobody", json={"name": "x"}, headers=shop)
    api.delete(f"{STREAMS}/door?purge=true", headers=shop)
    api.put(f"{STREAMS}/door", json={"source": RTSP}, headers=bearer("wrong"))
    api.get(STREAMS, headers=shop)
    assert audited(api) == [
        ("shop", "delete_stream", "door", 403),
        ("shop", "patch_stream", "nobody", 404),
        ("shop", "put_stream", "door", 201),
        ("settings", "create_token", "shop", 201),
    ]
    everything = api.get(AUDIT, headers=ADMIN).text
    assert "s3cret" not in everything
    assert shop["Authorization"].removeprefix("Bearer ") not in everything


def test_the_log_comes_in_pages(api: TestClient) -> None:
    for number in range(5):
        make(api, f"t{number}", "viewer")
    found, address = [], f"{AUDIT}?limit=2"
    while address:
        answer = api.get(address, headers=ADMIN)
        found += [entry["subject"] for entry in answer.json()]
        link = answer.links.get("next", {}).get("url", "")
        address = str(answer.url.join(link)) if link else ""
    assert found == ["t4", "t3", "t2", "t1", "t0"]


def test_what_cannot_be_written_to_the_log_is_written_to_the_other_one(
    api: TestClient, store: BrokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    assert api.put(f"{STREAMS}/door", json={"source": RTSP}, headers=ADMIN).status_code == 201
    store.away = True
    with caplog.at_level(logging.ERROR):
        problem_of(api.patch(f"{STREAMS}/door", json={"name": "x"}, headers=ADMIN), 503, "store-unavailable")
    (entry,) = [record.getMessage() for record in caplog.records if "audit" in record.getMessage()]
    assert "patch_stream" in entry
    assert "door" in entry
