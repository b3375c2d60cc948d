"""What every `AlertStore` keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from analytics.errors import LeaseLost
from analytics.events import ALERT_RAISED, Event, EventContext, identity
from analytics.storage.alerts import AlertRecord, AlertStore, DatabaseAlertStore
from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from tests.analytics.storage.test_outbox import outbox_of
from tests.fakes import MemoryAlertStore, MemoryStore

BOOK = {"format": 1, "alerts": [{"rule": "camera-down", "lasted_s": 0.5}], "silences": []}


def alert(number: int, subject: str = "cam", since_s: float = 100.0) -> AlertRecord:
    return AlertRecord(
        identity(number), "camera-down", subject, "critical", "Down.", f"for {number} s", since_s, since_s + 30.0
    )


def event(number: int) -> Event:
    return Event(identity("e", number), ALERT_RAISED, EventContext("cam", "", 0, ""), "", 1.0, {"alert": "x"})


def alerts_of(store: Store) -> AlertStore:
    if isinstance(store, MemoryStore):
        return MemoryAlertStore(store)
    assert isinstance(store, DatabaseStore)
    return DatabaseAlertStore(store, wall_clock=lambda: 7.0)


@pytest.fixture
def alerts(store: Store) -> AlertStore:
    return alerts_of(store)


def test_the_book_is_as_it_was_left(alerts: AlertStore) -> None:
    assert alerts.load() is None
    alerts.save(BOOK, (), ())
    assert alerts.load() == BOOK
    alerts.save({"format": 2}, (), ())
    assert alerts.load() == {"format": 2}


def test_book_history_and_events_are_written_together(store: Store, alerts: AlertStore) -> None:
    alerts.save(BOOK, [alert(1)], [event(1)])
    alerts.save(BOOK, [alert(1)], [event(1)])  # nobody heard that it was written
    assert list(alerts.history(10)) == [alert(1)]
    outbox = outbox_of(store)
    outbox.number()
    assert [one.event for one in outbox.after(0, 10)] == [event(1)]


def test_an_alert_that_is_over_says_since_when(alerts: AlertStore) -> None:
    alerts.save(BOOK, [alert(1), alert(2)], ())
    assert {one.id for one in alerts.open_records()} == {alert(1).id, alert(2).id}
    over = replace(alert(1), cleared_s=500.0, acknowledged_by="anna", acknowledged_s=200.0)
    alerts.save(BOOK, [over], ())
    assert list(alerts.open_records()) == [alert(2)]
    assert over in alerts.history(10)


def test_the_newest_come_first_and_the_next_page_goes_on_behind_them(alerts: AlertStore) -> None:
    made = [alert(number, since_s=100.0 + number // 2) for number in range(7)]
    alerts.save(BOOK, made, ())
    expected = sorted(made, key=lambda one: (one.since_s, one.id), reverse=True)
    first = list(alerts.history(3))
    second = list(alerts.history(3, (first[-1].since_s, first[-1].id)))
    third = list(alerts.history(3, (second[-1].since_s, second[-1].id)))
    assert first + second + third == expected


def test_one_can_ask_for_those_about_one_thing(alerts: AlertStore) -> None:
    alerts.save(BOOK, [alert(1), alert(2, "other"), alert(3)], ())
    assert [one.subject for one in alerts.history(10, subject="other")] == ["other"]
    assert len(alerts.history(10, subject="cam")) == 2


def test_what_was_over_long_ago_is_forgotten_and_what_is_on_never_is(alerts: AlertStore) -> None:
    alerts.save(BOOK, [replace(alert(1), cleared_s=50.0), replace(alert(2), cleared_s=150.0), alert(3)], ())
    assert alerts.forget(100.0) == 1
    assert {one.id for one in alerts.history(10)} == {alert(2).id, alert(3).id}
    assert alerts.forget(100.0) == 0


def test_who_does_not_lead_any_more_writes_nothing(connect: Callable[[], Store]) -> None:
    old, new = connect(), connect()
    old.lead()
    alerts = alerts_of(old)
    alerts.save(BOOK, [alert(1)], ())
    new.lead()
    with pytest.raises(LeaseLost):
        alerts.save({"format": 9}, [alert(2)], [event(2)])
    with pytest.raises(LeaseLost):
        alerts.forget(1e12)
    with pytest.raises(LeaseLost):
        alerts.save_rules({"camera-down": {"enabled": False}})
    assert alerts.rules() == {}
    assert alerts.load() == BOOK
    assert list(alerts.history(10)) == [alert(1)]


def test_alerts_are_found_by_their_ids_and_say_whether_people_know_of_them(alerts: AlertStore) -> None:
    made = {one.id: one for one in (replace(alert(1), told=True), alert(2), replace(alert(3), cleared_s=500.0))}
    alerts.save(BOOK, list(made.values()), ())
    assert alerts.records(list(made)) == made
    assert alerts.records([alert(1).id, identity("nobody")]) == {alert(1).id: made[alert(1).id]}
    assert alerts.records([]) == {}
    assert len(alerts.records([identity(number) for number in range(2000)])) == 3
    alerts.save(BOOK, [alert(1)], ())
    assert not alerts.records([alert(1).id])[alert(1).id].told


def test_what_people_changed_of_rules_is_kept_beside_the_book(alerts: AlertStore) -> None:
    assert alerts.rules() == {}
    alerts.save_rules({"camera-down": {"hold_s": 5.0, "enabled": False}})
    alerts.save(BOOK, (), ())
    assert alerts.rules() == {"camera-down": {"hold_s": 5.0, "enabled": False}}
    assert alerts.load() == BOOK
    alerts.save_rules({})
    assert alerts.rules() == {}
