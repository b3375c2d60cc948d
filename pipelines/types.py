"""What flows through the graph: shapes, dtypes and units are said here, once.

Pixel boxes are ``x1, y1, x2, y2`` with x right, y down and the origin in the top left corner of the *source* frame.
Times are seconds since the Unix epoch, UTC, as float64: the capture time of a frame, never the time of its processing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
Int64Array: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Image: TypeAlias = npt.NDArray[np.uint8]
"""uint8 ``[height, width, 3]``, BGR."""
ImageBatch: TypeAlias = npt.NDArray[np.uint8]
"""uint8 ``[batch, height, width, 3]``, BGR, letterboxed top left: the input of every detector."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source is, known once it is open.

    Attributes:
        codec: short name, such as ``h264`` or ``mjpeg``.
        width: of a frame, pixels.
        height: of a frame, pixels.
        declared_fps: what the container claims; never trusted for timing. None if it claims nothing.
    """

    codec: str
    width: int
    height: int
    declared_fps: float | None = None


@dataclass(frozen=True, slots=True)
class Detections:
    """People (or other classes) found in one frame.

    Attributes:
        boxes: float32 ``[N, 4]``, source pixels, may reach over the frame's edge.
        scores: float32 ``[N]``, in [0, 1].
        classes: int32 ``[N]``, index into the model's class list.
    """

    boxes: Float32Array
    scores: Float32Array
    classes: Int32Array

    def __len__(self) -> int:
        return len(self.scores)

    @staticmethod
    def empty() -> Detections:
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Tracks:
    """Confirmed tracks that were *observed* in one frame: no predicted box ever leaves a tracker.

    An id tells one track from another for as long as an epoch of the stream lasts, and says nothing else: numbers are
    left out (tracks that are never confirmed use some up), and the next epoch may give the same ones to other people.

    Attributes:
        ids: int64 ``[M]``, positive, unique within an epoch of the stream.
        boxes: float32 ``[M, 4]``, source pixels, the detection's own box.
        scores: float32 ``[M]``, of that detection.
        gone: int64 ``[G]``, confirmed ids that were given up in this frame and will not come back.
    """

    ids: Int64Array
    boxes: Float32Array
    scores: Float32Array
    gone: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def empty() -> Tracks:
        return Tracks(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """Where and when a frame stands in its stream.

    Attributes:
        index: number of the source frame, from 0, counted by the source since it was first opened.
        time_s: capture time, never smaller than that of the frame before unless there is a gap between the two.
        gap: True if the stream was interrupted right before this frame (a reconnect, a lost sender, a clock step).
        resume: all that a replayable source needs to go on after this frame; None for a live source.
        mark: what tells this frame of a live source on another connection, as JSON types; None if nothing does.
    """

    index: int
    time_s: float
    gap: bool = False
    resume: Mapping[str, Any] | None = None
    mark: Mapping[str, Any] | None = None
