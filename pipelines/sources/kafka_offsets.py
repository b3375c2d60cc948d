"""Up to where a broker's partitions are filled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition

from pipelines.errors import SourceNotFound
from pipelines.sources.kafka_client import Cluster
from pipelines.sources.kafka_place import PartitionPlace

BELIEVED_S = 1.0
"""For so long it is believed what a broker said: many cameras begin at once."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """Of a topic's partitions: the first message that there is, and the one behind the last."""

    first: Mapping[int, int]
    end: Mapping[int, int]


def _before(offsets: Offsets, places: Mapping[int, PartitionPlace]) -> bool:
    return any(place.next > offsets.end.get(number, place.next) for number, place in places.items())


class TopicOffsets:
    """Asks for offsets of topics, in the thread that may use the consumer.

    Args:
        consumer: that asks.
        cluster: that it belongs to.
    """

    def __init__(self, consumer: KafkaConsumer, cluster: Cluster) -> None:
        self._consumer = consumer
        self._cluster = cluster
        self._known: dict[str, tuple[float, Offsets]] = {}

    def of(self, topic: str, places: Mapping[int, PartitionPlace] | None = None) -> Offsets:
        """No older than `BELIEVED_S`, and not from before somebody was there.

        Args:
            topic: of which.
            places: where somebody goes on: one that lies behind an end which is believed is no sign of a topic that
                was made anew, but of one that has moved on.

        Raises:
            SourceNotFound: there is no such topic.
            KafkaError: no answer.
        """
        now_s = time.monotonic()
        known = self._known.get(topic)
        if known is not None and now_s - known[0] < BELIEVED_S and not _before(known[1], places or {}):
            return known[1]
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            raise SourceNotFound(f"broker {','.join(self._cluster.brokers)} has no topic {topic!r}")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        wait_ms = int(self._cluster.limits.open_s * 1000)
        first = self._consumer.beginning_offsets(partitions, timeout_ms=wait_ms)
        end = self._consumer.end_offsets(partitions, timeout_ms=wait_ms)
        found = Offsets({p.partition: first[p] for p in partitions}, {p.partition: end[p] for p in partitions})
        self._known[topic] = now_s, found
        return found

    def forget(self, topic: str) -> None:
        """Ask anew next time."""
        self._known.pop(topic, None)
