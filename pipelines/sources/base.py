"""What every source does. A source connects once; whether and when to connect again is the supervisor's business."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import av

from pipelines.sources.reach import ANYWHERE, Reach
from pipelines.types import StreamInfo

Position: TypeAlias = Mapping[str, Any]
"""Where a replayable source goes on, as JSON types; made and understood by the source alone."""


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One decoded frame.

    Attributes:
        video_frame: decoded, in whatever pixel format the codec gave.
        raw_time_s: capture time as the source knows it, seconds since the epoch; may still jump.
        position: where to go on after this frame; None if the source cannot be replayed.
        corrupt: the decoder says that parts of the picture are missing.
        fingerprint: of the packet that it was decoded from, the same on every connection to the same camera; None if
            the source cannot tell.
        shared_cpu_s: CPU seconds that a thread of several sources has spent on this one since the frame before.
    """

    video_frame: av.VideoFrame
    raw_time_s: float
    position: Position | None = None
    corrupt: bool = False
    fingerprint: int | None = None
    shared_cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one connection has come.

    Attributes:
        frames: that it has handed over.
        position: behind these, and behind everything since that is no picture of this camera.
        shard: names what a process reads once for all of its sources that say the same name; None if it shares nothing.
    """

    frames: int
    position: Position
    shard: str | None = None


class Source(Protocol):
    """One connection to one camera, topic or file.

    Constructors only remember their arguments. ``connect`` is called once, then ``frames`` is iterated by the same
    thread, and ``close`` is called in every case, also by that thread.
    """

    def connect(self, resume: Position | None) -> StreamInfo:
        """Open the source, at ``resume`` if it can be replayed; blocks for the open limit at most.

        Raises:
            SourceError: with a reason in plain words and without credentials.
        """
        ...

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Frames in order; ends when ``stop`` is set or when a recording is over.

        Raises:
            SourceError: the connection broke, fell silent, or delivers what cannot be decoded.
        """
        ...

    def reached(self) -> Reached | None:
        """How far it has come, known as soon as it is connected; None if it cannot be replayed.

        May be called from any thread; must not block.
        """
        ...

    def acknowledge(self, position: Position) -> None:
        """Everything up to ``position`` is safely stored. May be called from any thread; must not block."""
        ...

    def close(self) -> None:
        """Let go of everything; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How long to wait for a source, and what it may open.

    Attributes:
        open_s: for a connection and its first answer.
        read_s: for the next packet of an open connection.
        stall_s: for the next *frame*: a camera can send packets and no picture.
        reach: folders and networks.
    """

    open_s: float = 8.0
    read_s: float = 5.0
    stall_s: float = 10.0
    reach: Reach = ANYWHERE
