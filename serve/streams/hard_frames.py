"""Which frames are worth somebody's time, because the detector was unsure, and how they are kept."""

from __future__ import annotations

from pipelines.batching.letterbox import to_image
from pipelines.types import Detections, Tracks
from serve.streams.hard_frame_folder import HardFrame, SeenBox
from serve.streams.images import encode_jpeg, pixelate, scale_down
from serve.streams.processor import ProcessedFrame

DOUBTFUL = 0.25, 0.55
"""Scores of what may be a person: what is lower seldom is one, and what is higher nearly always."""
LEAST_DOUBTFUL = 2
"""Doubtful detections from which on a frame is worth somebody's time."""
PAUSE_S = 60.0
"""Least time between two kept frames of a stream: frames in a row teach the same."""
RETRY_S = 5.0
"""Instead of it, after a frame for which there was no room."""
LONGEST_SIDE_PX = 1280
QUALITY = 90


def doubts(detections: Detections, tracks: Tracks) -> int:
    """How many detections may be people, and may be none: doubtful ones that no track has taken for its person."""
    low, high = DOUBTFUL
    doubtful = int(((detections.scores >= low) & (detections.scores < high)).sum())
    taken = int(((tracks.scores >= low) & (tracks.scores < high)).sum())
    return max(doubtful - taken, 0)


class HardFrameChooser:
    """Chooses frames of one stream; for one thread."""

    def __init__(self) -> None:
        self._kept_s: float | None = None
        self.asks = False
        """Whether a frame was worth keeping and had no picture: the next ones should have theirs."""

    def wants(self, frame: ProcessedFrame) -> bool:
        """Whether to keep a frame; if so, the next ones are not kept for a minute."""
        time_s = frame.frame.stamp.time_s
        if self._kept_s is not None and 0 <= time_s - self._kept_s < PAUSE_S:
            return False
        if doubts(frame.detections, frame.tracks) < LEAST_DOUBTFUL:
            return False
        if frame.frame.video_frame is None:
            self.asks = True
            return False
        self._kept_s, self.asks = time_s, False
        return True

    def missed(self) -> None:
        """There was no room for the chosen frame: another one may be chosen soon."""
        if self._kept_s is not None:
            self._kept_s -= PAUSE_S - RETRY_S


def hard_frame(stream: str, model: str, frame: ProcessedFrame, blur: bool) -> HardFrame:
    """A frame as it is kept.

    Args:
        stream: id.
        model: that was unsure.
        frame: with its picture.
        blur: whether people are pixelated; a person whom the model has missed altogether is not.
    """
    assert frame.frame.video_frame is not None
    image, scale = scale_down(to_image(frame.frame.video_frame), LONGEST_SIDE_PX)
    boxes = frame.detections.boxes * scale
    if blur:
        pixelate(image, boxes)
        pixelate(image, frame.tracks.boxes * scale)
    seen = tuple(
        SeenBox(round(x1, 1), round(y1, 1), round(x2 - x1, 1), round(y2 - y1, 1), round(score, 3))
        for (x1, y1, x2, y2), score in zip(boxes.tolist(), frame.detections.scores.tolist(), strict=True)
    )
    height, width = image.shape[:2]
    return HardFrame(stream, frame.frame.stamp.time_s, model, width, height, seen, encode_jpeg(image, QUALITY))
