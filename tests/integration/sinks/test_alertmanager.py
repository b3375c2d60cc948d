"""Alerts at a real Alertmanager, which is started anew and has forgotten everything."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from analytics.events import ALERT_CLEARED, TEST, Event, EventContext, identity
from analytics.storage.alerts import AlertRecord
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import NumberedEvent
from serve.events.definition import SinkDefinition
from serve.events.sinks.alertmanager import AlertmanagerSink
from serve.events.sinks.base import Outcome, SinkContext
from tests.fakes import MemoryAlertStore, MemoryOutbox, MemoryStore
from tests.integration.brokers import free_port
from tests.integration.sinks.receivers import Process
from tests.serve.events.sinks.test_alertmanager import BOOK, event
from tests.serve.events.sinks.test_webhook import NEAR
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
PATIENT = "30m"
IMPATIENT = "2s"
"""After so long without a word it takes an alert for over."""


def alertmanager_path() -> str:
    """Of the system; without it tests are skipped, but fail in CI."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if found is None:
        reason = "Alertmanager is not installed: apt-get install prometheus-alertmanager"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Alertmanager(Process):
    """One that sends to nobody, and keeps what it knows in its folder.

    Args:
        resolve_timeout: after which it takes an alert for over that it hears no more of.
    """

    def __init__(self, resolve_timeout: str = PATIENT) -> None:
        super().__init__("footfall-alertmanager-")
        self._resolve_timeout = resolve_timeout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        config = self.folder / "alertmanager.yml"
        config.write_text(
            f"global: {{resolve_timeout: {self._resolve_timeout}}}\n"
            "route: {receiver: nobody}\n"
            "receivers: [{name: nobody}]\n"
        )
        return [
            alertmanager_path(),
            f"--config.file={config}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def _answers(self) -> bool:
        if not super()._answers():
            return False
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=2).close()
        except OSError:
            return False
        return True

    def forget(self) -> None:
        """Start anew with nothing."""
        self.kill(signal.SIGKILL)
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    def active(self) -> list[dict[str, Any]]:
        """What is on, as it sees it."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def rules(self) -> list[str]:
        return sorted(one["labels"]["alertname"] for one in self.active())


class Desk:
    """A sink, and what is known of alerts."""

    def __init__(self, manager: Alertmanager, url: str | None = None) -> None:
        self.store = MemoryStore()
        self.alerts = MemoryAlertStore(self.store)
        document = {"type": "alertmanager", "url": url or manager.url}
        definition = SinkDefinition.model_validate({"target": document})
        streams, outbox = [StreamRecord("door", {"site": "berlin"})], MemoryOutbox(self.store)
        context = SinkContext("main", NEAR, outbox, lambda: streams, self.alerts, definition.wanted, 0)
        sink = definition.target.open(context)
        assert isinstance(sink, AlertmanagerSink)
        self.sink = sink

    def send(self, *events: NumberedEvent) -> Outcome:
        return self.loop.run_until_complete(self.sink.send(events))

    def __enter__(self) -> Desk:
        self.loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.run_until_complete(self.sink.close())
        self.loop.close()

    def raises(self) -> AlertRecord:
        """An alert that was raised just now, as the registry writes it."""
        now_s = time.time()
        detail = "nobody answers"
        made = AlertRecord(
            *(identity("alert", now_s), "camera-down", "door", "critical", "It cannot be reached.", detail),
            *(now_s - 30, now_s),
            told=True,
        )
        self.alerts.save(BOOK, [made], ())
        return made


@pytest.fixture
def manager() -> Iterator[Alertmanager]:
    with Alertmanager() as running:
        yield running


def test_an_alert_is_active_there_until_it_is_over_and_once_more_after_all_was_forgotten(manager: Alertmanager) -> None:
    with Desk(manager) as desk:
        alert = desk.raises()
        assert desk.send(event(1, alert, time_s=time.time())) == Outcome(1)
        (there,) = manager.active()
        assert there["labels"] == {
            "alertname": "camera-down",
            "severity": "critical",
            "service": "footfall",
            "stream": "door",
            "site": "berlin",
        }
        assert there["annotations"]["advice"]
        assert there["status"]["state"] in ("active", "unprocessed")
        manager.forget()
        assert manager.active() == []
        assert desk.send() == Outcome(0)
        assert manager.rules() == ["camera-down"]
        assert desk.send(event(2, alert, ALERT_CLEARED, time.time())) == Outcome(1)
        wait_until(lambda: manager.active() == [], 5, "it to be over")


def test_what_is_said_again_stays_and_what_is_not_is_forgotten() -> None:
    with Alertmanager(IMPATIENT) as manager, Desk(manager) as desk:
        alert = desk.raises()
        desk.send(event(1, alert, time_s=time.time()))
        until_s = time.monotonic() + 4
        while time.monotonic() < until_s:
            assert desk.send() == Outcome(0)
            assert manager.rules() == ["camera-down"]
            time.sleep(0.2)
        wait_until(lambda: manager.active() == [], 10, "it to be forgotten")


def test_while_it_is_away_that_is_said_and_what_happened_comes_afterwards(manager: Alertmanager) -> None:
    with Desk(manager) as desk:
        manager.kill()
        alert = desk.raises()
        events = [event(1, alert, time_s=time.time())]
        outcome = desk.send(*events)
        assert (outcome.done, outcome.answered) == (0, False)
        assert "does not answer" in (outcome.error or "")
        manager.start()
        assert desk.send(*events) == Outcome(1)
        assert manager.rules() == ["camera-down"]


def test_another_address_is_told_to_be_wrong_and_a_trial_arrives(manager: Alertmanager) -> None:
    with Desk(manager, f"{manager.url}/elsewhere") as desk:
        outcome = desk.send(event(1, desk.raises(), time_s=time.time()))
        assert outcome.done == 0
        assert "its address or its secret is wrong" in (outcome.error or "")
    with Desk(manager, f"http://127.0.0.1:{free_port()}") as desk:
        assert "does not answer" in (desk.send(event(1, desk.raises(), time_s=time.time())).error or "")
    with Desk(manager) as desk:
        now_s = time.time()
        tried = Event(identity("x"), TEST, EventContext("test", "", 0, ""), "", now_s, {"sink": "main"})
        assert desk.send(NumberedEvent(1, tried, now_s)) == Outcome(1)
        assert manager.rules() == ["footfall-test"]
