"""What is retained: counts of today, who is where, how cameras are."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.errors import StoreUnavailable
from analytics.events import STREAM_STATE, Event, EventContext, identity
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import EVERYTHING, NumberedEvent
from pipelines.sources.reach import Reach
from serve.events.sinks import retained as retained_module
from serve.events.sinks.base import SinkContext
from serve.events.sinks.home_assistant import Topics, discovery, node_of
from serve.events.sinks.ledger import CROSSING, ENTRY, EXIT, OCCUPANCY, QUEUE, Ledger, Place, places_of
from serve.events.sinks.retained import Retained
from tests.fakes import MemoryAlertStore, MemoryOutbox, MemoryStore
from tests.serve.events.documented import check

NOON = 1_790_510_400.0  # 2026-09-27 12:00 UTC, 14:00 in Berlin
DAY_S = 86_400.0
SHOP = Place("shop", "Shop", "berlin", {"door": "Door"}, {"till": "Till"})


def event(kind: str, subject: str = "", time_s: float = NOON, stream: str = "shop", **data: Any) -> Event:
    return Event(
        identity(kind, subject, time_s, data.pop("n", 0)), kind, EventContext(stream, "", 1, ""), subject, time_s, data
    )


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(ZoneInfo("Europe/Berlin"))
    made.use({"shop": SHOP})
    made.turn(NOON)
    list(made.take_changed())
    return made


def told(ledger: Ledger) -> dict[str, dict[str, Any]]:
    channels = {"line": "mqttLine", "zone": "mqttZone", "state": "mqttState"}
    changed = [(key, check(channels[key[1]], document)) for key, document in ledger.take_changed()]
    return {f"{kind} {name}".strip(): document for (_, kind, name), document in changed}


def test_what_is_drawn_is_there_before_anything_happens() -> None:
    ledger = Ledger(ZoneInfo("UTC"))
    assert ledger.use({"shop": SHOP}) == []
    ledger.turn(NOON)
    assert told(ledger) == {
        "line door": {"in": 0, "out": 0, "day": "2026-09-27"},
        "zone till": {"people": 0, "entries": 0, "queue": False, "occupied": False, "day": "2026-09-27"},
        "state": {"state": "unknown", "error_code": None},
    }
    assert told(ledger) == {}


def test_people_are_counted_and_followed(ledger: Ledger) -> None:
    for direction in ("in", "in", "out"):
        ledger.note(event(CROSSING, "door", direction=direction))
    ledger.note(event(ENTRY, "till", track=1))
    ledger.note(event(ENTRY, "till", track=2))
    ledger.note(event(EXIT, "till", track=1))
    ledger.note(event(EXIT, "till", track=9))  # whoever that was
    ledger.note(event(QUEUE, "till", over=True))
    ledger.note(event(OCCUPANCY, "till", over=True))
    ledger.note(event(CROSSING, "back", direction="in"))  # not drawn yet
    assert told(ledger) == {
        "line door": {"in": 2, "out": 1, "day": "2026-09-27"},
        "zone till": {"people": 1, "entries": 2, "queue": True, "occupied": True, "day": "2026-09-27"},
    }
    ledger.note(event(QUEUE, "till", over=False))
    assert told(ledger)["zone till"]["queue"] is False
    ledger.use({"shop": Place("shop", "Shop", "", {"door": "Door", "back": "Back"}, {"till": "Till"})})
    assert told(ledger) == {"line back": {"in": 1, "out": 0, "day": "2026-09-27"}}


def test_a_day_whose_events_are_forgotten_is_counted_on_from_what_was_told(ledger: Ledger) -> None:
    """Home Assistant would take counts that fall for a meter that begins anew, and add all of them again."""
    line, till = ("shop", "line", "door"), ("shop", "zone", "till")
    ledger.note(event(CROSSING, "door", direction="in"))
    day = {"day": "2026-09-27"}
    ledger.adopt(line, {"in": 5000, "out": 0, **day})
    ledger.adopt(till, {"people": 3, "entries": 70, "queue": False, "occupied": False, **day})
    ledger.note(event(CROSSING, "door", direction="in"))
    found = told(ledger)
    assert found["line door"] == {"in": 5001, "out": 0, **day}
    assert (found["zone till"]["entries"], found["zone till"]["people"]) == (70, 0)


@pytest.mark.parametrize(
    "document", [{"in": 9, "out": 9, "day": "2026-09-26"}, {"in": "9", "out": -9, "day": "2026-09-27"}]
)
def test_what_was_told_of_another_day_or_is_no_count_is_left(ledger: Ledger, document: dict[str, Any]) -> None:
    ledger.adopt(("shop", "line", "door"), document)
    assert told(ledger)["line door"] == {"in": 0, "out": 0, "day": "2026-09-27"}


def test_a_day_ends_at_midnight_there_and_who_is_inside_stays(ledger: Ledger) -> None:
    ledger.note(event(CROSSING, "door", direction="in"))
    ledger.note(event(ENTRY, "till", track=1))
    midnight_s = ledger.midnight_s(NOON) + DAY_S
    assert midnight_s == NOON + 10 * 3600
    ledger.turn(midnight_s - 1)
    assert told(ledger)["line door"]["in"] == 1
    ledger.turn(midnight_s)
    now = told(ledger)
    assert now["line door"] == {"in": 0, "out": 0, "day": "2026-09-28"}
    assert (now["zone till"]["people"], now["zone till"]["entries"]) == (1, 0)
    ledger.note(event(CROSSING, "door", midnight_s - 5, direction="in"))  # late, from yesterday
    assert told(ledger) == {}
    ledger.note(event(CROSSING, "door", midnight_s + 3 * DAY_S, direction="in"))  # a clock that is ahead
    assert told(ledger)["line door"] == {"in": 1, "out": 0, "day": "2026-09-28"}


def test_of_a_camera_that_stops_nobody_is_seen_any_more(ledger: Ledger) -> None:
    ledger.note(event(ENTRY, "till", track=1))
    ledger.note(event(STREAM_STATE, state="reconnecting", error_code="source-unreachable"))
    now = told(ledger)
    assert now["state"] == {"state": "reconnecting", "error_code": "source-unreachable"}
    assert now["zone till"]["people"] == 0
    ledger.note(event(STREAM_STATE, stream="gone", state="running", error_code=None))
    assert told(ledger) == {}


def test_what_is_not_drawn_any_more_is_taken_away(ledger: Ledger) -> None:
    ledger.note(event(CROSSING, "door", direction="in"))
    gone = ledger.use({"shop": Place("shop", "Shop", "", {"back": "Back"}, {})})
    assert gone == [("shop", "line", "door"), ("shop", "zone", "till")]
    assert set(told(ledger)) == {"line back"}
    assert ledger.use({}) == [("shop", "line", "back"), ("shop", "state", "")]
    ledger.change_all()
    assert told(ledger) == {}


def test_what_was_told_last_is_taken_where_nobody_knows_better(ledger: Ledger) -> None:
    assert ledger.adopt(("shop", "state", ""), {"state": "running", "error_code": None})
    assert ledger.adopt(("shop", "zone", "till"), {"queue": True, "occupied": True, "people": 9})
    assert ledger.adopt(("shop", "line", "door"), {"in": 9})
    assert not ledger.adopt(("gone", "state", ""), {"state": "running"})
    now = told(ledger)
    assert now["state"] == {"state": "running", "error_code": None}
    assert (now["zone till"]["queue"], now["zone till"]["occupied"], now["zone till"]["people"]) == (True, True, 0)
    assert now["line door"]["in"] == 0
    ledger.note(event(STREAM_STATE, state="failed", error_code="x"))
    ledger.note(event(QUEUE, "till", over=False))
    ledger.adopt(("shop", "state", ""), {"state": "running"})
    ledger.adopt(("shop", "zone", "till"), {"queue": True})
    now = told(ledger)
    assert (now["state"]["state"], now["zone till"]["queue"]) == ("failed", False)
    ledger.adopt(("shop", "state", ""), {"state": 7})


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("footfall/shop/state", ("shop", "state", "")),
        ("footfall/shop/line/door", ("shop", "line", "door")),
        ("footfall/shop/zone/till", ("shop", "zone", "till")),
        ("footfall/shop/state/x", None),
        ("footfall/shop/line", None),
        ("footfall/shop/events/x", None),
        ("other/shop/state", None),
        ("homeassistant/sensor/footfall_main/x/config", None),
    ],
)
def test_a_topic_says_what_it_is_about(topic: str, key: Any) -> None:
    assert Topics("footfall", "homeassistant", "n").key_of(topic) == key


def test_cameras_come_from_what_is_stored() -> None:
    record = StreamRecord(
        "cam", {"name": "", "site": None}, {"lines": [{"id": "a", "name": ""}], "zones": [{"id": "z", "name": "Hall"}]}
    )
    assert places_of([record]) == {"cam": Place("cam", "cam", "", {"a": "a"}, {"z": "Hall"})}


def test_names_that_home_assistant_does_not_take_are_told_apart() -> None:
    topics = Topics("footfall", "homeassistant", node_of("footfall", "main"))
    found = {
        topic
        for stream in ("a.b", "a_b")
        for topic in discovery(topics, Place(stream, stream, "", {"x.y": "X", "x_y": "Y"}, {}))
    }
    assert len(found) == 2 * 5
    assert all(character.isalnum() or character in "/_-" for topic in found for character in topic)


class Silent:
    """A `Connection` whose broker has retained something, and takes everything.

    Attributes:
        told: what it retains, by topic.
    """

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.hear: Any = None

    def subscribe(self, topics: Any) -> None: ...

    def unsubscribe(self, topics: Any) -> None: ...

    def publish(self, topic: str, text: str, *, retain: bool) -> None:
        self.told[topic] = json.loads(text) if text else None


@pytest.fixture
def retained(monkeypatch: pytest.MonkeyPatch) -> tuple[Retained, MemoryOutbox, list[float]]:
    monkeypatch.setattr(retained_module, "FIRST_S", 0.0)
    now_s = [NOON]
    record = StreamRecord("shop", {"site": "berlin"}, {"lines": [{"id": "door"}], "zones": [{"id": "till"}]})
    store = MemoryStore(wall_clock=lambda: now_s[0])
    outbox = MemoryOutbox(store)
    context = SinkContext("main", Reach(), outbox, lambda: [record], MemoryAlertStore(store), EVERYTHING, 0)
    topics = Topics("footfall", "homeassistant", "n")
    return Retained(topics, context, ZoneInfo("UTC"), False, lambda: now_s[0], lambda: now_s[0]), outbox, now_s


def door(number: int, time_s: float) -> NumberedEvent:
    return NumberedEvent(number, event(CROSSING, "door", time_s, direction="in", n=number), time_s)


def test_who_crosses_behind_midnight_counts_for_the_new_day(retained: Any) -> None:
    made, _, now_s = retained
    broker = Silent()
    made.begin(broker)
    made.note(door(1, NOON))
    now_s[0] = NOON + DAY_S / 2 + 5
    for number in (2, 3):
        made.note(door(number, now_s[0] - 1))
    made.tell(broker)
    assert broker.told["footfall/shop/line/door"] == {"in": 2, "out": 0, "day": "2026-09-28"}


def test_what_was_before_is_counted_once_though_the_database_goes_away_in_the_middle(
    retained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, outbox, _ = retained
    monkeypatch.setattr(retained_module, "AT_ONCE", 3)
    outbox.append([door(number, NOON + number).event for number in range(1, 8)])
    outbox.number()
    after, calls = outbox.after, iter([True, False])

    def broken(*args: Any) -> Any:
        if not next(calls, True):
            raise StoreUnavailable("away")
        return after(*args)

    monkeypatch.setattr(outbox, "after", broken)
    broker = Silent()
    with pytest.raises(StoreUnavailable):
        made.begin(broker)
    made.begin(broker)
    made.note(outbox.after(6, 1)[0])  # which has yet to be sent, and is counted already
    made.tell(broker)
    assert broker.told["footfall/shop/line/door"]["in"] == 7
