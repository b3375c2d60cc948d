"""Fields that say which topic of Kafka is meant, and how to log in to its brokers; for sources and sinks."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from pipelines.sources.kafka_client import host_of
from pipelines.sources.reach import Reach
from serve.definitions.fields import form

_BROKER = r"([A-Za-z_]+://)?[A-Za-z0-9._:%\[\]-]+"
_BROKERS = re.compile(rf" *{_BROKER}( *, *{_BROKER})* *")


def _are_brokers(brokers: str) -> str:
    if not _BROKERS.fullmatch(brokers):
        raise ValueError("brokers are host:port, separated by commas; user and password have fields of their own")
    return brokers


def _is_topic(topic: str) -> str:
    if not topic.strip("."):
        raise ValueError("no topic is called . or ..")
    return topic


Brokers: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        title="Brokers",
        description="host:port, several separated by commas; the settings have to allow all of them.",
        json_schema_extra={
            **form(placeholder="kafka.example.invalid:9092", needed="At least one broker is needed."),
            "pattern": f"^{_BROKERS.pattern}$",
        },
    ),
    AfterValidator(_are_brokers),
]
TopicName: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=249,
        pattern=r"^[A-Za-z0-9._-]+$",
        title="Topic",
        json_schema_extra=form(needed="A topic is needed."),
    ),
    AfterValidator(_is_topic),
]
User: TypeAlias = Annotated[str | None, Field(max_length=500, title="User", json_schema_extra=form(advanced=True))]
Password: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=500,
        title="Password",
        json_schema_extra={**form(advanced=True), "format": "password", "writeOnly": True},
    ),
]
Mechanism: TypeAlias = Annotated[
    Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"], Field(title="Log-in", json_schema_extra=form(advanced=True))
]
Encrypted: TypeAlias = Annotated[
    bool, Field(title="Encrypt the connection (TLS)", json_schema_extra=form(advanced=True))
]


def check_brokers(brokers: str, reach: Reach) -> None:
    """Raises SourceNotAllowed if any of them is out of reach."""
    for broker in brokers.split(","):
        reach.host(host_of(broker.strip()))
