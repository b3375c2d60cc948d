"""Events at a real Kafka broker."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipelines.sources.reach import Reach
from serve.events.sinks import kafka as kafka_module
from serve.events.sinks.base import Outcome, Sink
from serve.events.sinks.kafka import KafkaTarget
from tests.integration.brokers import Broker
from tests.integration.sinks.test_mqtt import NEAR, event

pytestmark = pytest.mark.integration


@pytest.fixture
def topic() -> str:
    """Made by the broker, of three partitions, when it is first written to."""
    return f"events-{uuid.uuid4().hex[:8]}"


def sink(broker: Broker, topic: str, reach: Reach = NEAR) -> Sink:
    target = KafkaTarget.model_validate({"type": "kafka", "brokers": broker.address, "topic": topic})
    return target.open_trial(reach)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 90))


def written(broker: Broker, topic: str) -> list[Any]:
    """Messages of the topic, by partition and in their order."""
    consumer = KafkaConsumer(bootstrap_servers=[broker.address], enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in range(3)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends, found = consumer.end_offsets(partitions), []
        while any(consumer.position(one) < ends[one] for one in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def numbers(records: list[Any]) -> list[int]:
    return [int(json.loads(record.value)["sequence"]) for record in records]


def test_a_streams_events_are_in_one_partition_in_order_and_once(broker: Broker, topic: str) -> None:
    async def test() -> None:
        made = sink(broker, topic)
        assert await made.send([event(number) for number in range(1, 301)]) == Outcome(300)
        assert await made.send([event(number) for number in range(301, 311)]) == Outcome(10)
        await made.close()

    run(test)
    records = written(broker, topic)
    assert {record.key for record in records} == {b"shop"}
    assert len({record.partition for record in records}) == 1
    assert numbers(records) == list(range(1, 311))
    assert dict(records[0].headers) == {"content-type": b"application/cloudevents+json"}


def test_what_a_broker_did_not_confirm_is_handed_to_it_once(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_module, "WAIT_S", 2.0)

    async def test() -> None:
        made = sink(broker, topic)
        assert (await made.send([event(1)])).done == 1
        broker.kill()
        events = [event(number) for number in range(2, 12)]
        for _ in range(2):
            outcome = await made.send(events)
            assert outcome.done == 0
            assert "no broker answers" in (outcome.error or "")
        broker.start()
        done = 0
        while done < len(events):
            done += (await made.send(events[done:])).done
        await made.close()

    run(test)
    assert list(dict.fromkeys(numbers(written(broker, topic)))) == list(range(1, 12))


def test_a_broker_that_is_not_there_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_module, "WAIT_S", 0.5)

    async def test() -> None:
        target = KafkaTarget.model_validate({"type": "kafka", "brokers": "127.0.0.1:9", "topic": "events"})
        made = target.open_trial(NEAR)
        for _ in range(3):
            outcome = await made.send([event(1)])
            assert (outcome.done, outcome.refused) == (0, [])
            assert "no broker answers" in (outcome.error or "")
        await made.close()

    before = threading.active_count()
    run(test)
    assert threading.active_count() <= before + 1


def test_nothing_is_sent_to_where_nothing_may_be_sent(broker: Broker, topic: str) -> None:
    async def test() -> None:
        made = sink(broker, topic, Reach((), ("10.0.0.0/8",), setting="events.networks"))
        outcome = await made.send([event(1)])
        assert outcome.done == 0
        await made.close()

    run(test)
    consumer = KafkaConsumer(bootstrap_servers=[broker.address])
    assert topic not in consumer.topics()
    consumer.close()
