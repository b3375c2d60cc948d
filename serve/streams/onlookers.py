"""Who looks at processed frames beside those who count, and whether any of them needs the decoded picture."""

from __future__ import annotations

import logging
from typing import Protocol

from pipelines.batching.mailbox import Mailbox
from serve.streams.hard_frame_keeping import HardFrameKeeping
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)


class Onlooker(Protocol):
    """Looks at the frames of one stream."""

    @property
    def wants_picture(self) -> bool:
        """Whether the frames to come should carry their decoded picture."""
        ...

    def look(self, frame: ProcessedFrame) -> None:
        """Called by the collector's thread after each frame; must not block."""
        ...


class Onlookers:
    """Those of one stream. Decoded pictures travel only while somebody needs them.

    One that fails is asked no more, in this epoch: it would fail with every frame.

    Args:
        hard_frames: keeps frames in which the detector is unsure; None: nobody does.
        others: who looks besides.
    """

    def __init__(self, hard_frames: HardFrameKeeping | None = None, *others: Onlooker) -> None:
        self._hard_frames = hard_frames
        self._onlookers: list[Onlooker] = [*others] if hard_frames is None else [hard_frames, *others]
        self._mailbox: Mailbox | None = None
        self._watched = False

    @property
    def hard_frames(self) -> tuple[int, int]:
        """Frames in which the detector was unsure: those that were kept, and those for which there was no room."""
        return (0, 0) if self._hard_frames is None else (self._hard_frames.kept, self._hard_frames.missed)

    def attach(self, mailbox: Mailbox) -> None:
        """From here on pictures come out of this one."""
        self._mailbox = mailbox
        self._ask()

    def watch(self, watched: bool) -> None:
        """Whether a person looks at live pictures."""
        self._watched = watched
        self._ask()

    def look(self, frame: ProcessedFrame) -> None:
        """Show a frame to all, by the collector's thread."""
        if not self._onlookers:
            return
        for one in list(self._onlookers):
            try:
                one.look(frame)
            except Exception:
                self._onlookers.remove(one)
                logger.exception("%s looks no more", type(one).__name__)
        self._ask()

    def _ask(self) -> None:
        if self._mailbox is not None:
            self._mailbox.keep_video_frames = self._watched or any(one.wants_picture for one in self._onlookers)
