"""Cameras whose frames are messages of a Kafka topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field

from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_client import KafkaLogin
from pipelines.sources.reach import Reach
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import form
from serve.definitions.kafka_fields import Brokers, Encrypted, Mechanism, Password, TopicName, User, check_brokers
from serve.definitions.secretive import Secret


class KafkaDefinition(SourceDefinition):
    """A camera whose frames are messages of a topic."""

    title: ClassVar = "Kafka topic"
    live: ClassVar = False
    secrets: ClassVar = {"brokers": Secret.CREDENTIALS, "password": Secret.WHOLE}
    belongs_to: ClassVar = ("brokers", "username", "mechanism", "tls")

    type: Literal["kafka"]
    brokers: Brokers
    topic: TopicName
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
    username: User = None
    password: Password = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    tls: Encrypted = False

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
        check_brokers(self.brokers, reach)

    @property
    def origin(self) -> str:
        # Brokers come and go while the topic stays the same.
        return f"kafka {self.topic} {self.key}"
