"""Bodies and answers about streams, with their examples."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from analytics.geometry import COOL_DOWN_S, HOLD_S, LARGEST_ENTRY, MOST_PEOPLE, Geometry
from pipelines.sources.supervisor import StreamState
from serve.control.messages import StreamView
from serve.definitions.catalogue import AnySource
from serve.definitions.fields import AS_WHOLE
from serve.definitions.stream import STREAM_ID, AnalysisFps, ModelName, Name, StreamDefinition

StreamId = Annotated[
    str,
    Path(
        pattern=f"^{STREAM_ID.pattern}$",
        description="Chosen by you: letters, digits, '_', '.', '-'.",
        examples=["entrance"],
    ),
]
Point = Annotated[
    list[float], Field(min_length=2, max_length=2, description="x right, y down, shares of the picture in [0, 1].")
]
_GEOMETRY_EXAMPLE: dict[str, Any] = {
    "lines": [
        {"id": "door", "name": "Door", "a": [0.5, 0.1], "b": [0.5, 0.9], "in_name": "enter", "out_name": "leave"}
    ],
    "zones": [{"id": "till", "name": "Till", "polygon": [[0.6, 0.5], [0.9, 0.5], [0.9, 0.9]], "dwell_min_s": 3}],
    "homography": [[12.5, 0.0, -3.0], [0.0, 20.0, -4.0], [0.0, 0.5, 1.0]],
}
_STREAM_EXAMPLE: dict[str, Any] = {
    "name": "Entrance",
    "site": "berlin-1",
    "source": {"type": "rtsp", "url": "rtsp://user:password@camera.example.invalid/stream1"},
    "analysis_fps": 6,
    "enabled": True,
}
_VIEW_EXAMPLE: dict[str, Any] = _STREAM_EXAMPLE | {
    "id": "entrance",
    "source": {
        "type": "rtsp",
        "url": "rtsp://***@camera.example.invalid/stream1",
        "transport": "tcp",
        "verify_tls": False,
    },
    "model": "nanodet-g",
    "geometry": _GEOMETRY_EXAMPLE | {"version": 2},
    "state": "reconnecting",
    "since": "2026-03-01T09:00:00Z",
    "since_s": 1772355600.0,
    "error": "rtsp://***@camera.example.invalid/stream1 closed the connection",
    "error_code": "source-disconnected",
    "codec": "h264",
    "width": 1920,
    "height": 1080,
    "fps_in": 14.98,
    "fps_processed": 6.0,
    "frame_age_s": 0.21,
    "frames": 81230,
    "corrupt": 0,
    "reconnects": 1,
    "analysed": 32480,
    "skipped": 12,
    "source_cpu_s": 1192.4,
    "analysis_cpu_s": 390.1,
    "spooled": 0,
    "rows_lost": 0,
    "unsaved_s": 0.0,
    "weight": 0.29,
    "reader": "footfall#StreamReader#ab12cd",
    "epoch": 3,
}


def _list_of(schema: str) -> WithJsonSchema:
    """In the document a list of these, though they are not checked as such."""
    return WithJsonSchema({"type": "array", "maxItems": 64, "items": {"$ref": f"#/components/schemas/{schema}"}})


_ROW = {
    "type": "array",
    "minItems": 3,
    "maxItems": 3,
    "items": {"type": "number", "minimum": -LARGEST_ENTRY, "maximum": LARGEST_ENTRY},
}
_HOMOGRAPHY: dict[str, Any] = {
    # That there are three rows is not said: makers of types stumble over lists of bounded lists that are bounded too.
    "anyOf": [{"type": "array", "items": _ROW}, {"type": "null"}]
}


class LineBody(BaseModel):
    """A counting line; *in* is a crossing from left to right of a line drawn from top to bottom."""

    id: str = Field(pattern=f"^{STREAM_ID.pattern}$", description="Unique among lines.")
    name: str = Field("", max_length=200)
    a: Point
    b: Point
    in_name: str = Field("in", max_length=200)
    out_name: str = Field("out", max_length=200)


class PeopleLimitBody(BaseModel):
    """So many people that it is told, and so few that it is told again."""

    people: int = Field(ge=1, le=MOST_PEOPLE, description="So many, or more, and the limit is reached.")
    clear: int | None = Field(
        None, ge=0, lt=MOST_PEOPLE, description="So few, or fewer, and it is not any more; none: one less than people."
    )
    hold_s: float = Field(HOLD_S, ge=0, le=3600, description="Either has to be so for as long before it is told.")
    cool_down_s: float = Field(
        COOL_DOWN_S, ge=0, le=86400, description="Least time from telling that it is reached to telling so again."
    )


class ZoneLimitsBody(BaseModel):
    """What is told of a zone as an event, beside who comes and who leaves."""

    dwell_s: float | None = Field(None, ge=0, le=86400, description="A visit that lasts longer; none: none does.")
    queue: PeopleLimitBody | None = Field(None, description="Of people who have been there for the zone's dwell_min_s.")
    occupancy: PeopleLimitBody | None = Field(None, description="Of everybody in it.")


class ZoneBody(BaseModel):
    """An area of floor."""

    id: str = Field(pattern=f"^{STREAM_ID.pattern}$", description="Unique among zones.")
    name: str = Field("", max_length=200)
    polygon: list[Point] = Field(min_length=3, max_length=64, description="Its corners; it may not cross itself.")
    dwell_min_s: float = Field(3.0, ge=0, le=3600, description="A stay of at least this counts for the dwell times.")
    limits: ZoneLimitsBody | None = Field(None, description="What is told of it as soon as it happens.")


class GeometryBody(BaseModel):
    """Lines and zones in shares of the picture."""

    # What is drawn is checked by `analytics.geometry` alone: one set of rules, and one voice that explains them.
    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": _GEOMETRY_EXAMPLE})
    lines: Annotated[list[Any], _list_of("LineBody")] = Field(default_factory=list)
    zones: Annotated[list[Any], _list_of("ZoneBody")] = Field(default_factory=list)
    homography: Annotated[Any, WithJsonSchema(_HOMOGRAPHY)] = Field(
        None, description="3 x 3, picture to floor plan metres, row by row; none if nobody measured it."
    )
    version: Annotated[int, Field(ge=1, le=2**31 - 1), AS_WHOLE] | None = Field(
        None, description="The version that was changed; refused if it is not the newest."
    )

    def parsed(self) -> Geometry:
        """Raises GeometryError if it makes no sense."""
        return Geometry.drawn({"lines": self.lines, "zones": self.zones, "homography": self.homography})


class GeometryAnswer(BaseModel):
    """What is drawn."""

    model_config = ConfigDict(json_schema_extra={"example": _GEOMETRY_EXAMPLE | {"version": 2}})
    lines: list[LineBody]
    zones: list[ZoneBody]
    homography: Annotated[Any, WithJsonSchema(_HOMOGRAPHY)]
    version: int = Field(description="1 for the first, one more with every change.")

    @classmethod
    def of(cls, view: StreamView) -> Self:
        return cls.model_validate({**view.geometry.to_json(), "version": view.geometry_version})


class StreamBody(StreamDefinition):
    """A stream to register."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": _STREAM_EXAMPLE})
    geometry: GeometryBody | None = Field(None, description="None keeps what is drawn.")

    def definition(self) -> StreamDefinition:
        return StreamDefinition.model_construct(**{name: getattr(self, name) for name in StreamDefinition.model_fields})


def _nothing_by_default(schema: dict[str, Any]) -> None:
    """What is left out stays as it is, so there are no defaults to show; and null is a value only where it says so."""
    for field in schema["properties"].values():
        field.pop("default", None)
    schema["example"] = {"enabled": False}


class StreamChanges(BaseModel):
    """Parts of a stream to change; what is not named stays."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_nothing_by_default)
    # None as a default is no value that can be sent: only what was sent is read.
    name: Name = None  # type: ignore[assignment]
    site: Name = None  # type: ignore[assignment]
    source: AnySource = None  # type: ignore[assignment]
    analysis_fps: AnalysisFps | None = None
    enabled: bool = None  # type: ignore[assignment]
    model: ModelName | None = None
    geometry: GeometryBody | None = None


class StreamAnswer(BaseModel):
    """A stream as it is wanted and as it is."""

    model_config = ConfigDict(json_schema_extra={"example": _VIEW_EXAMPLE})
    id: str
    name: str
    site: str
    source: dict[str, Any] = Field(description="As its type in `/source-types` has it, without secrets.")
    analysis_fps: float | None
    enabled: bool
    model: str | None
    geometry: GeometryAnswer
    state: StreamState
    since: str = Field(description="When the state began, RFC 3339.")
    since_s: float = Field(description="The same, seconds since the epoch.")
    error: str | None = Field(description="What is wrong, for people.")
    error_code: str | None = Field(description="What is wrong, for machines.")
    codec: str | None
    width: int | None = Field(description="Of the picture, pixels.")
    height: int | None
    fps_in: float = Field(description="Decoded frames a second.")
    fps_processed: float = Field(description="Analysed frames a second.")
    frame_age_s: float | None = Field(description="Age of the newest analysed frame, from its capture.")
    frames: int = Field(description="Decoded since the reader took the stream up.")
    corrupt: int = Field(description="Of these, with missing parts.")
    reconnects: int
    analysed: int = Field(description="Frames in which people were looked for.")
    skipped: int = Field(description="Sampled frames that a newer one replaced.")
    source_cpu_s: float = Field(description="CPU seconds for receiving, decoding and scaling.")
    analysis_cpu_s: float = Field(description="CPU seconds from there on, as far as the reader spent them itself.")
    spooled: int = Field(description="Checkpoints that wait on disk for the database.")
    rows_lost: int = Field(description="Minutes that neither database nor disk could keep.")
    unsaved_s: float = Field(description="How long the database has not taken the stream's rows; zero while it does.")
    weight: float | None = Field(description="CPU cores that it takes; none until that was measured.")
    reader: str | None
    epoch: int


class SourceType(BaseModel):
    """A type of source, and how a form for it looks."""

    type: str = Field(examples=["rtsp"])
    title: str = Field(examples=["RTSP camera"])
    description: str
    live: bool = Field(description="True: the newest frame wins. False: no frame is skipped.")
    document: dict[str, Any] = Field(
        alias="schema",
        description="JSON Schema of the source's document. `title` is a field's label, `description` its hint; "
        "`x-placeholder`, `x-needed`, `x-advanced`, `x-hidden` and `x-labels` are for forms.",
    )


class ProbeBody(BaseModel):
    """A source to try."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={"example": {"source": {"type": "rtsp", "url": "rtsp://camera.example.invalid/stream1"}}},
    )
    source: AnySource
    seconds: float = Field(2.0, gt=0, le=10, description="How long to measure the frame rate.")


class ProbeAnswer(BaseModel):
    """What a source turned out to be."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "ok": True,
                "codec": "h264",
                "width": 1920,
                "height": 1080,
                "measured_fps": 14.98,
                "declared_fps": 25.0,
                "snapshot": "data:image/jpeg;base64,/9j/4AAQSkZJRg==",
            }
        },
    )
    ok: bool
    codec: str | None
    width: int | None
    height: int | None
    measured_fps: float | None = Field(description="Counted, not declared.")
    declared_fps: float | None
    snapshot: str | None = Field(
        description="JPEG as a data URL; in coarse blocks, since people are not looked for, unless "
        "`privacy.blur_people` is off."
    )
    error: str | None = Field(None, description="The reason why not.")
    error_code: str | None = None
