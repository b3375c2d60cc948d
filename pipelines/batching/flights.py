"""Frames under way to a detector and back: whose they are, what became of them, and what was asked together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.batching.mailbox import Mailbox, WaitingFrame
from pipelines.types import Detections, ImageBatch


class FrameConsumer(Protocol):
    """What happens to a camera's frames after detection; called by one thread, in the order of capture."""

    def consume(self, frame: WaitingFrame, detections: Detections) -> None:
        """Take a frame and what was found in it, in source pixels."""
        ...


@dataclass(eq=False, slots=True)
class CollectedStream:
    """A camera at the collector.

    Attributes:
        order: its frames that were taken and not dealt with, in the order of capture.
        troubled: one of these is being tried again; until then it gives no others, so their number is bounded.
        gone: it was removed; what still comes of it is nobody's.
    """

    mailbox: Mailbox
    consumer: FrameConsumer
    order: deque[FrameInWork] = field(default_factory=deque)
    troubled: bool = False
    gone: bool = False

    @property
    def ready(self) -> int:
        """Frames that may be taken."""
        return 0 if self.troubled else len(self.mailbox)


@dataclass(eq=False, slots=True)
class FrameInWork:
    """A frame on its way.

    Attributes:
        stream: whose it is.
        frame: as it was taken; its slot is not valid any more.
        image: its pixels ``[1, H, W, 3]``, kept once it has to be tried again.
        attempts: that failed.
        successes: of the whole collector when it failed first.
        answer: what was found; None until then.
        lost: it will never be answered.
    """

    stream: CollectedStream
    frame: WaitingFrame
    image: ImageBatch | None = None
    attempts: int = 0
    successes: int = 0
    answer: Detections | None = None
    lost: bool = False


@dataclass(eq=False, slots=True)
class Flight:
    """A batch under way; ``items`` lie at its beginning, in their order."""

    items: list[FrameInWork]
    batch: ImageBatch
    begun_s: float
    again: bool = False
    """Whether it is one frame that is tried again."""
