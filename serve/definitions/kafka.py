"""Cameras whose frames are messages of a Kafka topic."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_client import KafkaLogin, host_of
from pipelines.sources.reach import Reach
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import form
from serve.definitions.secretive import Secret

_BROKER = r"([A-Za-z_]+://)?[A-Za-z0-9._:%\[\]-]+"
BROKERS = re.compile(rf" *{_BROKER}( *, *{_BROKER})* *")


class KafkaDefinition(SourceDefinition):
    """A camera whose frames are messages of a topic."""

    title: ClassVar = "Kafka topic"
    live: ClassVar = False
    secrets: ClassVar = {"brokers": Secret.CREDENTIALS, "password": Secret.WHOLE}
    belongs_to: ClassVar = ("brokers", "username", "mechanism", "tls")

    type: Literal["kafka"]
    brokers: str = Field(
        min_length=1,
        max_length=2000,
        title="Brokers",
        description="host:port, several separated by commas.",
        json_schema_extra={
            **form(placeholder="kafka.example.invalid:9092", needed="At least one broker is needed."),
            "pattern": f"^{BROKERS.pattern}$",
        },
    )
    topic: str = Field(
        min_length=1,
        max_length=249,
        pattern=r"^[A-Za-z0-9._-]+$",
        title="Topic",
        json_schema_extra=form(needed="A topic is needed."),
    )
    key: str | None = Field(
        None,
        max_length=1000,
        title="Key",
        description="Key of this camera's messages. Empty: all messages of the topic.",
    )
    start: Literal["latest", "earliest"] = Field(
        "latest",
        title="Begin the first time at",
        json_schema_extra=form(
            advanced=True, labels={"latest": "the newest message", "earliest": "the oldest message"}
        ),
    )
    username: str | None = Field(None, max_length=500, title="User", json_schema_extra=form(advanced=True))
    password: str | None = Field(
        None,
        max_length=500,
        title="Password",
        json_schema_extra={**form(advanced=True), "format": "password", "writeOnly": True},
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", title="Log-in", json_schema_extra=form(advanced=True)
    )
    tls: bool = Field(False, title="Encrypt the connection (TLS)", json_schema_extra=form(advanced=True))

    @field_validator("brokers")
    @classmethod
    def _are_brokers(cls, brokers: str) -> str:
        if not BROKERS.fullmatch(brokers):
            raise ValueError("brokers are host:port, separated by commas; user and password have fields of their own")
        return brokers

    def opener(self, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        del stream
        login = KafkaLogin(self.username, self.password, self.mechanism, self.tls)
        return lambda: KafkaSource(
            self.brokers,
            self.topic,
            self.key,
            start=self.start,
            login=login,
            limits=limits,
        )

    def check(self, reach: Reach) -> None:
        for broker in self.brokers.split(","):
            reach.host(host_of(broker.strip()))

    @property
    def origin(self) -> str:
        # Brokers come and go while the topic stays the same.
        return f"kafka {self.topic} {self.key}"
