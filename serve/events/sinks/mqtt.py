"""Events as MQTT messages, with retained counts and states beside them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from analytics.errors import StoreError
from analytics.events import TEST
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent
from pipelines.sources.reach import Reach
from serve.definitions.fields import Whole, form
from serve.definitions.secretive import Secret
from serve.events.envelope import cloud_event
from serve.events.sinks.base import Outcome, Sink, SinkContext, Target
from serve.events.sinks.home_assistant import Topics, node_of
from serve.events.sinks.ledger import NOTED
from serve.events.sinks.mqtt_connection import WAIT_S, Broker, Connection, NotConnected, Sent
from serve.events.sinks.retained import Retained
from serve.events.sinks.threaded import ThreadedSink

AT_ONCE = 500
IDLE_S = 2.0
AGAIN_S, LONGEST_S = 60.0, 3600.0
"""After which what was not to be retained is offered once more; twice as long each time."""
_REFUSED: Mapping[int, str] = {0x90: "its topic is refused", 0x95: "it is too large", 0x99: "it is refused as it is"}
"""Reason codes that are the message's fault."""
_SINK_IS_WRONG = frozenset({0x87, 0x97})
"""Not authorised, over a quota: no other event would fare better, and none is to die of it."""
_PREFIX = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"


class MqttTarget(Target):
    """A broker that gets each event as a message, and retains what was counted today and how cameras are."""

    title: ClassVar = "MQTT broker"
    secrets: ClassVar = {"password": Secret.WHOLE}
    belongs_to: ClassVar = ("host", "port", "username", "tls")

    type: Literal["mqtt"]
    host: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9._:%-]+$",
        title="Host",
        description="Of the broker; it has to be in events.networks.",
        json_schema_extra=form(placeholder="broker.example.invalid", needed="A host is needed."),
    )
    port: Whole = Field(1883, ge=1, le=65535, title="Port")
    tls: bool = Field(False, title="Encrypt the connection (TLS)", json_schema_extra=form(advanced=True))
    username: str | None = Field(None, max_length=500, title="User", json_schema_extra=form(advanced=True))
    password: str | None = Field(
        None,
        max_length=500,
        title="Password",
        json_schema_extra={**form(advanced=True), "format": "password", "writeOnly": True},
    )
    version: Literal["5", "3.1.1"] = Field("5", title="Version of MQTT", json_schema_extra=form(advanced=True))
    prefix: str = Field(
        "footfall",
        max_length=200,
        pattern=_PREFIX,
        title="Prefix of topics",
        description="Two services on one broker need two.",
        json_schema_extra=form(advanced=True),
    )
    home_assistant: bool = Field(True, title="Let Home Assistant find cameras, lines and zones")
    discovery_prefix: str = Field(
        "homeassistant",
        max_length=200,
        pattern=_PREFIX,
        title="Prefix that Home Assistant looks at",
        json_schema_extra=form(advanced=True),
    )
    timezone: str = Field(
        "UTC",
        max_length=100,
        title="Time zone",
        description="Whose midnight ends the day of the retained counts, such as Europe/Berlin.",
        json_schema_extra=form(advanced=True),
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("this time zone is not known; one such as Europe/Berlin is needed") from None
        return name

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def claim(self) -> str:
        return f"{self.place}/{self.prefix}"

    def heard(self, wanted: EventFilter) -> EventFilter:
        """What is retained needs more than what somebody wants to hear of."""
        return replace(wanted, types=wanted.types | NOTED) if wanted.types else wanted

    @property
    def _broker(self) -> Broker:
        return Broker(self.host, self.port, self.username, self.password, self.tls, self.version)

    def check(self, reach: Reach) -> None:
        reach.host(self.host)

    def open(self, context: SinkContext) -> Sink:
        topics = Topics(self.prefix, self.discovery_prefix, node_of(self.prefix, context.id))
        name = hashlib.sha256(f"{self.prefix}/{context.id}".encode()).hexdigest()[:12]
        connection = Connection(self._broker, context.reach, f"footfall-{name}", topics.status)
        retained = Retained(topics, context, ZoneInfo(self.timezone), self.home_assistant)
        return MqttSink(connection, topics, context.wanted, retained)

    def open_trial(self, reach: Reach) -> Sink:
        topics = Topics(self.prefix, self.discovery_prefix, "")
        return MqttSink(Connection(self._broker, reach, "", None), topics, EVERYTHING, None)


class MqttSink(ThreadedSink):
    """Publishes each event as a CloudEvent in JSON; see `serve.events.sinks.base.Sink`.

    Args:
        connection: to the broker; closed at the end.
        topics: where events go.
        wanted: those that are published; it may be handed others.
        retained: what is kept beside; None: nothing.
    """

    at_once = AT_ONCE
    idle_s = IDLE_S

    def __init__(self, connection: Connection, topics: Topics, wanted: EventFilter, retained: Retained | None) -> None:
        super().__init__("mqtt-sink")
        self._connection = connection
        self._topics = topics
        self._wanted = wanted
        self._retained = retained
        self._refused: str | None = None
        self._told = True
        """Whether the broker has been told all that it is to retain, since it is connected."""
        self._again_s, self._pause_s = 0.0, AGAIN_S

    def _send(self, events: Sequence[NumberedEvent]) -> Outcome:
        try:
            is_new = self._connection.ensure()
            if is_new or not self._told or self._may_take_it_now:
                self._pause_s = AGAIN_S if is_new or self._refused is None else min(2 * self._pause_s, LONGEST_S)
                self._refused, self._told = None, False
                self._connection.forget()
                if self._retained is not None:
                    self._retained.begin(self._connection)
                self._told, self._again_s = True, time.monotonic() + self._pause_s
            return self._publish(events)
        except NotConnected as error:
            return Outcome(0, error=f"the broker cannot be reached: {error}")
        except StoreError as error:
            self._told = False
            return Outcome(0, error=f"what was before is not known: {error}")

    @property
    def _may_take_it_now(self) -> bool:
        """Whether what the broker refused to retain is to be tried again."""
        return self._refused is not None and time.monotonic() >= self._again_s

    def _publish(self, events: Sequence[NumberedEvent]) -> Outcome:
        sent = [self._publish_one(one) for one in events]
        beside = [] if self._retained is None else self._retained.tell(self._connection)
        until_s = time.monotonic() + WAIT_S
        dead = list[tuple[NumberedEvent, str]]()
        for done, (one, message) in enumerate(zip(events, sent, strict=True)):
            if message is None:
                continue
            if not message.arrived(until_s - time.monotonic()):
                return self._lost(done, dead)
            failure = message.failure
            if failure is not None and failure in _REFUSED:
                dead.append((one, f"the broker says that {_REFUSED[failure]}"))
            elif failure is not None:
                answered = failure not in _SINK_IS_WRONG
                self._told = False  # whatever became of what was sent behind it
                return Outcome(done, dead, f"the broker refuses events (reason {failure:#x})", answered=answered)
        for message in beside:
            if not message.arrived(until_s - time.monotonic()):
                return self._lost(len(events), dead)  # all of it is told anew with the next connection
            if (failure := message.failure) is not None:
                self._refused = f"the broker refuses what it is to retain (reason {failure:#x})"
        return Outcome(len(events), dead, self._refused)

    def _publish_one(self, one: NumberedEvent) -> Sent | None:
        if self._retained is not None:
            self._retained.note(one)
        if not self._wanted.fits(one.event) and one.event.type != TEST:
            return None
        topic = self._topics.events(one.event.context.stream, one.event.type)
        return self._connection.publish(topic, json.dumps(cloud_event(one)), kind="application/cloudevents+json")

    def _lost(self, done: int, dead: list[tuple[NumberedEvent, str]]) -> Outcome:
        self._connection.drop()
        return Outcome(done, dead, "the broker does not confirm what it is sent")

    def _let_go(self) -> None:
        self._connection.leave()
