from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from analytics.alerts.opening_hours import OpeningHours
from analytics.alerts.rule_changes import RuleView
from analytics.drift.causes import Verdict
from analytics.errors import AlertRuleInvalid, StoreUnavailable, UnknownAlert, UnknownAlertRule
from analytics.events import ALERT_CLEARED, ALERT_RAISED, EVENT_TYPES, Event
from analytics.storage.sinks import SinkRecord, Standing
from pipelines.sources.supervisor import StreamState
from serve.control.alert_keeping import DAY_S, SINKS_S, AlertKeeping
from serve.control.messages import ReaderView
from serve.control.problems import WatchedStream
from serve.events.schemas import data_schema
from serve.sections import MonitoringSettings
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus
from tests.fakes import MemoryAlertStore, MemoryStore

NOON_S = 1_790_510_400.0
WELL = StreamStatus(StreamState.RUNNING, NOON_S, frame_age_s=0.1, drift=DriftReport(judges_pictures=True))
DOWN = replace(WELL, state=StreamState.RECONNECTING, error="nobody answers", error_code="source-unreachable")
MOVED = replace(WELL, drift=DriftReport((Verdict("moved", "5% to the right", NOON_S),), judges_pictures=True))


@dataclass
class Sinks:
    """Stands in for the store of sinks."""

    errors: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    disabled: tuple[str, ...] = ()

    def sinks(self) -> list[SinkRecord]:
        return [SinkRecord(name, {"enabled": name not in self.disabled}) for name in self.errors]

    def standings(self, **_: Any) -> dict[str, Standing]:
        self.asked += 1
        return {name: Standing(name, 0, error=error) for name, error in self.errors.items()}


class Service:
    """A registry's alerts, second after second."""

    def __init__(self, store: MemoryStore | None = None, **settings: Any) -> None:
        self.store = store or MemoryStore(wall_clock=lambda: self.now_s)
        self.alerts = MemoryAlertStore(self.store)
        self.sinks = Sinks()
        self.now_s = NOON_S
        self.settings = MonitoringSettings(**settings)
        self.keeping = self._made()
        self.statuses: dict[str, StreamStatus] = {"cam": WELL}
        self.readers: dict[str, ReaderView] = {}

    def _made(self) -> AlertKeeping:
        return AlertKeeping(self.settings, lambda: self.now_s, lambda: self.now_s)

    def another(self) -> None:
        """Another registry leads, and begins with what is written."""
        self.keeping = self._made()

    def run(self, seconds: float, statuses: Mapping[str, StreamStatus] | None = None) -> list[Event]:
        """Some seconds go by; returns the events of them."""
        self.statuses = dict(statuses) if statuses is not None else self.statuses
        before = len(self.store.events)
        for _ in range(round(seconds)):
            self.now_s += 1
            asyncio.run(self.round())
        return self.store.events[before:]

    async def round(self) -> None:
        always = OpeningHours.from_document(None)
        streams = [WatchedStream(name, True, True, status, True, always) for name, status in self.statuses.items()]
        sites = dict.fromkeys(self.statuses, "shop")
        await self.keeping.round(self.alerts, self.sinks, streams, sites, None, self.readers)  # type: ignore[arg-type]


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.type, event.data["rule"]) for event in events]


def test_what_lasts_is_told_with_all_that_people_need_and_what_is_over_is_told_too() -> None:
    service = Service()
    assert service.run(20, {"cam": DOWN}) == []
    (raised,) = service.run(30)
    assert (raised.type, raised.context.stream, raised.context.site) == (ALERT_RAISED, "cam", "shop")
    assert raised.data["rule"] == "camera-down"
    assert raised.data["detail"] == "nobody answers"
    assert raised.data["advice"]
    assert raised.data["about"] == "cam"
    (cleared,) = service.run(40, {"cam": WELL})
    assert cleared.type == ALERT_CLEARED
    assert cleared.data["alert"] == raised.data["alert"]


@pytest.mark.parametrize("kind", [ALERT_RAISED, ALERT_CLEARED])
def test_events_are_what_their_schema_says(kind: str) -> None:
    service = Service()
    events = service.run(60, {"cam": DOWN}) + service.run(60, {"cam": WELL})
    (event,) = (one for one in events if one.type == kind)
    assert set(event.data) == set(data_schema(kind)["required"])
    assert EVENT_TYPES[kind](**event.data, time_s=event.time_s)


def test_history_says_what_was_on_and_when_it_was_over() -> None:
    service = Service()
    service.run(60, {"cam": DOWN})
    (record,) = service.alerts.history(10)
    assert (record.rule, record.subject, record.cleared_s) == ("camera-down", "cam", None)
    service.run(60, {"cam": WELL})
    (record,) = service.alerts.history(10)
    assert record.cleared_s is not None
    assert record.raised_s < record.cleared_s <= service.now_s


def test_nothing_is_written_while_nothing_happens() -> None:
    service = Service()
    service.run(60, {"cam": DOWN})
    saved = service.alerts.saved
    service.run(60)
    assert service.alerts.saved == saved
    service.run(60, {"cam": WELL})
    saved = service.alerts.saved
    service.run(60)
    assert service.alerts.saved == saved


def test_who_leads_next_tells_nothing_twice_and_ends_what_is_over() -> None:
    service = Service()
    (raised,) = service.run(60, {"cam": MOVED})
    service.another()
    assert service.run(30) == []
    assert [one.rule for one in service.keeping.alerts()] == ["camera-moved"]
    (cleared,) = service.run(60, {"cam": WELL})
    assert cleared.data["alert"] == raised.data["alert"]
    (record,) = service.alerts.history(10)
    assert record.cleared_s is not None


def test_what_nobody_can_judge_stays_as_it_is() -> None:
    service = Service()
    service.run(60, {"cam": MOVED})
    assert service.run(120, {"cam": replace(WELL, drift=DriftReport())}) == []
    assert [one.state for one in service.keeping.alerts()] == ["active"]


def test_a_stream_that_is_no_more_has_no_alerts() -> None:
    service = Service()
    service.run(60, {"cam": DOWN})
    (cleared,) = service.run(2, {})
    assert cleared.type == ALERT_CLEARED
    assert service.keeping.alerts() == []


def test_while_the_database_is_away_alerts_are_shown_and_told_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.run(1)
    service.store.away = True
    with caplog.at_level(logging.WARNING, "serve.control.alert_keeping"):
        assert service.run(60, {"cam": DOWN}) == []
    assert [one.rule for one in service.keeping.alerts()] == ["camera-down"]
    assert sum("not written" in message for message in caplog.messages) == 1
    service.store.away = False
    assert told(service.run(2)) == [(ALERT_RAISED, "camera-down")]
    assert [one.rule for one in service.alerts.history(10)] == ["camera-down"]


def test_nobody_knows_alerts_before_the_book_is_read() -> None:
    service = Service()
    service.store.away = True
    service.run(3)
    with pytest.raises(StoreUnavailable):
        service.keeping.alerts()
    with pytest.raises(StoreUnavailable):
        asyncio.run(service.keeping.acknowledge(service.alerts, "0" * 32, "anna"))


def test_who_knows_of_an_alert_is_not_forgotten_by_the_next_registry() -> None:
    service = Service()
    service.run(60, {"cam": DOWN})
    (alert,) = service.keeping.alerts()
    asyncio.run(service.keeping.acknowledge(service.alerts, alert.id, "anna"))
    service.another()
    service.run(1)
    (alert,) = service.keeping.alerts()
    assert alert.acknowledged_by == "anna"
    assert service.alerts.history(1)[0].acknowledged_by == "anna"
    with pytest.raises(UnknownAlert):
        asyncio.run(service.keeping.acknowledge(service.alerts, "0" * 32, "anna"))


def test_what_is_silenced_is_shown_and_told_once_the_silence_is_over() -> None:
    service = Service()
    service.run(1)
    until_s = service.now_s + 120
    made = asyncio.run(service.keeping.silence(service.alerts, until_s, "anna", "works", None, "cam", None))
    service.another()
    assert service.run(60, {"cam": DOWN}) == []
    (alert,) = service.keeping.alerts()
    assert alert.silenced
    assert [one.id for one in service.keeping.silences()] == [made.id]
    assert told(service.run(70)) == [(ALERT_RAISED, "camera-down")]


def test_history_says_of_what_is_on_whether_people_know() -> None:
    service = Service()
    service.run(1)
    silence = service.keeping.silence(service.alerts, service.now_s + 120, "anna", "works", None, "cam", None)
    asyncio.run(silence)
    service.run(60, {"cam": DOWN, "other": DOWN})
    assert {one.subject: one.told for one in service.alerts.open_records()} == {"cam": False, "other": True}
    (known, *_) = [one for one in service.keeping.alerts() if one.subject == "other"]
    asyncio.run(service.keeping.acknowledge(service.alerts, known.id, "anna"))
    service.run(70)
    assert {one.subject: one.told for one in service.alerts.open_records()} == {"cam": True, "other": True}


def test_a_silence_can_be_called_off() -> None:
    service = Service()
    service.run(60, {"cam": WELL})
    made = asyncio.run(
        service.keeping.silence(service.alerts, service.now_s + 9999, "anna", "works", "camera-down", None, None)
    )
    service.run(60, {"cam": DOWN})
    asyncio.run(service.keeping.unsilence(service.alerts, made.id))
    assert told(service.run(2)) == [(ALERT_RAISED, "camera-down")]


def test_rules_are_as_the_settings_say() -> None:
    service = Service(alerts={"camera-down": {"hold_s": 5, "severity": "warning"}, "camera-moved": {"enabled": False}})
    (raised,) = service.run(10, {"cam": DOWN, "other": MOVED})
    assert (raised.data["rule"], raised.data["severity"]) == ("camera-down", "warning")


def change(service: Service, rule: str, **change: Any) -> RuleView:
    return asyncio.run(service.keeping.rules.change(service.alerts, rule, change))


def test_a_rule_that_is_switched_off_ends_its_alerts_and_that_is_told_and_the_others_stay() -> None:
    service = Service()
    service.run(60, {"cam": DOWN, "other": MOVED})
    assert len(service.keeping.alerts()) == 2
    assert not change(service, "camera-down", enabled=False).enabled
    (cleared,) = service.run(2)
    assert (cleared.type, cleared.data["rule"]) == (ALERT_CLEARED, "camera-down")
    assert [one.rule for one in service.keeping.alerts()] == ["camera-moved"]
    assert [one.rule for one in service.alerts.open_records()] == ["camera-moved"]
    assert service.run(60) == []


def test_what_people_changed_of_rules_holds_at_once_and_outlives_the_registry() -> None:
    service = Service(alerts={"camera-down": {"hold_s": 900}})
    service.run(60, {"cam": DOWN})
    assert [one.state for one in service.keeping.alerts()] == ["pending"]
    assert change(service, "camera-down", hold_s=30.0, severity="info").origins["hold_s"] == "api"
    (raised,) = service.run(1)
    assert (raised.type, raised.data["severity"]) == (ALERT_RAISED, "info")
    service.another()
    assert service.run(2) == []
    (down,) = [view for view in service.keeping.rules.views() if view.rule.name == "camera-down"]
    assert (down.rule.hold_s, down.rule.severity) == (30.0, "info")
    assert change(service, "camera-down").rule.hold_s == 900
    service.another()
    service.run(1)
    assert service.alerts.rules() == {}


def test_what_becomes_severer_by_a_change_of_its_rule_is_told_again() -> None:
    service = Service()
    (first,) = service.run(60, {"cam": MOVED})
    change(service, "camera-moved", severity="critical")
    (again,) = service.run(1)
    assert (again.data["alert"], again.data["severity"]) == (first.data["alert"], "critical")


def test_a_change_of_a_rule_that_cannot_be_written_is_none() -> None:
    service = Service()
    with pytest.raises(StoreUnavailable):
        service.keeping.rules.views()
    service.run(1)
    before = service.keeping.rules.views()
    service.store.away = True
    with pytest.raises(StoreUnavailable):
        change(service, "camera-down", enabled=False)
    service.store.away = False
    assert service.keeping.rules.views() == before
    with pytest.raises(AlertRuleInvalid):
        change(service, "camera-down", hold_s=-1)
    with pytest.raises(UnknownAlertRule):
        change(service, "nobody", enabled=False)
    assert service.alerts.rules() == {}


def test_changes_that_are_not_understood_are_left_out_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.alerts.save_rules({"camera-gone": {"enabled": False}, "camera-down": {"enabled": False}})
    with caplog.at_level(logging.WARNING):
        assert service.run(60, {"cam": DOWN}) == []
    assert [message for message in caplog.messages if "camera-gone" in message]


def test_a_sink_that_takes_nothing_is_looked_for_now_and_then() -> None:
    service = Service()
    service.run(1)
    asked = service.sinks.asked
    service.sinks.errors = {"till": "refuses"}
    service.run(3 * SINKS_S)
    assert service.sinks.asked == asked + 3
    assert told(service.run(150)) == [(ALERT_RAISED, "sink-failing")]
    service.sinks.disabled = ("till",)
    assert told(service.run(60)) == [(ALERT_CLEARED, "sink-failing")]


def test_a_disk_that_is_full_is_told_by_its_node() -> None:
    service = Service()
    service.readers = {"reader": ReaderView("node-7", 1.0, 0.5, 3, False, 0.01)}
    (raised,) = service.run(60)
    assert raised.data["rule"] == "disk-full"
    assert "node-7 has 1.0% left" in raised.data["detail"]
    assert raised.context.stream == "service"


def test_minutes_that_are_lost_are_told_once_and_not_for_as_long_as_the_counter_stands() -> None:
    service = Service()
    service.run(5, {"cam": replace(WELL, rows_lost=4)})
    assert service.keeping.alerts() == [], "it was so when the registry began"
    assert told(service.run(10, {"cam": replace(WELL, rows_lost=6)})) == [(ALERT_RAISED, "rows-lost")]
    assert told(service.run(400)) == [(ALERT_CLEARED, "rows-lost")]


def test_what_is_over_for_long_is_forgotten() -> None:
    service = Service(history_days=1)
    service.run(60, {"cam": DOWN})
    service.run(60, {"cam": WELL})
    service.now_s += 2 * DAY_S
    service.run(2)
    assert service.alerts.history(10) == []


def test_a_book_of_another_version_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.alerts.save({"format": 99}, (), ())
    with caplog.at_level(logging.WARNING):
        assert told(service.run(60, {"cam": DOWN})) == [(ALERT_RAISED, "camera-down")]
    assert any("another version" in message for message in caplog.messages)
