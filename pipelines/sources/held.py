"""Frames of a camera that somebody else still analyses, kept for the moment in which he hands it over."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av

from pipelines.sources.base import SourceFrame

MOST_BYTES = 96 << 20
"""A second or so of decoded full-HD pictures; a hand-over takes some tenths."""
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """The last frame that somebody analysed, and all that is needed to go on right behind it.

    Attributes:
        fingerprint: of its packet, see `SourceFrame`.
        raw_time_s: as its source told it.
        timeline: state of clock and sampler right behind it.
    """

    fingerprint: int
    raw_time_s: float
    timeline: Mapping[str, Any]

    @staticmethod
    def of(state: Mapping[str, Any] | None) -> Mark | None:
        """What `state` made; None if it is of another version."""
        try:
            return None if state is None else Mark(state["fingerprint"], state["raw_s"], state["timeline"])
        except KeyError:
            return None

    @property
    def state(self) -> dict[str, Any]:
        """As JSON types."""
        return {"fingerprint": self.fingerprint, "raw_s": self.raw_time_s, "timeline": dict(self.timeline)}


class HeldFrames:
    """The newest frames of one connection; the camera's thread alone changes them."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._frames: deque[SourceFrame] = deque()
        self._bytes = 0
        self._since_s: float | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def hold(self, frame: SourceFrame) -> None:
        """Keep a frame, and let go of the oldest ones."""
        if self._since_s is None:
            self._since_s = time.monotonic()
        self._frames.append(frame)
        self._bytes += _size(frame.video_frame)
        while self._bytes > self._most_bytes and len(self._frames) > FEWEST:
            self._bytes -= _size(self._frames.popleft().video_frame)

    def clear(self) -> None:
        """The connection broke: what comes next does not follow on these."""
        self._frames.clear()
        self._bytes = 0
        self._since_s = None

    @property
    def held_s(self) -> float:
        """Since the first one came, seconds; 0 before. May be asked by any thread."""
        since_s = self._since_s
        return time.monotonic() - since_s if since_s is not None else 0.0

    def newest(self, count: int) -> list[SourceFrame]:
        """The last ones that came."""
        return list(self._frames)[-count:]

    def behind(self, mark: Mark) -> tuple[list[SourceFrame], float] | None:
        """The frames behind the marked one, and how far the mark's times are ahead of these; None if it is not here.

        Clocks of two connections to one camera differ by what the network did to each. The packets are the same.
        """
        same = [
            (abs(frame.raw_time_s - mark.raw_time_s), index)
            for index, frame in enumerate(self._frames)
            if frame.fingerprint == mark.fingerprint
        ]
        if not same:
            return None
        index = min(same)[1]  # a picture in which nothing moves may come in the very same packets again and again
        frames = list(self._frames)
        return frames[index + 1 :], mark.raw_time_s - frames[index].raw_time_s


def _size(frame: av.VideoFrame) -> int:
    """Bytes of a decoded picture in the usual pixel format of cameras."""
    return frame.width * frame.height * 3 // 2
