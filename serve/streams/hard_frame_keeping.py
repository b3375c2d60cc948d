"""Frames in which the detector is unsure, on their way to the disk: beside the counting, never in its way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from analytics.errors import StoreError
from serve.streams.aside import Aside
from serve.streams.hard_frame_folder import HardFrameFolder
from serve.streams.hard_frames import HardFrameChooser, hard_frame
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)


class HardFrameKeeping:
    """Of one stream in one epoch: an `Onlooker`.

    The decoded picture is asked for only once a frame was doubtful, and no more once one is kept: a stream whose
    detector is sure costs nothing.

    Args:
        stream: id.
        model: names what finds the people, by now.
        folder: where frames are kept.
        aside: writes them; shared by the streams of a reader.
        blurs: whether people of a stream are pixelated.
    """

    def __init__(
        self,
        stream: str,
        model: Callable[[], str],
        folder: HardFrameFolder,
        aside: Aside,
        blurs: Callable[[str], bool],
    ) -> None:
        self._stream = stream
        self._model = model
        self._folder = folder
        self._aside = aside
        self._blurs = blurs
        self._chooser = HardFrameChooser()
        self._left = self._refused = 0
        self.kept = 0
        """Frames that are on disk, or were."""

    @property
    def wants_picture(self) -> bool:
        return self._chooser.asks

    @property
    def missed(self) -> int:
        """Frames that were chosen and not kept: the disk was busy with another one, or has refused."""
        return self._left + self._refused

    def look(self, frame: ProcessedFrame) -> None:
        if self._chooser.wants(frame) and not self._aside.offer(partial(self._keep, self._model(), frame)):
            self._left += 1
            self._chooser.missed()

    def _keep(self, model: str, frame: ProcessedFrame) -> None:
        """By the thread that writes."""
        if self._folder.put(hard_frame(self._stream, model, frame, self._blurs(self._stream))):
            self.kept += 1
        else:
            self._refused += 1


class HardFrameKeeper:
    """What the streams of a reader share: the folder and the thread that writes into it, and tidies it up.

    What is too old goes, and what is of streams that are registered no more: also where nothing is kept any longer,
    since somebody has turned it off.

    Args:
        folder: where frames lie.
        most: frames of a stream.
        keep_days: how long one is kept.
        enabled: whether new ones are kept.
        blurs: whether people of a stream are pixelated.
        is_registered: whether there is such a stream; raises StoreError if nobody knows.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        most: int,
        keep_days: float,
        *,
        enabled: bool,
        blurs: Callable[[str], bool],
        is_registered: Callable[[str], bool],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = HardFrameFolder(folder, most, keep_days)
        self._enabled = enabled
        self._blurs = blurs
        self._is_registered = is_registered
        self._wall_clock = wall_clock
        self._aside = Aside("hard-frames", self.tidy)
        self._aside.start()

    def of(self, stream: str, model: Callable[[], str]) -> HardFrameKeeping | None:
        """For a worker of a stream; None if nothing is to be kept."""
        return HardFrameKeeping(stream, model, self._folder, self._aside, self._blurs) if self._enabled else None

    def tidy(self) -> None:
        """Remove what is not to be kept any longer."""
        self._folder.sweep(self._wall_clock())
        for stream in self._folder.streams():
            try:
                if not self._is_registered(stream):
                    self._folder.delete(stream)
            except StoreError as error:
                logger.debug("whether a stream is there is asked later: %s", error, extra={"stream": stream})
                return

    def stop(self, timeout_s: float) -> None:
        """Keep no more. Idempotent."""
        self._aside.stop(timeout_s)
