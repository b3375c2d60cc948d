from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analytics.events import Event, EventContext
from analytics.storage.outbox import NumberedEvent
from serve.events.envelope import cloud_event, timestamp

EVENT = Event(
    "0" * 32,
    "footfall.crossing.v1",
    EventContext("entrance", "berlin-1", 3, "nanodet-g"),
    "door",
    1_772_355_600.125,
    {"line": "door", "track": 17, "direction": "in"},
)


def test_an_event_has_all_that_a_cloud_event_needs() -> None:
    assert cloud_event(NumberedEvent(4711, EVENT, 0.0)) == {
        "specversion": "1.0",
        "id": "0" * 32,
        "source": "/api/v1/streams/entrance",
        "type": "footfall.crossing.v1",
        "subject": "door",
        "time": "2026-03-01T09:00:00.125000Z",
        "datacontenttype": "application/json",
        "data": {"line": "door", "track": 17, "direction": "in"},
        "stream": "entrance",
        "site": "berlin-1",
        "epoch": 3,
        "model": "nanodet-g",
        "sequence": "00000000000000004711",
    }


def test_an_attribute_that_would_be_empty_is_left_out() -> None:
    bare = Event(EVENT.id, EVENT.type, EventContext("cam", "", 1, ""), "", 0.0, {})
    assert not {"subject", "site", "model"} & cloud_event(NumberedEvent(1, bare, 0.0)).keys()


def test_attributes_have_names_that_cloud_events_allow() -> None:
    names = cloud_event(NumberedEvent(1, EVENT, 0.0)).keys()
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in names)


@pytest.mark.parametrize("time_s", [0.0, 1_772_355_600.0, 1_772_355_600.999999])
def test_times_are_exact_to_a_microsecond(time_s: float) -> None:
    assert datetime.fromisoformat(timestamp(time_s)) == datetime.fromtimestamp(time_s, UTC)
    assert timestamp(time_s).endswith("Z")


def test_sequences_sort_as_numbers_do() -> None:
    found = [cloud_event(NumberedEvent(number, EVENT, 0.0))["sequence"] for number in (9, 10, 99, 10**15)]
    assert found == sorted(found)
