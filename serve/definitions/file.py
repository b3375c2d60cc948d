"""Recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field

from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.file import FileSource
from pipelines.sources.reach import Reach
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import form

LATEST_S = 4_102_444_800.0
"""The year 2100: a moment beyond it is a mistake, such as milliseconds."""


class FileDefinition(SourceDefinition):
    """A recording on the reader's disk."""

    title: ClassVar = "Recording"
    live: ClassVar = False
    secrets: ClassVar = {}

    type: Literal["file"]
    path: str = Field(
        min_length=1,
        max_length=4000,
        title="Path",
        description="On the machine of the reader, in one of the folders of sources.file_dirs.",
        json_schema_extra=form(placeholder="/recordings/monday.mp4", needed="The path of a video file is needed."),
    )
    realtime: bool = Field(
        True, title="Play at the recording's own speed", description="Otherwise as fast as possible."
    )
    start_s: float | None = Field(
        None,
        ge=0,
        le=LATEST_S,
        title="Capture time of the first frame",
        description="Seconds since the epoch; none: time of registration.",
        json_schema_extra=form(hidden=True),
    )

    def opener(self, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        del stream
        path, start_s = Path(self.path), self.start_s or 0.0
        return lambda: FileSource(path, start_s=start_s, realtime=self.realtime, reach=limits.reach)

    def check(self, reach: Reach) -> None:
        reach.path(Path(self.path))

    @property
    def origin(self) -> str:
        return f"file {self.path} {self.start_s}"

    def completed(self, known: Self | None, now_s: float) -> Self:
        """The moment of registration is the recording's start: it must be the same after every restart."""
        if self.start_s is not None:
            return self
        same = known is not None and known.path == self.path and known.start_s is not None
        return self.model_copy(update={"start_s": known.start_s if known and same else float(int(now_s))})

    def for_probe(self) -> Self:
        """Its first frames, at once."""
        return self.model_copy(update={"realtime": False})
