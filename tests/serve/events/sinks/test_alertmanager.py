"""Alerts as Alertmanager is told of them: which, how often, and what becomes of those that it does not take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pydantic import ValidationError

from analytics.events import ALERT_CLEARED, ALERT_RAISED, TEST, Event, EventContext, identity
from analytics.storage.alerts import AlertRecord
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import EventFilter, NumberedEvent
from pipelines.errors import SourceNotAllowed
from pipelines.sources.reach import Reach
from serve.events.definition import SinkDefinition
from serve.events.sinks.alertmanager import AT_ONCE, REPEAT_S, AlertmanagerSink, AlertmanagerTarget
from serve.events.sinks.base import Outcome, SinkContext
from tests.fakes import MemoryAlertStore, MemoryOutbox, MemoryStore
from tests.serve.events.sinks.test_webhook import NEAR

NOON_S = 1_790_510_400.0
NOON = "2026-09-27T12:00:00.000000Z"
BOOK = {"format": 1}


def record(number: int = 1, subject: str = "door", told: bool = True, **fields: Any) -> AlertRecord:
    made = AlertRecord(
        identity("alert", number, subject),
        "camera-down",
        subject,
        "critical",
        "The camera cannot be reached.",
        "nobody answers",
        NOON_S,
        NOON_S + 30,
        told=told,
    )
    return replace(made, **fields)


def event(number: int, about: AlertRecord, kind: str = ALERT_RAISED, time_s: float = NOON_S + 30) -> NumberedEvent:
    data = {
        "alert": about.id,
        "severity": about.severity,
        "summary": about.summary,
        "rule": about.rule,
        "about": about.subject,
        "detail": about.detail,
    }
    if kind == ALERT_RAISED:
        data["advice"] = "Look."
    context = EventContext(about.subject, "" if about.subject == "service" else "berlin", 0, "")
    return NumberedEvent(number, Event(identity("event", number), kind, context, "", time_s, data), time_s)


class Manager:
    """Stands in for Alertmanager.

    Attributes:
        posts: what it was sent, request for request.
        headers: of the newest request.
        status: that it answers; a function is asked with the alerts.
    """

    def __init__(self) -> None:
        self.posts: list[list[dict[str, Any]]] = []
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}
        self.status: int | Callable[[list[dict[str, Any]]], int] = 200
        self.url = ""

    @property
    def alerts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest of each, by severity and stream."""
        found = [one for post in self.posts for one in post]
        return {(one["labels"]["severity"], one["labels"].get("stream", "")): one for one in found}

    def take(self, path: str, headers: dict[str, str], alerts: list[dict[str, Any]]) -> int:
        self.paths.append(path)
        self.headers = headers
        status = self.status if isinstance(self.status, int) else self.status(alerts)
        if status == 200:
            self.posts.append(alerts)
        return status


@contextmanager
def listening(manager: Manager, port: int = 0) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(manager.take(self.path, dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    manager.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    made = Manager()
    with listening(made):
        yield made


class Desk:
    """A sink with what it is opened with."""

    def __init__(self, manager: Manager, wanted: EventFilter | None = None, **fields: Any) -> None:
        document = {"type": "alertmanager", "url": manager.url, **fields}
        definition = SinkDefinition.model_validate({"target": document})
        self.target = definition.target
        self.store = MemoryStore()
        self.alerts = MemoryAlertStore(self.store)
        self.wanted = wanted or definition.wanted
        self.streams = [StreamRecord("door", {"site": "berlin"}), StreamRecord("till", {"site": "berlin"})]
        self.now_s = NOON_S + 60
        self.sink = self.open()

    def open(self) -> AlertmanagerSink:
        streams, outbox = (lambda: self.streams), MemoryOutbox(self.store)
        sink = self.target.open(SinkContext("main", NEAR, outbox, streams, self.alerts, self.wanted, 0))
        assert isinstance(sink, AlertmanagerSink)
        sink._clock = sink._wall_clock = lambda: self.now_s
        return sink

    def keep(self, *records: AlertRecord) -> None:
        self.alerts.save(BOOK, records, ())

    async def send(self, *events: NumberedEvent) -> Outcome:
        return await self.sink.send(events)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def test_an_alert_that_is_raised_is_told_with_labels_to_route_it_by(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager, authorization="Bearer s3cret")
        desk.keep(record())
        assert await desk.send(event(1, record())) == Outcome(1)
        await desk.sink.close()

    run(test)
    assert set(manager.paths) == {"/api/v2/alerts"}
    assert manager.headers["Authorization"] == "Bearer s3cret"
    assert manager.headers["Content-Type"] == "application/json"
    (alert,) = manager.posts[0]
    assert alert["labels"] == {
        "alertname": "camera-down",
        "severity": "critical",
        "service": "footfall",
        "stream": "door",
        "site": "berlin",
    }
    assert alert["annotations"].keys() == {"summary", "description", "advice"}
    assert alert["annotations"]["description"] == "nobody answers"
    assert alert["startsAt"] == NOON
    assert "endsAt" not in alert


def test_what_is_over_has_an_end_and_is_not_said_again(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record())
        await desk.send(event(1, record()))
        desk.keep(record(cleared_s=NOON_S + 50))
        assert await desk.send(event(2, record(), ALERT_CLEARED, NOON_S + 50)) == Outcome(1)
        manager.posts.clear()
        assert await desk.send() == Outcome(0)
        await desk.sink.close()

    run(test)
    assert manager.posts == []


def test_the_end_of_an_alert_is_told_with_its_beginning_by_who_comes_next_too(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record(cleared_s=NOON_S + 50))
        await desk.send(event(2, record(), ALERT_CLEARED, NOON_S + 50))
        await desk.sink.close()

    run(test)
    (alert,) = manager.posts[0]
    assert (alert["startsAt"], alert["endsAt"]) == (NOON, "2026-09-27T12:00:50.000000Z")


def test_what_is_on_is_said_again_when_the_sink_is_left_alone_and_by_who_opens_it_anew(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record(), record(2, "service", rule="disk-full"))
        assert desk.sink.idle_s == 0.0, "nobody knows what it has heard"
        assert await desk.send() == Outcome(0)
        assert desk.sink.idle_s == REPEAT_S
        await desk.sink.close()
        desk.sink = desk.open()
        assert await desk.send() == Outcome(0)
        await desk.sink.close()

    run(test)
    first, second = manager.posts
    assert first == second
    assert [one["labels"].get("stream") for one in first] == ["door", None]
    assert all("endsAt" not in one for one in first)


def test_what_is_on_is_said_again_though_one_event_follows_another(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record(), record(2, "till"))
        await desk.send()
        manager.posts.clear()
        for number in range(7):
            desk.now_s += REPEAT_S / 3
            assert await desk.send(event(number, record(2, "till"))) == Outcome(1)
        await desk.sink.close()

    run(test)
    said = [one["labels"]["stream"] for post in manager.posts for one in post]
    assert said.count("door") == 2


def test_of_what_nobody_was_told_nothing_is_said_and_of_what_somebody_knows_it_is(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        silenced = record(1, told=False)
        known = record(2, "till", acknowledged_by="anna", acknowledged_s=NOON_S + 40)
        desk.keep(silenced, known, record(3, cleared_s=NOON_S + 40))
        await desk.send()
        await desk.sink.close()

    run(test)
    assert [[one["labels"]["stream"] for one in post] for post in manager.posts] == [["till"]]


@pytest.mark.parametrize(
    ("wanted", "streams"),
    [
        (EventFilter(), {"door", "till", None}),
        (EventFilter(streams=frozenset({"door"})), {"door"}),
        (EventFilter(streams=frozenset({"door", "service"})), {"door", None}),
        (EventFilter(types=frozenset({ALERT_RAISED})), {"door", "till", None}),
        (EventFilter(types=frozenset({ALERT_CLEARED})), set()),
    ],
)
def test_what_is_said_again_is_what_the_sink_wants(
    manager: Manager, wanted: EventFilter, streams: set[str | None]
) -> None:
    async def test() -> None:
        desk = Desk(manager, wanted)
        desk.streams = [one for one in desk.streams if not wanted.streams or one.id in wanted.streams]
        desk.keep(record(), record(2, "till"), record(3, "service"))
        await desk.send()
        await desk.sink.close()

    run(test)
    assert {one["labels"].get("stream") for post in manager.posts for one in post} == streams


def test_what_became_severer_is_another_alert_there_and_the_milder_one_is_over(manager: Manager) -> None:
    mild, severe = record(severity="warning"), record()

    async def test() -> None:
        desk = Desk(manager)
        desk.keep(mild)
        await desk.send(event(1, mild))
        desk.keep(severe)
        await desk.send(event(2, severe))
        await desk.sink.close()

    run(test)
    assert "endsAt" in manager.alerts["warning", "door"]
    assert "endsAt" not in manager.alerts["critical", "door"]


def test_while_nobody_answers_nothing_is_lost(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record())
        manager.status = 503
        outcome = await desk.send(event(1, record()))
        assert (outcome.done, outcome.error, outcome.answered) == (0, "127.0.0.1 answers 503", True)
        outcome = await desk.send()
        assert outcome.error == "127.0.0.1 answers 503"
        assert desk.sink.idle_s == 0.0, "it is tried again soon"
        manager.status = 200
        assert await desk.send(event(1, record())) == Outcome(1)
        await desk.sink.close()

    run(test)
    assert manager.posts


def test_what_is_over_by_the_time_that_somebody_answers_is_never_said_to_be_on(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record(cleared_s=NOON_S + 50))
        assert await desk.send(event(1, record())) == Outcome(1)
        await desk.sink.close()

    run(test)
    assert [[one["endsAt"] for one in post] for post in manager.posts] == [["2026-09-27T12:00:50.000000Z"]]


def test_an_alert_that_is_refused_is_no_hindrance_to_the_others(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        records = [record(number) for number in range(3)]
        desk.keep(*records)
        manager.status = lambda alerts: (
            400 if any(one["annotations"]["description"] == "bad" for one in alerts) else 200
        )
        events = [
            event(number, replace(one, detail="bad" if number == 1 else "x")) for number, one in enumerate(records)
        ]
        outcome = await desk.send(*events)
        assert (outcome.done, [one.number for one, _ in outcome.refused]) == (3, [1])
        assert outcome.refused[0][1] == "127.0.0.1 answers 400"
        await desk.sink.close()

    run(test)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_password_or_address_is_the_sinks_fault_and_no_alerts(manager: Manager, status: int) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.keep(record())
        manager.status = status
        for events in ([event(1, record())], []):
            outcome = await desk.send(*events)
            assert (outcome.done, outcome.refused) == (0, [])
            assert outcome.error == f"127.0.0.1 answers {status}: its address or its secret is wrong"
        await desk.sink.close()

    run(test)


def test_many_alerts_are_said_in_parts(manager: Manager) -> None:
    number = 2 * AT_ONCE + 7

    async def test() -> None:
        desk = Desk(manager)
        desk.streams = [StreamRecord(f"cam{one}", {}) for one in range(number)]
        desk.keep(*(record(one, f"cam{one}") for one in range(number)))
        assert await desk.send() == Outcome(0)
        await desk.sink.close()

    run(test)
    assert [len(post) for post in manager.posts] == [AT_ONCE, AT_ONCE, 7]
    assert len(manager.alerts) == number


def test_one_that_is_refused_keeps_none_of_the_next_parts_from_being_said(manager: Manager) -> None:
    number = 2 * AT_ONCE

    async def test() -> None:
        desk = Desk(manager)
        desk.streams = [StreamRecord(f"cam{one}", {}) for one in range(number)]
        desk.keep(*(record(one, f"cam{one}") for one in range(number)))
        manager.status = lambda alerts: 400 if any(one["labels"]["stream"] == "cam0" for one in alerts) else 200
        outcome = await desk.send()
        assert (outcome.done, outcome.error) == (0, "127.0.0.1 answers 400")
        await desk.sink.close()

    run(test)
    assert [len(post) for post in manager.posts] == [AT_ONCE]


def test_without_the_database_alerts_wait(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        desk.store.away = True
        for events in ([event(1, record())], []):
            outcome = await desk.send(*events)
            assert (outcome.done, outcome.answered) == (0, False)
            assert "cannot be read" in (outcome.error or "")
        await desk.sink.close()

    run(test)
    assert manager.posts == []


def test_a_clock_that_was_set_makes_no_alert_that_is_refused(manager: Manager) -> None:
    async def test() -> None:
        desk = Desk(manager)
        late = record(since_s=NOON_S + 9999, raised_s=NOON_S + 9999)
        desk.keep(late)
        await desk.send(event(1, late, time_s=NOON_S + 9999))
        await desk.send(event(2, late, ALERT_CLEARED, NOON_S + 20))
        await desk.sink.close()

    run(test)
    for alert in (one for post in manager.posts for one in post):
        assert alert["startsAt"] <= "2026-09-27T12:01:00.000000Z"
        assert alert["startsAt"] <= alert.get("endsAt", "9")


def test_who_tries_the_sink_sees_an_alert_that_goes_by_itself(manager: Manager) -> None:
    async def test() -> None:
        sink = AlertmanagerTarget.model_validate({"type": "alertmanager", "url": manager.url}).open_trial(NEAR)
        assert sink.idle_s is None
        tried = Event(identity("x"), TEST, EventContext("test", "", 0, ""), "", NOON_S, {"sink": "main"})
        assert await sink.send([NumberedEvent(1, tried, NOON_S)]) == Outcome(1)
        assert await sink.send([event(2, record())]) == Outcome(1)  # a dead letter that is sent again
        await sink.close()

    run(test)
    (alert,), (again,) = manager.posts
    assert alert["labels"] == {"alertname": "footfall-test", "severity": "info", "service": "footfall"}
    assert (alert["startsAt"], alert["endsAt"]) == (NOON, "2026-09-27T12:01:00.000000Z")
    assert again["startsAt"] == "2026-09-27T12:00:30.000000Z"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "ftp://manager/"}, "must look like"),
        ({"url": "http://user:pass@manager/"}, "authorization"),
        ({"url": "http://manager/?key=1"}, "begins"),
        ({"authorization": "Bearer a\r\nX: y"}, "printable"),
        ({"secret": "x"}, "not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AlertmanagerTarget.model_validate({"type": "alertmanager", "url": "http://manager:9093", **fields})


def test_a_path_may_stand_before_that_of_the_api_and_secrets_are_hidden() -> None:
    target = AlertmanagerTarget.model_validate(
        {"type": "alertmanager", "url": "http://proxy.example.invalid/alertmanager/", "authorization": "Bearer x"}
    )
    sink = target.open_trial(NEAR)
    assert isinstance(sink, AlertmanagerSink)
    assert sink._poster._url == "http://proxy.example.invalid/alertmanager/api/v2/alerts"
    assert target.redacted()["authorization"] == "***"
    assert AlertmanagerTarget.model_validate(target.redacted()).with_secrets_of(target) == target
    with pytest.raises(SourceNotAllowed, match=r"events\.networks"):
        AlertmanagerTarget.model_validate({"type": "alertmanager", "url": "http://8.8.8.8/"}).check(
            Reach((), ("127.0.0.0/8",), setting="events.networks")
        )


def test_it_is_told_of_alerts_and_of_nothing_else() -> None:
    target = {"type": "alertmanager", "url": "http://127.0.0.1:9093"}
    assert SinkDefinition.model_validate({"target": target}).wanted.types == {ALERT_RAISED, ALERT_CLEARED}
    only = SinkDefinition.model_validate({"target": target, "types": [ALERT_RAISED]})
    assert only.wanted.types == {ALERT_RAISED}
    with pytest.raises(ValidationError, match=r"not told of footfall\.crossing\.v1"):
        SinkDefinition.model_validate({"target": target, "types": ["footfall.crossing.v1", ALERT_RAISED]})
