"""Alert rules over the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.alerts.book import Problem
from analytics.alerts.rules import RULES
from analytics.events import ALERT_CLEARED
from analytics.storage.alerts import DatabaseAlertStore
from analytics.storage.outbox import DatabaseOutbox
from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.settings import load
from tests.serve.api.conftest import BrokenStore, LocalRegistry
from tests.serve.api.test_alerts import wait_alerts, wrong
from tests.serve.api.test_streams import problem_of
from tests.waiting import wait_until

__all__ = ["wrong"]
PATH = "/api/v1/alert-rules"
DOWN = f"{PATH}/camera-down"


def rules(api: TestClient) -> dict[str, dict[str, Any]]:
    """By name, once they are known."""
    wait_until(lambda: api.get(PATH).status_code == 200, 10, "the rules")
    return {rule["name"]: rule for rule in api.get(PATH).json()}


def test_all_rules_are_listed_with_what_holds_and_who_says_so(api: TestClient) -> None:
    found = rules(api)
    assert list(found) == sorted(RULES)
    rule = found["camera-down"]
    assert (rule["severity"], rule["hold_s"], rule["clear_s"], rule["cooldown_s"]) == ("critical", 30.0, 20.0, 600.0)
    assert (rule["enabled"], rule["only_open"]) == (True, False)
    assert rule["summary"]
    assert rule["advice"]
    assert set(rule["origins"].values()) == {"default"}


def test_a_change_takes_the_place_of_the_one_before_and_can_be_taken_back(api: TestClient) -> None:
    before = rules(api)["camera-down"]
    first = api.put(DOWN, json={"hold_s": 90, "severity": "warning"})
    assert first.status_code == 200
    assert (first.json()["hold_s"], first.json()["severity"]) == (90.0, "warning")
    second = api.put(DOWN, json={"clear_s": 5, "severity": None})
    assert (second.json()["hold_s"], second.json()["severity"], second.json()["clear_s"]) == (30.0, "critical", 5.0)
    assert {name for name, origin in second.json()["origins"].items() if origin == "api"} == {"clear_s"}
    assert rules(api)["camera-down"] == second.json()
    for _ in range(2):
        assert api.delete(DOWN).status_code == 204
    assert rules(api)["camera-down"] == before


def test_an_alert_of_a_rule_that_is_switched_off_is_over(
    api: TestClient, camera: str, store: BrokenStore, wrong: list[Problem]
) -> None:
    rules(api)
    assert api.put(DOWN, json={"hold_s": 0}).status_code == 200
    wrong += [Problem("camera-down", camera, "nobody answers"), Problem("camera-moved", camera, "to the right")]
    wait_until(lambda: any(one["state"] == "active" for one in wait_alerts(api, 2)), 10, "an alert")
    assert api.put(DOWN, json={"enabled": False}).json()["enabled"] is False
    (left,) = wait_alerts(api, 1)
    assert left["rule"] == "camera-moved"

    def told() -> list[str]:
        outbox = DatabaseOutbox(store)
        outbox.number()
        return [one.event.type for one in outbox.after(0, 10) if one.event.data.get("rule") == "camera-down"]

    wait_until(lambda: told()[-1:] == [ALERT_CLEARED], 10, "its end to be told")


def test_changes_outlive_the_registry_and_stand_above_the_settings(tmp_path: Path, store: BrokenStore) -> None:
    settings = load(
        None,
        data_dir=str(tmp_path),
        monitoring={"alerts": {"camera-down": {"hold_s": 70, "clear_s": 50}, "camera-moved": {"enabled": False}}},
    )

    def started() -> TestClient:
        app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
        return TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 40000))

    with started() as api:
        assert rules(api)["camera-moved"]["enabled"] is False
        assert api.put(DOWN, json={"hold_s": 10}).status_code == 200
        assert api.put(f"{PATH}/camera-moved", json={"enabled": True}).status_code == 200
    with started() as api:
        found = rules(api)
        assert (found["camera-down"]["hold_s"], found["camera-down"]["clear_s"]) == (10.0, 50.0)
        assert found["camera-down"]["origins"]["clear_s"] == "settings"
        assert found["camera-moved"]["enabled"] is True
        assert api.delete(DOWN).status_code == 204
        assert rules(api)["camera-down"]["hold_s"] == 70.0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"hold_s": -1}, "hold_s"),
        ({"hold_s": "60"}, "hold_s"),
        ({"hold_s": True}, "hold_s"),
        ({"clear_s": 1e9}, "clear_s"),
        ({"cooldown_s": 8 * 86_400}, "cooldown_s"),
        ({"severity": "urgent"}, "severity"),
        ({"enabled": 1}, "enabled"),
        ({"only_open": "yes"}, "only_open"),
        ({"summary": "x"}, "summary"),
        ([], ""),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_that_is_wrong(
    api: TestClient, store: BrokenStore, body: Any, says: str
) -> None:
    rules(api)
    answer = api.put(DOWN, json=body)
    problem_of(answer, 422, "invalid")
    assert says in answer.text
    assert DatabaseAlertStore(store).rules() == {}


def test_there_are_no_rules_but_those(api: TestClient) -> None:
    rules(api)
    problem_of(api.put(f"{PATH}/camera-gone", json={"enabled": False}), 404, "unknown-alert-rule")
    problem_of(api.delete(f"{PATH}/camera-gone"), 404, "unknown-alert-rule")


def test_without_the_database_rules_are_shown_and_none_is_changed(api: TestClient, store: BrokenStore) -> None:
    before = rules(api)
    store.away = True
    try:
        assert rules(api) == before
        problem_of(api.put(DOWN, json={"enabled": False}), 503, "store-unavailable")
    finally:
        store.away = False
    assert rules(api) == before


@pytest.mark.parametrize("token", ["an-admins-token"])
def test_who_changes_a_rule_is_in_the_audit_log(api: TestClient, token: str) -> None:
    api.headers["Authorization"] = f"Bearer {token}"
    rules(api)
    api.put(DOWN, json={"hold_s": 60})
    api.put(DOWN, json={"hold_s": -1})
    api.delete(DOWN)
    entries = [(one["action"], one["subject"], one["status"]) for one in api.get("/api/v1/audit").json()]
    assert entries == [
        ("delete_alert_rule", "camera-down", 204),
        ("put_alert_rule", "camera-down", 422),
        ("put_alert_rule", "camera-down", 200),
    ]
