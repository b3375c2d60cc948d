"""What a registered stream is, as the REST contract has it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pipelines.redaction import HIDDEN
from serve.definitions.catalogue import AnySource
from serve.definitions.fields import STRICT
from serve.errors import DefinitionRefused

# Below one, frames lie as far apart as gaps, and nobody can be followed from one to the next.
AnalysisFps = Annotated[float, Field(ge=1, le=120, strict=True, description="Analysed frames a second; none: all.")]
ModelName = Annotated[
    str,
    Field(min_length=1, max_length=500, description="None: the service's own; it is the only one for now."),
]
Name = Annotated[str, Field(max_length=200)]
STREAM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class StreamDefinition(BaseModel):
    """All that is wanted of a stream, but its geometry."""

    model_config = STRICT
    name: Name = ""
    site: Name = ""
    source: AnySource
    analysis_fps: AnalysisFps | None = 6.0
    enabled: bool = True
    model: ModelName | None = None

    def redacted(self) -> dict[str, Any]:
        """As JSON without secrets, for answers."""
        return self.model_dump(mode="json") | {"source": self.source.redacted()}

    def work_differs(self, other: StreamDefinition) -> bool:
        """Whether a reader has to begin anew to do the work of ``other``."""
        mine, theirs = (self.source, self.analysis_fps, self.enabled), (other.source, other.analysis_fps, other.enabled)
        return mine != theirs


def completed(wanted: StreamDefinition, known: StreamDefinition | None, now_s: float) -> StreamDefinition:
    """The definition to store for what somebody asked for.

    Args:
        wanted: as it was sent; secrets may stand in it as they were shown.
        known: what it replaces; None for a new stream.
        now_s: moment of the registration, seconds since the epoch.

    Raises:
        DefinitionRefused: a secret is hidden, and belongs to nothing that is known.
    """
    source = wanted.source
    before = known.source if known is not None and type(known.source) is type(source) else None
    if before is not None:
        source = source.with_secrets_of(before)
    if source.hides_a_secret:
        raise DefinitionRefused(
            f"the password is hidden ({HIDDEN}): give it again for another host, user or protection"
        )
    return wanted.model_copy(update={"source": source.completed(before, now_s)})
