"""Alerts and silences over the API, and how all streams are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.alerts.book import Problem
from analytics.drift.causes import Verdict
from analytics.events import identity
from analytics.storage.alerts import AlertRecord, DatabaseAlertStore
from pipelines.sources.supervisor import StreamState
from serve.control import alert_keeping
from serve.control.entry import StreamEntry
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus
from tests.serve.api.conftest import BrokenStore
from tests.serve.api.test_streams import problem_of
from tests.waiting import wait_until

ALERTS, SILENCES = "/api/v1/alerts", "/api/v1/silences"
NOON_S = 1_790_510_400.0


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    """What is wrong, as the registry finds it."""
    found: list[Problem] = []
    monkeypatch.setattr(alert_keeping, "problems", lambda *_: list(found))
    monkeypatch.setattr(alert_keeping, "is_judged", lambda *_: True)
    return found


def wait_alerts(api: TestClient, number: int) -> list[dict[str, Any]]:
    def there() -> list[dict[str, Any]] | None:
        answer = api.get(ALERTS)
        return answer.json() if answer.status_code == 200 and len(answer.json()) == number else None

    if number == 0:
        wait_until(lambda: there() is not None, 10, "no alert")
        return []
    return wait_until(there, 10, f"{number} alerts")  # type: ignore[return-value]


def test_what_is_wrong_is_listed_with_its_reason_and_what_to_do(
    api: TestClient, camera: str, wrong: list[Problem]
) -> None:
    wait_alerts(api, 0)
    wrong += [Problem("camera-moved", camera, "5% to the right"), Problem("camera-down", camera, "nobody answers")]
    first, second = wait_alerts(api, 2)
    assert (first["rule"], first["about"], first["severity"], first["state"]) == (
        "camera-down",
        camera,
        "critical",
        "pending",
    )
    assert first["detail"] == "nobody answers"
    assert first["summary"]
    assert first["advice"]
    assert second["rule"] == "camera-moved"


def test_somebody_can_say_that_he_knows(api: TestClient, camera: str, wrong: list[Problem]) -> None:
    wait_alerts(api, 0)
    wrong.append(Problem("camera-down", camera, "nobody answers"))
    (alert,) = wait_alerts(api, 1)
    answer = api.post(f"{ALERTS}/{alert['id']}/acknowledge")
    assert answer.status_code == 200
    assert answer.json()["acknowledged_by"] is not None
    assert answer.json()["acknowledged"]
    (alert,) = api.get(ALERTS).json()
    assert alert["acknowledged_by"] == answer.json()["acknowledged_by"]


def test_what_is_silenced_is_still_listed_and_the_silence_can_be_called_off(
    api: TestClient, camera: str, wrong: list[Problem]
) -> None:
    wait_alerts(api, 0)
    wrong.append(Problem("camera-down", camera, "nobody answers"))
    wait_alerts(api, 1)
    until = time.time() + 3600
    body = {"about": camera, "until": str(until), "reason": "it is rebuilt"}
    made = api.post(SILENCES, json=body)
    assert made.status_code == 201
    assert made.json()["reason"] == "it is rebuilt"
    assert made.json()["about"] == camera
    assert "from" in made.json()
    assert api.get(SILENCES).json() == [made.json()]
    assert [alert["silenced"] for alert in api.get(ALERTS).json()] == [True]
    assert api.delete(f"{SILENCES}/{made.json()['id']}").status_code == 204
    assert api.get(SILENCES).json() == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "until"),
        ({"until": "2020-01-01", "reason": "x"}, "over already"),
        ({"until": "tomorrow", "reason": "x"}, "neither ISO 8601"),
        ({"until": "2099-01-01", "reason": "x"}, "within 30 days"),
        ({"until": "1e999", "reason": "x"}, "out of range"),
        ({"until": str(time.time() + 3600), "reason": ""}, "reason"),
        ({"until": str(time.time() + 3600), "reason": "x", "rule": "no-such-rule"}, "no alert rule"),
        ({"until": str(time.time() + 3600), "reason": "x", "about": 7}, "about"),
        ({"until": str(time.time() + 3600), "reason": "x", "about": "nobody"}, "no stream"),
        ({"until": str(time.time() + 3600), "reason": "x", "extra": 7}, "extra"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_with_a_reason(
    api: TestClient, wrong: list[Problem], body: dict[str, Any], says: str
) -> None:
    wait_alerts(api, 0)
    answer = api.post(SILENCES, json=body)
    assert answer.status_code == 422, answer.text
    assert says in answer.text
    assert api.get(SILENCES).json() == []


@pytest.mark.parametrize("path", [f"{ALERTS}/{'0' * 32}/acknowledge"])
def test_an_alert_that_is_not_on_cannot_be_acknowledged(api: TestClient, wrong: list[Problem], path: str) -> None:
    wait_alerts(api, 0)
    problem_of(api.post(path), 404, "unknown-alert")
    problem_of(api.delete(f"{SILENCES}/{'0' * 32}"), 404, "unknown-silence")


def test_without_the_database_what_is_on_is_shown_and_nothing_can_be_changed(
    api: TestClient, camera: str, store: BrokenStore, wrong: list[Problem]
) -> None:
    wait_alerts(api, 0)
    wrong.append(Problem("camera-down", camera, "nobody answers"))
    (alert,) = wait_alerts(api, 1)
    store.away = True
    try:
        assert [one["id"] for one in api.get(ALERTS).json()] == [alert["id"]]
        problem_of(api.post(f"{ALERTS}/{alert['id']}/acknowledge"), 503, "store-unavailable")
        problem_of(api.get(f"{ALERTS}/history"), 503, "store-unavailable")
    finally:
        store.away = False


@pytest.fixture
def past(api: TestClient, store: BrokenStore) -> Iterator[list[AlertRecord]]:
    records = [
        AlertRecord(identity(n), "camera-down", f"cam{n % 2}", "critical", "Down.", "x", NOON_S + n, NOON_S + n + 30)
        for n in range(7)
    ]
    records[0] = replace(records[0], cleared_s=NOON_S + 600, acknowledged_by="anna", acknowledged_s=NOON_S + 60)
    DatabaseAlertStore(store).save({"format": 1, "time_s": None, "alerts": [], "silences": []}, records, ())
    return records


def test_history_comes_in_pages_the_newest_first(api: TestClient, past: list[AlertRecord]) -> None:
    found: list[str] = []
    path = f"{ALERTS}/history?limit=3"
    for _ in range(3):
        answer = api.get(path)
        assert answer.status_code == 200
        found += [alert["id"] for alert in answer.json()]
        if "link" not in answer.headers:
            break
        path = f"{ALERTS}/history{answer.headers['link'].partition('<')[2].partition('>')[0]}"
    assert found == [record.id for record in reversed(past)]


def test_history_of_one_camera_has_no_others_on_any_page(api: TestClient, past: list[AlertRecord]) -> None:
    first = api.get(f"{ALERTS}/history?about=cam1&limit=2")
    rest = api.get(f"{ALERTS}/history{first.headers['link'].partition('<')[2].partition('>')[0]}")
    assert {alert["about"] for alert in first.json() + rest.json()} == {"cam1"}
    assert len(first.json() + rest.json()) == 3


def test_history_says_when_it_was_over_and_who_knew(api: TestClient, past: list[AlertRecord]) -> None:
    oldest = api.get(f"{ALERTS}/history?limit=100").json()[-1]
    assert oldest["cleared"] == "2026-09-27T12:10:00Z"
    assert (oldest["acknowledged_by"], oldest["acknowledged"]) == ("anna", "2026-09-27T12:01:00Z")


@pytest.mark.parametrize("query", ["limit=0", "limit=99999", "before=x", f"before=1.2.3-{'0' * 32}", "about=a%20b"])
def test_a_page_that_cannot_be_is_refused(api: TestClient, query: str) -> None:
    assert api.get(f"{ALERTS}/history?{query}").status_code == 422


# -- the fleet


@pytest.fixture
def running(api: TestClient, camera: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The camera, as if a reader had told how it is."""
    verdict = Verdict("moved", "5% to the right", NOON_S)
    drift = DriftReport((verdict,), True, False, True, {"luma": 4.5}, 3)
    status = StreamStatus(StreamState.RUNNING, NOON_S, fps_in=15.0, fps_processed=5.0, frame_age_s=0.25, drift=drift)
    monkeypatch.setattr(StreamEntry, "_status", lambda *_: status)
    return camera


def test_throughput_is_that_of_all_and_of_each(api: TestClient, running: str) -> None:
    found = api.get("/api/v1/monitoring/throughput").json()
    assert found["states"] == {"running": 1}
    assert (found["fps_in"], found["fps_processed"], found["oldest_frame_s"]) == (15.0, 5.0, 0.25)
    (stream,) = found["streams"]
    assert (stream["id"], stream["fps_in"], stream["state"]) == (running, 15.0, "running")


def test_throughput_can_be_that_of_one_site(api: TestClient, running: str) -> None:
    assert api.get("/api/v1/monitoring/throughput?site=elsewhere").json()["streams"] == []


def test_drift_names_cause_detail_and_time(api: TestClient, running: str) -> None:
    (found,) = api.get("/api/v1/monitoring/drift").json()
    assert found["verdicts"] == [{"cause": "moved", "detail": "5% to the right", "since": "2026-09-27T12:00:00Z"}]
    assert (found["version"], found["proposes_renewal"], found["judges_people"]) == (3, True, False)
    assert api.get("/api/v1/monitoring/drift?wrong=true").json() == [found]
    assert api.get(f"/api/v1/monitoring/streams/{running}/drift").json() == found


def test_of_a_stream_that_nobody_has_nothing_is_known(api: TestClient, camera: str) -> None:
    (found,) = api.get("/api/v1/monitoring/drift").json()
    assert (found["verdicts"], found["judges_pictures"], found["features"]) == ([], False, {})
    assert api.get("/api/v1/monitoring/drift?wrong=true").json() == []
    assert api.get(f"/api/v1/monitoring/streams/{camera}/history").json() == []


def test_a_new_view_is_a_new_version_that_outlives_the_registry(
    api: TestClient, camera: str, store: BrokenStore
) -> None:
    for version in (2, 3):
        assert api.post(f"/api/v1/streams/{camera}/reference").status_code == 202
        record = store.get_stream(camera)
        assert record is not None
        assert record.reference_version == version


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/streams/nobody/reference"),
        ("get", "/api/v1/monitoring/streams/nobody/drift"),
        ("get", "/api/v1/monitoring/streams/nobody/history"),
    ],
)
def test_of_a_stream_that_there_is_not_one_hears_so(api: TestClient, method: str, path: str) -> None:
    problem_of(api.request(method, path), 404, "unknown-stream")
