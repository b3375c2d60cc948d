"""Events as messages of a Kafka topic."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from analytics.storage.outbox import NumberedEvent
from pipelines.errors import SourceError
from pipelines.sources.kafka_client import REFUSALS, KafkaClient, KafkaLogin
from pipelines.sources.reach import Reach
from serve.definitions.kafka_fields import Brokers, Encrypted, Mechanism, Password, TopicName, User, check_brokers
from serve.definitions.secretive import Secret
from serve.events.envelope import cloud_event
from serve.events.sinks.base import Outcome, Sink, SinkContext, Target
from serve.events.sinks.threaded import ThreadedSink

AT_ONCE = 500
WAIT_S = 10.0
"""For acknowledgements, before it is said that there are none."""
FOR_EVER_MS = 7 * 86_400_000
"""What waits for a broker is not given up: it would be overtaken by what comes after it."""
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_HEADERS = [("content-type", b"application/cloudevents+json")]


class KafkaTarget(Target):
    """A topic of Kafka; the key of each message is its stream, so a stream's events keep their order."""

    title: ClassVar = "Kafka topic"
    secrets: ClassVar = {"brokers": Secret.CREDENTIALS, "password": Secret.WHOLE}
    belongs_to: ClassVar = ("brokers", "username", "mechanism", "tls")

    type: Literal["kafka"]
    brokers: Brokers
    topic: TopicName
    username: User = None
    password: Password = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    tls: Encrypted = False

    @property
    def place(self) -> str:
        return f"{self.topic} at {self.brokers}"

    def check(self, reach: Reach) -> None:
        check_brokers(self.brokers, reach)

    def open(self, context: SinkContext) -> Sink:
        return self.open_trial(context.reach)

    def open_trial(self, reach: Reach) -> Sink:
        login = KafkaLogin(self.username, self.password, self.mechanism, self.tls)
        brokers = [broker.strip() for broker in self.brokers.split(",")]
        return KafkaSink(brokers, self.topic, login, reach)


class KafkaSink(ThreadedSink):
    """Writes each event as a CloudEvent in JSON; see `serve.events.sinks.base.Sink`.

    An idempotent producer writes each message once, in order, as long as it lives. So what has been handed to it stays
    handed, however long no broker answers; only what a producer took with it when it ended is written again.

    Args:
        brokers: ``host:port`` each.
        topic: that is written to.
        login: user, password, TLS.
        reach: what may be reached.
        options: of the producer, for tests.
    """

    at_once = AT_ONCE
    idle_s = None

    def __init__(self, brokers: Sequence[str], topic: str, login: KafkaLogin, reach: Reach, **options: Any) -> None:
        super().__init__("kafka-sink")
        self._topic = topic
        self._place = f"the topic {topic}"
        self._make: Callable[[], KafkaClient] = lambda: KafkaClient(
            login,
            reach,
            bootstrap_servers=list(brokers),
            client_id="footfall",
            delivery_timeout_ms=FOR_EVER_MS,
            max_block_ms=int(WAIT_S * 1000),
            bootstrap_timeout_ms=int(WAIT_S * 1000),
            request_timeout_ms=int(WAIT_S * 1000),
            reconnect_backoff_max_ms=2000,
            linger_ms=5,
            metrics_enabled=False,
            **options,
        )
        self._client: KafkaClient | None = None
        self._producer: KafkaProducer | None = None
        self._handed: deque[tuple[int, Any, str | None]] = deque()
        """Numbers, with the promise of an acknowledgement, or why there is none."""

    def _send(self, events: Sequence[NumberedEvent]) -> Outcome:
        try:
            self._hand(events)
        except (KafkaError, SourceError, OSError, ValueError) as error:
            self._give_up()
            return Outcome(0, error=f"{self._place} cannot be written: {_reason(error)}")
        return self._acknowledged(events)

    def _hand(self, events: Sequence[NumberedEvent]) -> None:
        """Give a producer what it has not got yet."""
        if self._producer is None:
            self._give_up()  # a client whose producer could not be opened, whatever that was
            self._client = self._make()
            self._producer = self._client.open_producer()
        newest = self._handed[-1][0] if self._handed else 0
        for one in events:
            if one.number <= newest:
                continue
            body = json.dumps(cloud_event(one)).encode()
            future, reason = None, None
            try:
                future = self._producer.send(
                    self._topic, body, key=one.event.context.stream.encode(), headers=list(_HEADERS)
                )
            except _TOO_LARGE as error:
                reason = _reason(error)
            self._handed.append((one.number, future, reason))

    def _acknowledged(self, events: Sequence[NumberedEvent]) -> Outcome:
        """Wait for brokers to confirm, in order."""
        until_s = time.monotonic() + WAIT_S
        done, dead = 0, list[tuple[NumberedEvent, str]]()
        for one in events:
            number, future, reason = self._handed[0]
            if number != one.number:  # somebody went back
                self._give_up()
                return Outcome(done, dead, f"{self._place} is begun anew")
            try:
                if future is not None:
                    future.get(timeout=max(0.0, until_s - time.monotonic()))
            except _TOO_LARGE as error:
                reason = _reason(error)
            except KafkaError as error:
                refusal = self._client.refusal if self._client is not None else None
                if refusal is not None or future is None or future.is_done:  # it gives up, with all that comes after
                    self._give_up()
                return Outcome(done, dead, f"{self._place} cannot be written: {_reason(refusal or error)}")
            self._handed.popleft()
            done += 1
            if reason is not None:
                dead.append((one, f"{self._place}: {reason}"))
        return Outcome(done, dead)

    def _give_up(self) -> None:
        client, self._client, self._producer = self._client, None, None
        self._handed.clear()
        if client is not None:
            client.close()

    def _let_go(self) -> None:
        self._give_up()


def _reason(error: Exception) -> str:
    """In words, without what kafka-python says of its own insides."""
    if isinstance(error, REFUSALS):
        return "the brokers refuse the user or the password"
    if isinstance(error, SourceError):
        return str(error)
    if isinstance(error, _TOO_LARGE):
        return "the event is too large"
    return f"no broker answers ({type(error).__name__})"
