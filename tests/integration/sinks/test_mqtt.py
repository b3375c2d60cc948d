"""Events at a real MQTT broker, with what it retains beside them."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from analytics.errors import StoreUnavailable
from analytics.events import STREAM_STATE, Event, EventContext, identity
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent
from pipelines.sources.reach import Reach
from serve.events.sinks import mqtt_connection
from serve.events.sinks.base import Outcome, SinkContext
from serve.events.sinks.ledger import CROSSING, ENTRY, EXIT, QUEUE
from serve.events.sinks.mqtt import MqttSink, MqttTarget
from tests.fakes import MemoryAlertStore, MemoryOutbox, MemoryStore
from tests.integration.sinks.receivers import Listener, Mosquitto
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
SHOP = StreamRecord(
    "shop",
    {"name": "Shop", "site": "berlin"},
    {"lines": [{"id": "door", "name": "Door"}], "zones": [{"id": "till", "name": "Till"}]},
)
NEAR = Reach((), ("127.0.0.0/8",), setting="events.networks")


def event(number: int, kind: str = CROSSING, subject: str = "door", **data: Any) -> NumberedEvent:
    now_s = time.time()
    data = data or {"line": subject, "direction": "in", "track": number}
    context = EventContext("shop", "berlin", 1, "nanodet-g")
    return NumberedEvent(number, Event(identity(number), kind, context, subject, now_s, data), now_s)


class Desk:
    """A sink, and who hears what it sends."""

    def __init__(self, broker: Mosquitto, version: str = "5", **fields: Any) -> None:
        self.records: list[StreamRecord] = [SHOP]
        self.store = MemoryStore()
        self.outbox = MemoryOutbox(self.store)
        self.position = 0
        self.wanted = EVERYTHING
        self.target = MqttTarget.model_validate(
            {"type": "mqtt", "host": "127.0.0.1", "port": broker.port, "version": version, **fields}
        )
        self.sink = self.open()

    def open(self) -> MqttSink:
        alerts = MemoryAlertStore(self.store)
        context = SinkContext("main", NEAR, self.outbox, lambda: self.records, alerts, self.wanted, self.position)
        sink = self.target.open(context)
        assert isinstance(sink, MqttSink)
        return sink

    async def send(self, *events: NumberedEvent) -> Outcome:
        return await self.sink.send(events)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    made = Listener(mosquitto.port, "#")
    yield made
    made.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_events_arrive_in_order_with_counts_and_states_beside_them(
    mosquitto: Mosquitto, listener: Listener, version: str
) -> None:
    async def test() -> None:
        desk = Desk(mosquitto, version)
        state = {"state": "running", "before": None, "error": None, "error_code": None}
        events = [event(1, STREAM_STATE, "", **state), *(event(number) for number in range(2, 302))]
        events += [event(302, ENTRY, "till", zone="till", track=7), event(303, ENTRY, "till", zone="till", track=8)]
        events += [event(304, EXIT, "till", zone="till", track=7, dwell_s=3.0)]
        assert await desk.send(*events) == Outcome(304)
        await desk.sink.close()

    run(test)
    wait_until(lambda: listener.last().get("footfall/status") == "offline", 10, "the farewell")
    told = listener.events()
    assert [int(one["sequence"]) for one in told] == list(range(1, 305))
    assert told[1]["type"] == CROSSING
    last = {topic: text for topic, text in listener.last().items() if topic.startswith("footfall/")}
    assert json.loads(last["footfall/shop/state"]) == {"state": "running", "error_code": None}
    line = json.loads(last["footfall/shop/line/door"])
    assert (line["in"], line["out"]) == (300, 0)
    zone = json.loads(last["footfall/shop/zone/till"])
    assert (zone["people"], zone["entries"], zone["queue"], zone["occupied"]) == (1, 2, False, False)


def test_a_broker_that_is_away_is_told_and_gets_everything_once_it_is_back(
    mosquitto: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        desk = Desk(mosquitto)
        assert (await desk.send(event(1))).done == 1
        mosquitto.kill(signal.SIGTERM)
        outcome = await desk.send(event(2), event(3))
        assert outcome.done == 0
        assert "broker" in (outcome.error or "")
        outcome = await desk.send(event(2), event(3))
        assert "connection refused" in (outcome.error or "")
        mosquitto.start()
        assert (await desk.send(event(2), event(3))) == Outcome(2)
        await desk.sink.close()

    monkeypatch.setattr(mqtt_connection, "WAIT_S", 2.0)
    run(test)
    wait_until(lambda: len({one["id"] for one in listener.events()}) == 3, 10, "three events")


def test_a_broker_that_has_forgotten_everything_is_told_again(mosquitto: Mosquitto) -> None:
    async def test() -> None:
        desk = Desk(mosquitto)
        assert (await desk.send(event(1))).done == 1
        mosquitto.kill(signal.SIGKILL)
        for left in mosquitto.folder.glob("*.db"):
            left.unlink()
        mosquitto.start()
        for _ in range(100):
            if (await desk.send()).error is None:
                break
            await asyncio.sleep(0.05)
        later = Listener(mosquitto.port, "#")
        wait_until(lambda: len(later.last()) == 11, 10, "what is retained")
        assert json.loads(later.last()["footfall/shop/line/door"])["in"] == 1
        assert later.last()["footfall/status"] == "online"
        later.close()
        await desk.sink.close()

    run(test)


def test_who_comes_next_goes_on_with_the_counts_of_today(mosquitto: Mosquitto, listener: Listener) -> None:
    async def test() -> None:
        desk = Desk(mosquitto)
        before = [event(number).event for number in range(1, 6)]
        desk.outbox.append([*before, event(6, ENTRY, "till", zone="till", track=3).event])
        desk.outbox.number()
        desk.position = 2  # of which some have to be sent again, and are counted already
        desk.sink = desk.open()
        again = desk.outbox.after(2, 10)
        assert (await desk.send(*again, event(7))).done == 5
        await desk.sink.close()

    run(test)
    wait_until(lambda: listener.last().get("footfall/status") == "offline", 10, "the farewell")
    assert json.loads(listener.last()["footfall/shop/line/door"])["in"] == 6
    assert json.loads(listener.last()["footfall/shop/zone/till"])["people"] == 1


def test_a_sink_that_dies_leaves_its_last_will_and_a_camera_that_goes_leaves_nothing(
    mosquitto: Mosquitto, listener: Listener
) -> None:
    async def first() -> None:
        desk = Desk(mosquitto)
        await desk.send()
        assert desk.sink._connection._client is not None
        desk.sink._connection.drop()

    run(first)
    wait_until(lambda: listener.last().get("footfall/status") == "offline", 10, "the last will")
    found = [topic for topic in listener.last() if topic.startswith("homeassistant/")]
    assert len(found) == 7

    async def next_one() -> None:
        desk = Desk(mosquitto)
        desk.records = []
        await desk.send()
        await desk.sink.close()

    run(next_one)
    wait_until(lambda: listener.last() == {"footfall/status": "offline"}, 10, "nothing to be left")


def test_what_others_have_retained_stays(mosquitto: Mosquitto, listener: Listener) -> None:
    listener.publish("footfall/lamp/state", "ON")
    listener.publish("footfall/lamp/line/x", "[" * 5000)
    listener.publish("footfall/old/line/door", json.dumps({"in": 1, "out": 2, "day": "2026-01-01"}))
    wait_until(lambda: len(listener.last()) == 3, 10, "what others have retained")

    async def test() -> None:
        desk = Desk(mosquitto)
        assert await desk.send(event(1)) == Outcome(1)
        await desk.sink.close()

    run(test)
    wait_until(lambda: "footfall/old/line/door" not in listener.last(), 10, "what is ours to be gone")
    assert {"footfall/lamp/state", "footfall/lamp/line/x"} <= listener.last().keys()


def test_who_wants_no_more_of_home_assistant_takes_back_what_it_was_told(
    mosquitto: Mosquitto, listener: Listener
) -> None:
    async def tell(**fields: bool) -> None:
        desk = Desk(mosquitto, **fields)
        await desk.send()
        await desk.sink.close()

    def found() -> list[str]:
        return [topic for topic in listener.last() if topic.startswith("homeassistant/")]

    run(lambda: tell())
    wait_until(lambda: len(found()) == 7, 10, "what is discovered")
    run(lambda: tell(home_assistant=False))
    wait_until(lambda: not found(), 10, "it to be taken back")
    assert "footfall/shop/line/door" in listener.last()


def test_what_is_retained_needs_no_event_that_somebody_wants(mosquitto: Mosquitto, listener: Listener) -> None:
    async def test() -> None:
        desk = Desk(mosquitto)
        desk.wanted = EventFilter(types=frozenset({CROSSING}))
        assert STREAM_STATE in desk.target.heard(desk.wanted).types
        desk.sink = desk.open()
        state = {"state": "running", "before": None, "error": None, "error_code": None}
        await desk.send(event(1, STREAM_STATE, "", **state), event(2), event(3, ENTRY, "till", zone="till", track=7))
        await desk.sink.close()

    run(test)
    wait_until(lambda: listener.last().get("footfall/status") == "offline", 10, "the farewell")
    assert [one["type"] for one in listener.events()] == [CROSSING]
    assert json.loads(listener.last()["footfall/shop/state"])["state"] == "running"
    assert json.loads(listener.last()["footfall/shop/zone/till"])["people"] == 1


def test_a_state_that_is_older_than_what_is_kept_stays(mosquitto: Mosquitto, listener: Listener) -> None:
    async def first() -> None:
        desk = Desk(mosquitto)
        state = {"state": "running", "before": None, "error": None, "error_code": None}
        await desk.send(event(1, STREAM_STATE, "", **state), event(2, QUEUE, "till", zone="till", over=True, people=5))
        await desk.sink.close()

    async def much_later() -> None:
        desk = Desk(mosquitto)  # whose outbox has forgotten all of it
        await desk.send(event(3))
        await desk.sink.close()

    run(first)
    run(much_later)
    wait_until(lambda: len(listener.events()) == 3, 10, "all events")
    wait_until(lambda: listener.last().get("footfall/status") == "offline", 10, "the farewell")
    assert json.loads(listener.last()["footfall/shop/state"])["state"] == "running"
    assert json.loads(listener.last()["footfall/shop/zone/till"])["queue"] is True


def test_a_database_that_is_away_takes_nobody_off_the_broker(mosquitto: Mosquitto, listener: Listener) -> None:
    async def test() -> None:
        desk = Desk(mosquitto)
        assert (await desk.send(event(1))).error is None
        desk.records = None  # type: ignore[assignment]

        def away() -> list[StreamRecord]:
            raise StoreUnavailable("the database is away")

        assert desk.sink._retained is not None
        object.__setattr__(desk.sink._retained._context, "streams", away)
        desk.sink._retained._due_s = 0.0
        assert await desk.send(event(2)) == Outcome(1)
        assert listener.last()["footfall/status"] == "online"
        await desk.sink.close()

    run(test)


def test_nothing_is_sent_to_where_nothing_may_be_sent(mosquitto: Mosquitto) -> None:
    async def test() -> None:
        target = MqttTarget.model_validate({"type": "mqtt", "host": "127.0.0.1", "port": mosquitto.port})
        sink = target.open_trial(Reach((), ("10.0.0.0/8",), setting="events.networks"))
        outcome = await sink.send([event(1)])
        assert outcome.done == 0
        assert "events.networks" in (outcome.error or "")
        await sink.close()

    run(test)
