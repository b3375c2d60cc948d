"""Where one camera's frames wait, scaled, for a place in a batch: bounded, and every drop is counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import av
import numpy as np

from pipelines.batching.frame_trace import FrameTrace
from pipelines.batching.letterbox import Letterbox, SlotWriter
from pipelines.batching.stages import Stage, StageSeconds
from pipelines.types import FrameStamp, Image

STOP_LOOK_S = 2.0
"""So often a sender that waits for room looks whether it is to stop: hundreds of them may wait."""


@dataclass(frozen=True, slots=True)
class WaitingFrame:
    """A frame ready for a batch.

    Attributes:
        slot: uint8 ``[H, W, 3]``, BGR, letterboxed; valid until the frame is taken.
        letterbox: where the frame lies in the slot.
        stamp: where and when it stands in its stream.
        video_frame: the decoded frame itself, for snapshots; None unless the mailbox keeps them.
        queued_s: when it was ready, monotonic seconds.
        trace: of its way; None for all but a few.
    """

    slot: Image
    letterbox: Letterbox
    stamp: FrameStamp
    video_frame: av.VideoFrame | None
    queued_s: float = 0.0
    trace: FrameTrace | None = None


class Mailbox:
    """Frames of one camera on their way from its thread to the collector.

    A live camera overwrites: the newest frame wins and what it replaces is counted. A recording or a topic waits.

    Args:
        input_size: (height, width) of the detector's input, pixels.
        live: whether the newest frame wins.
        capacity: frames that may wait.
        arrived: the collector's, notified for every frame. Whoever waits for room in here waits by itself: a hundred
            cameras that wait for one another's room would all wake up for every frame.
        stages: where it is added up how long scaling takes.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        *,
        live: bool,
        capacity: int,
        arrived: threading.Condition,
        stages: StageSeconds | None = None,
    ) -> None:
        self._stages = stages or StageSeconds()
        self.live = live
        self.cpu_s = 0.0
        """CPU seconds that its frames have cost since they were taken out of here."""
        self.waited_s = 0.0
        """Seconds for which its sender has waited for room."""
        self.keep_video_frames = False
        """Whether frames carry their decoded picture; set while somebody wants to look."""
        self.on_picture: Callable[[Image, FrameStamp], None] | None = None
        """Shown each frame, scaled and without margins, by the thread that brings it; must not raise, nor keep it."""
        self.trace: Callable[[FrameStamp], FrameTrace | None] | None = None
        """Asked for each frame whether its way is followed, by the thread that brings it."""
        self._paused = False
        self._arrived = arrived
        self._changed = threading.Condition()
        self._capacity = capacity
        self._writer = SlotWriter(input_size)
        # One slot is being written and one copied into a batch while all others wait.
        self._free = [np.zeros((*input_size, 3), np.uint8) for _ in range(capacity + 2)]
        self._waiting: deque[WaitingFrame] = deque()
        self._unfinished = 0
        self._skipped = 0
        self._gap_skipped = False
        self._closed = False
        self._gap_lost = False
        self._offered_cpu_s: float | None = None

    @property
    def skipped(self) -> int:
        """Sampled frames that a newer one replaced before they reached a batch."""
        return self._skipped

    def __len__(self) -> int:
        """Frames that may be taken."""
        return 0 if self._paused else len(self._waiting)

    @property
    def oldest_s(self) -> float | None:
        """When the frame that waits for longest was ready, monotonic seconds; None if none waits."""
        with self._changed:
            return self._waiting[0].queued_s if self._waiting else None

    def pause(self, paused: bool) -> None:
        """Give no frames for a while: there is nowhere to put what would be made of them, and their sender can wait."""
        self._paused = paused
        if not paused:
            self._tell()
        elif self._closed:
            self.close()

    def _tell(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    @property
    def capacity(self) -> int:
        """Frames that may wait."""
        return self._capacity

    def offer(
        self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, *, wait: bool = False
    ) -> None:
        """Scale ``video_frame`` into a slot and queue it; called by the camera's thread alone."""
        if self._offered_cpu_s is not None:
            self._stages.add(Stage.DECODE, time.thread_time() - self._offered_cpu_s)
        try:
            self._offer(video_frame, stamp, stop, wait)
        finally:
            self._offered_cpu_s = time.thread_time()

    def _offer(self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, wait: bool) -> None:
        waits = wait or not self.live
        with self._changed:
            while not self._closed and waits and len(self._waiting) >= self._capacity:
                if stop.is_set():
                    return
                begun_s = time.monotonic()
                self._changed.wait(STOP_LOOK_S)  # room is told; this is for `stop` alone
                self.waited_s += time.monotonic() - begun_s
            if self._closed:
                return
            slot = self._free.pop()
        trace, begun_s = (None, 0.0) if self.trace is None else (self.trace(stamp), time.monotonic())
        # Scaled outside of the lock: nobody else knows of this slot until it is queued.
        try:
            with self._stages.timed(Stage.SCALE):
                letterbox = self._writer.write(video_frame, slot)
        except BaseException:  # whatever went wrong, the next frame needs a slot, too
            with self._changed:
                self._free.append(slot)
            raise
        if self.on_picture is not None:
            height, width = letterbox.content_size
            self.on_picture(slot[:height, :width], stamp)
        if trace is not None:
            trace.add(Stage.SCALE.value, begun_s)
        kept = video_frame if self.keep_video_frames else None
        self._queue(WaitingFrame(slot, letterbox, stamp, kept, time.monotonic(), trace))

    def _queue(self, frame: WaitingFrame) -> None:
        with self._changed:
            if self._closed:
                self._free.append(frame.slot)
                return
            # Not before the new frame is ready: a batch that counted on the old one must find one of them.
            if len(self._waiting) >= self._capacity:
                self._drop_oldest()
            if self._gap_skipped:
                frame = replace(frame, stamp=replace(frame.stamp, gap=True))
                self._gap_skipped = False
            self._waiting.append(frame)
            self._unfinished += 1
        self._tell()

    def _drop_oldest(self) -> None:
        dropped = self._waiting.popleft()
        self._free.append(dropped.slot)
        self._skipped += 1
        self._unfinished -= 1
        # A gap marks the moment, not the frame: whoever comes next must carry it.
        self._gap_skipped = self._gap_skipped or dropped.stamp.gap

    def take_into(self, target: Image) -> WaitingFrame | None:
        """Copy the oldest waiting frame into ``target`` (one image of a batch) and free its slot."""
        with self._changed:
            if not self._waiting:
                return None
            frame = self._waiting.popleft()
        # Copied outside of the lock; the slot is free for its camera only afterwards.
        target[:] = frame.slot
        with self._changed:
            self._free.append(frame.slot)
            self._changed.notify_all()
        return frame

    def arrives(self, frame: WaitingFrame) -> WaitingFrame:
        """A frame on its way to the tracker, with the gap of those before it that never got there."""
        if self._gap_lost:
            self._gap_lost = False
            return replace(frame, stamp=replace(frame.stamp, gap=True))
        return frame

    def finished(self, cpu_s: float = 0.0) -> None:
        """A frame that was taken has been dealt with; that cost so much CPU, seconds."""
        with self._changed:
            self.cpu_s += cpu_s
            self._unfinished -= 1
            self._changed.notify_all()

    def lost(self, frame: WaitingFrame) -> None:
        """A frame that was taken will never reach the tracker."""
        with self._changed:
            self._gap_lost = self._gap_lost or frame.stamp.gap
            self._skipped += 1
            self._unfinished -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more frames; those that wait are still delivered, unless it is paused."""
        with self._changed:
            self._closed = True
            while self._paused and self._waiting:
                self._free.append(self._waiting.popleft().slot)
                self._unfinished -= 1
            self._changed.notify_all()

    def wait_empty(self, timeout_s: float) -> bool:
        """Block until every accepted frame is dealt with; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unfinished == 0, timeout_s)
