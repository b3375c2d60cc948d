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
"""Some seconds of full-HD pictures at six analysed a second, or half a second of 4K; a hand-over takes some tenths."""
FEWEST = 8
APART = 3.0
"""Pictures that are kept for each one that is analysed."""
MOST_SEEN = 1000
"""Frames that are remembered, with their picture or without."""


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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame that came, with its picture if that is kept."""

    fingerprint: int | None
    raw_time_s: float
    came_s: float
    frame: SourceFrame | None


class HeldFrames:
    """The newest frames of one connection; the camera's thread alone changes them.

    Pictures take memory, so of a camera that sends more than is analysed only some are kept, some for each that will
    be. The marked one may be among those that are not: what is needed of it is its packet alone.

    Args:
        analysis_fps: frames a second that are analysed; None for all.
        most_bytes: of pictures.
    """

    def __init__(self, analysis_fps: float | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._apart_s = 1.0 / (APART * analysis_fps) if analysis_fps else 0.0
        self._most_bytes = most_bytes
        self._seen: deque[_Seen] = deque()
        self._bytes = 0
        self.full = False
        """Whether the oldest pictures have made room for newer ones."""

    def __len__(self) -> int:
        """Pictures that are kept."""
        return sum(seen.frame is not None for seen in self._seen)

    def hold(self, frame: SourceFrame) -> None:
        """Keep a frame, and let go of the oldest ones."""
        last_s = next((seen.raw_time_s for seen in reversed(self._seen) if seen.frame is not None), None)
        # A little jitter is forgiven, and a clock that runs back is no reason to keep nothing.
        kept = last_s is None or not 0.0 <= frame.raw_time_s - last_s < 0.9 * self._apart_s
        self._seen.append(_Seen(frame.fingerprint, frame.raw_time_s, time.monotonic(), frame if kept else None))
        self._bytes += _size(frame.video_frame) if kept else 0
        while self._bytes > self._most_bytes and len(self) > FEWEST:
            self._let_go()
        while len(self._seen) > MOST_SEEN:
            self._let_go()

    def _let_go(self) -> None:
        """Of what came first: so all pictures behind whatever is remembered are here."""
        self.full = True
        gone = self._seen.popleft()
        self._bytes -= _size(gone.frame.video_frame) if gone.frame is not None else 0

    def clear(self) -> None:
        """The connection broke: what comes next does not follow on these."""
        self._seen.clear()
        self._bytes = 0
        self.full = False

    @property
    def held_s(self) -> float:
        """Since the oldest that is here came, seconds; 0 if there is none. May be asked by any thread."""
        try:
            return time.monotonic() - self._seen[0].came_s
        except IndexError:
            return 0.0

    def newest(self, count: int) -> list[SourceFrame]:
        """Those among the last ones that came that were kept."""
        return [seen.frame for seen in list(self._seen)[-count:] if seen.frame is not None]

    def behind(self, mark: Mark) -> tuple[list[SourceFrame], float] | None:
        """The frames behind the marked one, and how far the mark's times are ahead of these; None if it is not here.

        Clocks of two connections to one camera differ by what the network did to each. The packets are the same.
        """
        seen = list(self._seen)
        same = [
            (abs(one.raw_time_s - mark.raw_time_s), index)
            for index, one in enumerate(seen)
            if one.fingerprint == mark.fingerprint
        ]
        if not same:
            return None
        index = min(same)[1]  # a picture in which nothing moves may come in the very same packets again and again
        following = [one.frame for one in seen[index + 1 :] if one.frame is not None]
        return following, mark.raw_time_s - seen[index].raw_time_s


def _size(frame: av.VideoFrame) -> int:
    """Bytes of a decoded picture in the usual pixel format of cameras."""
    return frame.width * frame.height * 3 // 2
