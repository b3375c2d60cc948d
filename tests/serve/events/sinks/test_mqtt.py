"""What is made of a broker's answers; the rest is tried with a real one, in tests/integration/sinks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import ValidationError

from analytics.storage.outbox import EVERYTHING
from pipelines.errors import SourceNotAllowed
from serve.events.sinks import mqtt as mqtt_module
from serve.events.sinks.base import Outcome
from serve.events.sinks.home_assistant import Topics
from serve.events.sinks.mqtt import MqttSink, MqttTarget
from serve.events.sinks.mqtt_connection import Connection, Sent
from serve.events.sinks.retained import Retained
from tests.serve.events.sinks.test_webhook import NEAR, event

TOPIC = "footfall/shop/events/footfall.crossing.v1"


@dataclass
class Answer:
    """What becomes of a message."""

    failure: int | None = None
    confirmed: bool = True

    def arrived(self, timeout_s: float) -> bool:
        return self.confirmed


@dataclass
class Broker:
    """A `Connection` whose broker answers as it is told to."""

    answers: list[Answer]
    sent: list[str] = field(default_factory=list)
    drops: int = 0
    forgotten: int = 0
    new: bool = False

    def ensure(self) -> bool:
        new, self.new = self.new, False
        return new

    def publish(self, topic: str, text: str, **_: Any) -> Answer:
        self.sent.append(topic)
        return self.answers.pop(0)

    def drop(self) -> None:
        self.drops += 1

    def forget(self) -> None:
        self.forgotten += 1

    def leave(self) -> None: ...


class Beside:
    """`Retained`, with a message each time."""

    begun = 0

    def begin(self, _: Any) -> None:
        self.begun += 1

    def note(self, _: Any) -> None: ...

    def tell(self, connection: Broker) -> list[Answer]:
        return [connection.publish("footfall/shop/line/door", "{}")]


def send(broker: Broker, count: int, retained: Any = None, times: int = 1) -> Outcome:
    async def whole() -> Outcome:
        topics = Topics("footfall", "homeassistant", "footfall_main")
        sink = MqttSink(cast(Connection, broker), topics, EVERYTHING, cast(Retained, retained))
        try:
            outcomes = [await sink.send([event(number) for number in range(1, count + 1)]) for _ in range(times)]
            return outcomes[-1]
        finally:
            await sink.close()

    return asyncio.run(whole())


def test_what_a_broker_refuses_as_it_is_is_dead_and_the_others_arrive() -> None:
    broker = Broker([Answer(), Answer(0x95), Answer()])
    outcome = send(broker, 3)
    assert (outcome.done, [one.number for one, _ in outcome.refused], outcome.error) == (3, [2], None)
    assert broker.sent == [TOPIC] * 3


@pytest.mark.parametrize(("reason", "answered"), [(0x80, True), (0x83, True), (0x87, False), (0x97, False)])
def test_what_it_refuses_for_another_reason_is_tried_again(reason: int, answered: bool) -> None:
    """And if it is not this event's fault, for as long as it takes; the broker stays connected."""
    broker = Broker([Answer(), Answer(reason), Answer()])
    assert send(broker, 3) == Outcome(1, error=f"the broker refuses events (reason {reason:#x})", answered=answered)
    assert broker.drops == 0


def test_once_it_takes_events_again_it_is_told_all_that_it_is_to_retain() -> None:
    """Whoever may not write for a while stays connected, and what was retained meanwhile is nowhere."""
    beside = Beside()
    broker = Broker([Answer(0x87), Answer(0x87), Answer(), Answer(), Answer(), Answer()])
    assert send(broker, 1, beside, times=3).error is None
    assert (beside.begun, broker.forgotten, broker.drops) == (1, 1, 0)


def test_what_it_does_not_confirm_is_sent_on_another_connection() -> None:
    broker = Broker([Answer(), Answer(confirmed=False), Answer()])
    assert send(broker, 3) == Outcome(1, error="the broker does not confirm what it is sent")
    assert broker.drops == 1


def test_where_it_retains_nothing_events_arrive_and_that_is_told() -> None:
    outcome = send(Broker([Answer(), Answer(0x87)]), 1, Beside())
    assert outcome == Outcome(1, error="the broker refuses what it is to retain (reason 0x87)")
    assert send(Broker([Answer(), Answer(confirmed=False)]), 1, Beside()).done == 1


@pytest.mark.parametrize(("after_s", "tellings"), [(0.0, 2), (60.0, 1)])
def test_what_it_did_not_retain_is_offered_again_before_long(
    after_s: float, tellings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_module, "AGAIN_S", after_s)
    beside = Beside()
    outcome = send(Broker([Answer(0x97), Answer()], new=True), 0, beside, times=2)
    assert beside.begun == tellings
    assert (outcome.error is None) == (tellings == 2)


def test_what_was_said_against_a_message_is_not_said_against_the_next_with_its_number() -> None:
    connection = Connection(MqttTarget.model_validate({"type": "mqtt", "host": "127.0.0.1"})._broker, NEAR, "", None)
    for reason in (0x90, 0x00):
        connection._published(cast(Any, None), None, 7, ReasonCode(PacketTypes.PUBACK, identifier=reason), None)
    assert Sent(connection, MQTTMessageInfo(7)).failure is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "a/b"}, "match"),
        ({"port": 0}, "greater"),
        ({"prefix": "a/+/b"}, "match"),
        ({"prefix": "/a"}, "match"),
        ({"discovery_prefix": "#"}, "match"),
        ({"timezone": "../../etc/passwd"}, "time zone"),
        ({"timezone": "Mars/Phobos"}, "time zone"),
        ({"timezone": "0" * 100}, "time zone"),
        ({"version": "4"}, "5"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        MqttTarget.model_validate({"type": "mqtt", "host": "127.0.0.1", **fields})


def test_a_broker_elsewhere_is_refused() -> None:
    with pytest.raises(SourceNotAllowed, match=r"events\.networks"):
        MqttTarget.model_validate({"type": "mqtt", "host": "8.8.8.8"}).check(NEAR)
