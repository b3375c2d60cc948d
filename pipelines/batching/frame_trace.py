"""What one frame goes through, step by step: of one in a thousand, for whoever wants to know where the time goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipelines.types import FrameStamp


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a frame's way.

    Attributes:
        name: as in `pipelines.batching.stages.Stage`.
        begun_s: seconds since the epoch.
        ended_s: likewise.
    """

    name: str
    begun_s: float
    ended_s: float


@dataclass(slots=True)
class FrameTrace:
    """The way of one frame. It is in one thread's hands at a time.

    Attributes:
        stamp: of the frame.
        begun_s: when it was decoded, seconds since the epoch.
        steps: so far, in their order.
        batch: frames of the batch that it was detected in; zero before that.
    """

    stamp: FrameStamp
    begun_s: float = field(default_factory=time.time)
    steps: list[Step] = field(default_factory=list)
    batch: int = 0
    _ahead_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    def add(self, name: str, begun_s: float, ended_s: float | None = None) -> None:
        """Note a step that is done.

        Args:
            name: of the step.
            begun_s: monotonic seconds.
            ended_s: likewise; None: now.
        """
        ended_s = time.monotonic() if ended_s is None else ended_s
        self.steps.append(Step(name, begun_s + self._ahead_s, max(begun_s, ended_s) + self._ahead_s))


class TracedFrames:
    """Chooses the first frame of a stream, and then every so many-th; for one thread.

    Args:
        one_in: of so many frames, one is followed.
    """

    def __init__(self, one_in: int) -> None:
        self._one_in = one_in
        self._frames = 0

    def begin(self, stamp: FrameStamp) -> FrameTrace | None:
        """Asked once for each frame that is to be analysed; None for those that nobody follows."""
        self._frames += 1
        return FrameTrace(stamp) if self._frames % self._one_in == 1 % self._one_in else None
