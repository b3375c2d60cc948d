"""Bodies and answers of the REST contract, with their examples."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from serve.definitions import STREAM_ID, SourceDefinition, StreamDefinition

StreamId = Annotated[
    str,
    Path(
        pattern=f"^{STREAM_ID.pattern}$",
        description="Chosen by you: letters, digits, '_', '.', '-'.",
        examples=["entrance"],
    ),
]
_GEOMETRY_EXAMPLE: dict[str, Any] = {
    "lines": [
        {"id": "door", "name": "Door", "a": [0.5, 0.1], "b": [0.5, 0.9], "in_name": "enter", "out_name": "leave"}
    ],
    "zones": [{"id": "till", "name": "Till", "polygon": [[0.6, 0.5], [0.9, 0.5], [0.9, 0.9]], "dwell_min_s": 3}],
    "homography": None,
}
_STREAM_EXAMPLE: dict[str, Any] = {
    "name": "Entrance",
    "site": "berlin-1",
    "source": {"type": "rtsp", "url": "rtsp://user:password@192.0.2.10/stream1"},
    "analysis_fps": 6,
    "enabled": True,
}


class GeometryBody(BaseModel):
    """Lines and zones in shares of the picture; checked in full by `analytics.geometry`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _GEOMETRY_EXAMPLE})
    lines: list[dict[str, Any]] = Field(default_factory=list)
    zones: list[dict[str, Any]] = Field(default_factory=list)
    homography: list[list[float]] | None = None
    version: int | None = Field(None, description="The version that was changed; refused if it is not the newest.")

    def drawn(self) -> dict[str, Any]:
        return self.model_dump(exclude={"version"})


class StreamBody(StreamDefinition):
    """A stream to register."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": _STREAM_EXAMPLE})
    geometry: GeometryBody | None = Field(None, description="None keeps what is drawn.")


class StreamChanges(BaseModel):
    """Parts of a stream to change; what is not named stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"enabled": False}})
    name: str | None = None
    site: str | None = None
    source: SourceDefinition | None = None
    analysis_fps: float | None = Field(None, gt=0, le=120)
    enabled: bool | None = None
    model: str | None = None
    geometry: GeometryBody | None = None


class StreamView(BaseModel):
    """A stream as it is wanted and as it is."""

    model_config = ConfigDict(extra="allow")
    id: str
    name: str
    site: str
    source: dict[str, Any] = Field(description="Without credentials.")
    analysis_fps: float | None
    enabled: bool
    model: str | None
    geometry: dict[str, Any]
    state: str = Field(description="starting, running, reconnecting, stopped or failed")
    since: str
    error: str | None
    error_code: str | None
    fps_in: float = Field(description="Decoded frames a second.")
    fps_processed: float = Field(description="Analysed frames a second.")
    frame_age_s: float | None = Field(description="Age of the newest analysed frame, from its capture.")
    skipped: int = Field(description="Sampled frames that a newer one replaced.")
    reader: str | None
    epoch: int


class ProbeBody(BaseModel):
    """A source to try."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"source": {"type": "rtsp", "url": "rtsp://192.0.2.10/stream1"}}}
    )
    source: SourceDefinition
    seconds: float = Field(2.0, gt=0, le=10, description="How long to measure the frame rate.")


class ProbeResult(BaseModel):
    """What a source turned out to be."""

    ok: bool
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    measured_fps: float | None = Field(None, description="Counted, not declared.")
    declared_fps: float | None = None
    snapshot: str | None = Field(None, description="JPEG as a data URL.")
    error: str | None = Field(None, description="The reason why not.")
    error_code: str | None = None
