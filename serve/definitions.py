"""What a registered stream is, as the REST contract has it, and the source that its definition makes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.redaction import HIDDEN, redact, same_but_redacted, without_credentials
from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.file import FileSource
from pipelines.sources.kafka import KafkaLogin, KafkaSource
from pipelines.sources.rtsp import RtspSource
from pipelines.sources.simulator import SceneSettings, SimulatorSource

STREAM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_STRICT = ConfigDict(extra="forbid", frozen=True)


class RtspDefinition(BaseModel):
    """A camera that speaks RTSP."""

    model_config = _STRICT
    type: Literal["rtsp"]
    url: str = Field(max_length=2000, description="rtsp:// or rtsps://, with user and password where needed.")
    transport: Literal["tcp", "udp"] = "tcp"
    verify_tls: bool = Field(False, description="Check the certificate of an rtsps camera.")

    @field_validator("url")
    @classmethod
    def _rtsp(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:  # its text may hold a part of the password
            raise ValueError("the URL cannot be read: special characters of a password must be escaped") from None
        if parts.scheme not in ("rtsp", "rtsps") or not host:
            raise ValueError("the URL must look like rtsp://HOST/PATH or rtsps://HOST/PATH")
        if any(character.isspace() for character in url):
            raise ValueError("the URL holds white space; in a password it must be escaped as %20")
        return url


class KafkaDefinition(BaseModel):
    """A camera whose frames are messages of a topic."""

    model_config = _STRICT
    type: Literal["kafka"]
    brokers: str = Field(min_length=1, max_length=2000, description="host:port, comma-separated.")
    topic: str = Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")
    key: str | None = Field(None, max_length=1000, description="Key of the camera's messages; none: all messages.")
    start: Literal["latest", "earliest"] = Field("latest", description="Where to begin the first time.")
    username: str | None = Field(None, max_length=500)
    password: str | None = Field(None, max_length=500)
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: bool = False


class FileDefinition(BaseModel):
    """A recording on the reader's disk."""

    model_config = _STRICT
    type: Literal["file"]
    path: str = Field(min_length=1, max_length=4000)
    realtime: bool = Field(True, description="Play at the recording's own speed; false: as fast as possible.")
    start_s: float | None = Field(None, description="Capture time of the first frame; none: time of registration.")


class SimulatorDefinition(BaseModel):
    """Simulated people, rendered in the reader."""

    model_config = _STRICT
    type: Literal["simulator"]
    scene: SceneSettings = SceneSettings()


SourceDefinition = Annotated[
    RtspDefinition | KafkaDefinition | FileDefinition | SimulatorDefinition, Field(discriminator="type")
]


class StreamDefinition(BaseModel):
    """All that is wanted of a stream, but its geometry."""

    model_config = _STRICT
    name: str = Field("", max_length=200)
    site: str = Field("", max_length=200)
    source: SourceDefinition
    # Below one, frames lie as far apart as gaps, and nobody can be followed from one to the next.
    analysis_fps: float | None = Field(6.0, ge=1, le=120, description="Analysed frames a second; none: every frame.")
    enabled: bool = True
    model: str | None = Field(None, max_length=500, description="None: the service's own; it is the only one for now.")

    def redacted(self) -> dict[str, Any]:
        """As JSON without credentials, for answers."""
        document = self.model_dump(mode="json")
        source = document["source"]
        if source["type"] == "rtsp":
            source["url"] = redact(source["url"])
        elif source["type"] == "kafka":
            source["brokers"] = redact(source["brokers"])
            if source.get("password"):
                source["password"] = HIDDEN
        return document

    def with_secrets_of(self, stored: StreamDefinition) -> StreamDefinition:
        """With the stored credentials where a client sent back the redacted ones that it was shown.

        Only for the place that they belong to: whoever may change a definition must not have them sent elsewhere.
        """
        mine, theirs = self.source, stored.source
        if isinstance(mine, RtspDefinition) and isinstance(theirs, RtspDefinition):
            if HIDDEN in mine.url and same_but_redacted(mine.url, theirs.url):
                return self.model_copy(update={"source": mine.model_copy(update={"url": theirs.url})})
        elif isinstance(mine, KafkaDefinition) and isinstance(theirs, KafkaDefinition) and mine.password == HIDDEN:
            place = (theirs.brokers, theirs.username, theirs.mechanism, theirs.tls)
            if (mine.brokers, mine.username, mine.mechanism, mine.tls) == place:
                return self.model_copy(update={"source": mine.model_copy(update={"password": theirs.password})})
        return self

    def refuse_hidden(self) -> None:
        """A hidden password that belongs to nothing known is a mistake, not a password.

        Raises:
            ValueError: the source still says ``***`` where a password should stand.
        """
        source = self.source
        hidden = isinstance(source, RtspDefinition) and f"//{HIDDEN}@" in source.url
        if hidden or (isinstance(source, KafkaDefinition) and source.password == HIDDEN):
            raise ValueError(f"the password is hidden ({HIDDEN}): give it again for another host or user")

    def with_start(self) -> StreamDefinition:
        """With the moment of registration as a recording's start: it must be the same after every restart."""
        source = self.source
        if isinstance(source, FileDefinition) and source.start_s is None:
            return self.model_copy(update={"source": source.model_copy(update={"start_s": float(int(time.time()))})})
        return self


def source_factory(stream: str, source: SourceDefinition, limits: SourceLimits) -> Callable[[], Source]:
    """A maker of fresh sources, one per attempt to connect."""
    match source:
        case RtspDefinition():
            return lambda: RtspSource(
                source.url, transport=source.transport, limits=limits, verify_tls=source.verify_tls
            )
        case KafkaDefinition():
            login = KafkaLogin(source.username, source.password, source.mechanism, source.tls)
            return lambda: KafkaSource(
                source.brokers,
                source.topic,
                source.key,
                group=f"footfall-{stream}",
                start=source.start,
                login=login,
                limits=limits,
            )
        case FileDefinition():
            return lambda: FileSource(Path(source.path), start_s=source.start_s or 0.0, realtime=source.realtime)
        case SimulatorDefinition():
            return lambda: SimulatorSource(source.scene)


def origin_of(source: SourceDefinition) -> str:
    """What a source shows, in a word that changes with it: state of one camera means nothing for another.

    Credentials, transport and waiting habits may change without the camera being another.
    """
    match source:
        case RtspDefinition():
            return f"rtsp {without_credentials(source.url)}"
        case KafkaDefinition():
            return f"kafka {source.topic} {source.key}"
        case FileDefinition():
            return f"file {source.path} {source.start_s}"
        case SimulatorDefinition():
            return f"simulator {source.scene}"


def is_live(source: SourceDefinition) -> bool:
    """Whether the newest frame wins: cameras, and recordings that are played like one are not."""
    return isinstance(source, RtspDefinition | SimulatorDefinition)
