"""Sinks over the API: made, looked at, tried, set right."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.events import TEST
from analytics.storage.outbox import NumberedEvent
from analytics.storage.sinks import DatabaseSinkStore, Progress, SinkRecord
from analytics.storage.stores import Stores
from pipelines.sources.reach import Reach
from serve.events import desk as desk_module
from serve.events.definition import BY_SETTINGS
from serve.events.sinks.base import Outcome
from serve.events.sinks.webhook import WebhookTarget
from tests.analytics.storage.test_outbox import crossing
from tests.serve.api.conftest import BrokenStore

SINKS = "/api/v1/sinks"
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
TARGET: dict[str, Any] = {"type": "webhook", "url": "http://127.0.0.1:9/hook", "secret": SECRET}


class Receiver:
    """What a sink of the API opens for a single event."""

    at_once, idle_s = 1, None

    def __init__(self) -> None:
        self.got: list[NumberedEvent] = []
        self.outcome = Outcome(1)
        self.open = 0

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        self.got += events
        return self.outcome

    async def close(self) -> None:
        self.open -= 1


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = Receiver()

    def open_trial(_: WebhookTarget, reach: Reach) -> Receiver:
        assert reach.setting == "events.networks"
        made.open += 1
        return made

    monkeypatch.setattr(WebhookTarget, "open_trial", open_trial)
    return made


@pytest.fixture
def stores(store: BrokenStore) -> Stores:
    return Stores.of(store)


@pytest.fixture
def sink(api: TestClient) -> str:
    assert api.put(f"{SINKS}/till", json={"name": "Till", "target": TARGET}).status_code == 201
    return "till"


def problem(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"urn:footfall:problem:{code}"
    return str(answer.json()["detail"])


def bury(stores: Stores, sink: str, count: int) -> list[int]:
    """That many dead letters; their numbers."""
    stores.outbox.append([crossing(float(number)) for number in range(count)])
    stores.outbox.number()
    events = stores.outbox.after(0, count)
    lease = stores.sinks.take(sink, "one", stores.sinks.standings()[sink])
    assert lease is not None
    stores.sinks.proceed(sink, lease, Progress(count, dead=[(one, "it answers 422") for one in events]))
    return [letter.number for letter in stores.sinks.dead_letters(sink, count)]


def test_a_sink_is_made_shown_without_its_secret_changed_and_removed(api: TestClient, stores: Stores) -> None:
    body = {"name": "Till", "types": ["footfall.queue.v1"], "streams": ["door"], "target": TARGET}
    made = api.put(f"{SINKS}/till", json=body)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["target"]["secret"], shown["place"], shown["waiting"]) == ("***", "http://127.0.0.1:9/hook", 0)
    assert SECRET not in json.dumps([record.definition for record in stores.sinks.sinks()])  # sealed
    same = api.put(f"{SINKS}/till", json={**body, "target": shown["target"]})
    assert (same.status_code, same.headers["etag"]) == (200, made.headers["etag"])
    off = api.put(f"{SINKS}/till", json={**body, "enabled": False, "target": shown["target"]})
    assert off.headers["etag"] != made.headers["etag"]
    assert [one["enabled"] for one in api.get(SINKS).json()] == [False]
    assert api.delete(f"{SINKS}/till").status_code == 204
    problem(api.get(f"{SINKS}/till"), 404, "unknown-sink")
    problem(api.delete(f"{SINKS}/till"), 404, "unknown-sink")


def test_a_secret_does_not_follow_to_another_place(api: TestClient, sink: str) -> None:
    target = {**api.get(f"{SINKS}/{sink}").json()["target"], "url": "http://127.0.0.2:9/hook"}
    problem(api.put(f"{SINKS}/{sink}", json={"target": target}), 422, "definition-refused")


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"target": {**TARGET, "url": "http://8.8.8.8/"}}, "source-not-allowed", r"events.networks"),
        ({"target": {**TARGET, "url": "http://169.254.169.254/"}}, "source-not-allowed", r"events.networks"),
        ({"types": ["footfall.crossing.v9"]}, "invalid", "there are no events of type footfall.crossing.v9"),
        ({"streams": ["no such id!"]}, "invalid", "match"),
        ({"target": {"type": "pigeon"}}, "invalid", "pigeon"),
        ({"enabled": "yes"}, "invalid", "boolean"),
        ({"sights": ["berlin"]}, "invalid", "not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(api: TestClient, change: dict[str, Any], code: str, says: str) -> None:
    detail = problem(api.put(f"{SINKS}/till", json={"target": TARGET, **change}), 422, code)
    assert says in detail
    assert SECRET not in detail
    assert api.get(SINKS).json() == []


def test_a_change_is_made_of_what_was_seen(api: TestClient, sink: str) -> None:
    seen = api.get(f"{SINKS}/{sink}").headers["etag"]
    changed = api.put(f"{SINKS}/{sink}", json={"name": "A", "target": TARGET}, headers={"If-Match": seen})
    assert changed.status_code == 200
    stale = api.put(f"{SINKS}/{sink}", json={"name": "B", "target": TARGET}, headers={"If-Match": seen})
    assert "the sink was changed" in problem(stale, 412, "precondition-failed")
    again = api.put(f"{SINKS}/{sink}", json={"target": TARGET}, headers={"If-None-Match": "*"})
    assert "a sink with this id" in problem(again, 412, "precondition-failed")
    assert api.delete(f"{SINKS}/{sink}", headers={"If-Match": seen}).status_code == 412


def test_a_new_sink_begins_now_or_where_it_is_told_and_can_go_back(api: TestClient, stores: Stores) -> None:
    stores.outbox.append([crossing(float(number)) for number in range(100, 110)])
    body = {"target": TARGET}
    assert api.put(f"{SINKS}/now", json=body).json()["after"] == 10
    assert api.put(f"{SINKS}/all?after=0", json=body).json()["waiting"] == 10
    assert api.put(f"{SINKS}/late?since=105", json=body).json()["waiting"] == 5
    assert api.post(f"{SINKS}/now/replay?after=7").json()["waiting"] == 3
    assert api.post(f"{SINKS}/now/replay?since=1970-01-01T00:01:42Z").json()["waiting"] == 8
    assert api.post(f"{SINKS}/now/replay").json()["waiting"] == 10
    problem(api.post(f"{SINKS}/nobody/replay"), 404, "unknown-sink")
    problem(api.post(f"{SINKS}/now/replay?since=monday"), 422, "bad-request")
    assert api.put(f"{SINKS}/future?after=999", json=body).json()["after"] == 10
    assert api.post(f"{SINKS}/future/replay?after=999").json()["after"] == 10
    stores.outbox.forget(0.0, 4)
    replayed = api.post(f"{SINKS}/now/replay").json()
    assert (replayed["after"], replayed["waiting"], replayed["missed"]) == (6, 4, 0)  # of that, nobody expected more
    filtered = api.put(f"{SINKS}/some?after=0", json={**body, "types": ["footfall.queue.v1"]}).json()
    assert (filtered["waiting"], filtered["lag_s"]) == (0, 0.0)


def test_how_a_sink_is_can_be_seen(api: TestClient, sink: str, stores: Stores) -> None:
    stores.outbox.append([crossing(1.0), crossing(2.0)])
    stores.outbox.number()
    lease = stores.sinks.take(sink, "one", stores.sinks.standings()[sink])
    assert lease is not None
    stores.sinks.proceed(sink, lease, Progress(1, delivered=1, error="nobody answers"))
    found = api.get(f"{SINKS}/{sink}").json()
    assert (found["deliverer"], found["after"], found["waiting"], found["delivered"]) == ("one", 1, 1, 1)
    assert (found["error"], found["error_at"] is not None, found["delivered_at"] is not None) == (
        "nobody answers",
        True,
        True,
    )


def test_a_test_says_whether_it_has_arrived(api: TestClient, sink: str, receiver: Receiver) -> None:
    assert api.post(f"{SINKS}/{sink}/test").status_code == 204
    (sent,) = receiver.got
    assert (sent.event.type, sent.event.data) == (TEST, {"sink": "till"})
    receiver.outcome = Outcome(0, error="127.0.0.1 does not answer: refused")
    assert problem(api.post(f"{SINKS}/{sink}/test"), 502, "not-delivered") == "127.0.0.1 does not answer: refused"
    receiver.outcome = Outcome(1, [(sent, "127.0.0.1 answers 422")])
    assert problem(api.post(f"{SINKS}/{sink}/test"), 502, "not-delivered") == "127.0.0.1 answers 422"
    assert receiver.open == 0
    problem(api.post(f"{SINKS}/nobody/test"), 404, "unknown-sink")


def test_dead_letters_are_read_sent_again_and_thrown_away(
    api: TestClient, sink: str, receiver: Receiver, stores: Stores
) -> None:
    first, second, third = bury(stores, sink, 3)
    letters = api.get(f"{SINKS}/{sink}/dead-letters").json()
    assert [(one["number"], one["error"]) for one in letters] == [
        (number, "it answers 422") for number in (first, second, third)
    ]
    assert letters[0]["event"]["type"] == "footfall.crossing.v1"
    page = api.get(f"{SINKS}/{sink}/dead-letters?after={first}&limit=1")
    assert [one["number"] for one in page.json()] == [second]
    assert page.headers["link"] == f'<?limit=1&after={second}>; rel="next"'
    assert "link" not in api.get(f"{SINKS}/{sink}/dead-letters?after={second}").headers
    receiver.outcome = Outcome(0, error="away")
    problem(api.post(f"{SINKS}/{sink}/dead-letters/{first}/resend"), 502, "not-delivered")
    receiver.outcome = Outcome(1)
    assert api.post(f"{SINKS}/{sink}/dead-letters/{first}/resend").status_code == 204
    assert api.delete(f"{SINKS}/{sink}/dead-letters/{second}").status_code == 204
    assert [one["number"] for one in api.get(f"{SINKS}/{sink}/dead-letters").json()] == [third]
    for gone in (first, second, 10**9):
        problem(api.post(f"{SINKS}/{sink}/dead-letters/{gone}/resend"), 404, "unknown-sink")
        problem(api.delete(f"{SINKS}/{sink}/dead-letters/{gone}"), 404, "unknown-sink")
    assert api.get(f"{SINKS}/{sink}").json()["dead_letters"] == 1


def test_two_sinks_that_would_spoil_each_other_are_refused(api: TestClient) -> None:
    target = {"type": "mqtt", "host": "127.0.0.1"}
    assert api.put(f"{SINKS}/one", json={"target": target}).status_code == 201
    assert api.put(f"{SINKS}/one", json={"name": "same", "target": target}).status_code == 200
    detail = problem(api.put(f"{SINKS}/two", json={"target": target}), 422, "definition-refused")
    assert "'one' is at 127.0.0.1:1883/footfall already" in detail
    assert api.put(f"{SINKS}/two", json={"target": {**target, "prefix": "second"}}).status_code == 201


def test_of_two_such_sinks_that_come_at_once_one_is_refused(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_looked, look = threading.Barrier(2), DatabaseSinkStore.sinks

    def sinks(store: DatabaseSinkStore) -> list[SinkRecord]:
        found = look(store)
        with suppress(threading.BrokenBarrierError):  # the other one waits for its turn
            both_have_looked.wait(0.5)
        return found

    monkeypatch.setattr(DatabaseSinkStore, "sinks", sinks)
    body = {"target": {"type": "mqtt", "host": "127.0.0.1"}}
    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(lambda name: api.put(f"{SINKS}/{name}", json=body).status_code, ("one", "two")))
    assert sorted(answers) == [201, 422]


def test_what_the_settings_say_is_not_changed_here(api: TestClient, stores: Stores) -> None:
    stores.sinks.add_sink("fixed", {"target": {**TARGET, "secret": None}, BY_SETTINGS: True}, 0)
    assert api.get(f"{SINKS}/fixed").json()["by_settings"] is True
    assert "events.sinks" in problem(api.put(f"{SINKS}/fixed", json={"target": TARGET}), 409, "sink-conflict")
    problem(api.delete(f"{SINKS}/fixed"), 409, "sink-conflict")


def test_a_sink_of_another_version_spoils_no_list_and_can_be_removed(
    api: TestClient, sink: str, stores: Stores
) -> None:
    stores.sinks.add_sink("pigeon", {"target": {"type": "pigeon", "loft": "s3cret"}}, 0)
    found = api.get(SINKS).json()
    assert [(one["id"], one["target"]["type"]) for one in found] == [("pigeon", "unknown"), (sink, "webhook")]
    assert "s3cret" not in str(found)
    assert "not understood" in problem(api.post(f"{SINKS}/pigeon/test"), 502, "not-delivered")
    assert api.delete(f"{SINKS}/pigeon").status_code == 204


def test_there_are_not_endlessly_many(api: TestClient, sink: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "MAX_SINKS", 1)
    assert api.put(f"{SINKS}/{sink}", json={"name": "known", "target": TARGET}).status_code == 200
    problem(api.put(f"{SINKS}/other", json={"target": TARGET}), 422, "definition-refused")


def test_every_type_says_what_a_form_needs(api: TestClient) -> None:
    kinds = {kind["type"]: kind for kind in api.get("/api/v1/sink-types").json()}
    assert kinds.keys() == {"alertmanager", "kafka", "mqtt", "webhook"}
    for kind in kinds.values():
        assert kind["title"]
        assert kind["description"].endswith(".")
        for name, field in kind["schema"]["properties"].items():
            assert name == "type" or field["title"], (kind["type"], name)


def test_while_the_database_is_away_that_is_said(api: TestClient, sink: str, store: BrokenStore) -> None:
    store.away = True
    for answer in (api.get(SINKS), api.put(f"{SINKS}/{sink}", json={"target": TARGET}), api.delete(f"{SINKS}/{sink}")):
        problem(answer, 503, "store-unavailable")


@pytest.mark.parametrize("token", ["an-admins-token"])
def test_who_may_only_read_reads(api: TestClient, token: str) -> None:
    admin = {"Authorization": f"Bearer {token}"}
    assert api.put(f"{SINKS}/till", json={"target": TARGET}, headers=admin).status_code == 201
    made = api.post("/api/v1/tokens", json={"name": "screen", "scope": "viewer"}, headers=admin).json()
    viewer = {"Authorization": f"Bearer {made['token']}"}
    assert api.get(f"{SINKS}/till", headers=viewer).status_code == 200
    for method, path in (
        ("PUT", "till"),
        ("DELETE", "till"),
        ("POST", "till/test"),
        ("POST", "till/replay"),
        ("POST", "till/dead-letters/1/resend"),
        ("DELETE", "till/dead-letters/1"),
    ):
        problem(api.request(method, f"{SINKS}/{path}", headers=viewer, json={"target": TARGET}), 403, "forbidden")
