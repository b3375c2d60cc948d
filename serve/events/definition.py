"""What a sink is, as the REST contract has it: where events go, and which of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationInfo, WithJsonSchema, field_validator

from analytics.events import EVENT_TYPES
from analytics.storage.outbox import EventFilter
from pipelines.redaction import HIDDEN
from serve.definitions.fields import STRICT
from serve.definitions.stream import STREAM_ID, Name
from serve.errors import DefinitionRefused
from serve.events.sinks.base import Target
from serve.events.sinks.catalogue import AnyTarget

BY_SETTINGS = "by_settings"
"""Beside a stored definition: whether it is the settings' to change."""
StreamName = Annotated[str, Field(pattern=f"^{STREAM_ID.pattern}$")]
TypeName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(EVENT_TYPES)})]
SiteName = Annotated[str, Field(min_length=1, max_length=200)]


class SinkDefinition(BaseModel):
    """All that is wanted of a sink."""

    model_config = STRICT
    name: Name = Field("", description="For people.")
    enabled: bool = Field(True, description="Whether anything is sent; meanwhile events wait.")
    types: list[TypeName] = Field(
        default_factory=list, max_length=32, description="Only events of these types; none: of all."
    )
    streams: list[StreamName] = Field(default_factory=list, max_length=1000, description="Only of these streams.")
    sites: list[SiteName] = Field(default_factory=list, max_length=1000, description="Only of these sites.")
    target: AnyTarget

    @field_validator("types")
    @classmethod
    def _are_known(cls, types: list[str]) -> list[str]:
        unknown = [kind for kind in types if kind not in EVENT_TYPES]
        if unknown:
            raise ValueError(f"there are no events of type {', '.join(unknown)}; there are {', '.join(EVENT_TYPES)}")
        return types

    @field_validator("target")
    @classmethod
    def _tells(cls, target: Target, others: ValidationInfo) -> Target:
        untold = sorted(set(others.data.get("types", ())) - target.tells)
        if target.tells and untold:
            raise ValueError(f"it is not told of {', '.join(untold)}, but only of {', '.join(sorted(target.tells))}")
        return target

    @property
    def wanted(self) -> EventFilter:
        """Which events are sent."""
        types = frozenset(self.types) or self.target.tells
        return EventFilter(types, frozenset(self.streams), frozenset(self.sites))

    def redacted(self) -> dict[str, Any]:
        """As JSON without secrets, for answers."""
        return self.model_dump(mode="json") | {"target": self.target.redacted()}

    def completed(self, known: SinkDefinition | None) -> SinkDefinition:
        """With the secrets of what it replaces, where they stand in it as they were shown.

        Raises:
            DefinitionRefused: a secret is hidden, and belongs to nothing that is known.
        """
        target = self.target
        if known is not None:
            target = target.with_secrets_of(known.target)
        if target.hides_a_secret:
            raise DefinitionRefused(f"a secret is hidden ({HIDDEN}): give it again for another place or user")
        return self.model_copy(update={"target": target})


def parsed(stored: Mapping[str, Any]) -> SinkDefinition:
    """Of a stored document that was opened.

    Raises:
        ValidationError: it is none, or of a type that is not known here.
    """
    return SinkDefinition.model_validate({name: value for name, value in stored.items() if name != BY_SETTINGS})


def require_alone(sink: str, wanted: SinkDefinition, others: Mapping[str, SinkDefinition | None]) -> None:
    """Refuse what would spoil what another sink does.

    Raises:
        DefinitionRefused: the two tell of the same things in the same place.
    """
    claim = wanted.target.claim
    for name, other in others.items():
        if claim is not None and name != sink and other is not None and other.target.claim == claim:
            raise DefinitionRefused(f"the sink {name!r} is at {claim} already: give this one another prefix")
