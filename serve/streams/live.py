"""Live frames of the streams that somebody looks at: rendered beside the pipeline, never in its way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

import numpy as np

from analytics.counting.base import Crossing
from pipelines.batching.letterbox import to_image
from serve.streams.images import encode_jpeg, pixelate, scale_down
from serve.streams.live_frame import LiveCrossing, LiveFrame, LiveTrack
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)
LONGEST_SIDE_PX = 1280


class LivePublisher:
    """Keeps the newest frame of every watched stream and makes messages of it.

    Args:
        blurs: whether people of a stream are pixelated before its pictures leave.
        interval_s: between two frames of one stream.
    """

    def __init__(self, blurs: Callable[[str], bool], interval_s: float = 0.15) -> None:
        self.interval_s = interval_s
        self._blurs = blurs
        self._lock = threading.Lock()
        self._newest: dict[str, ProcessedFrame] = {}
        self._watched: frozenset[str] = frozenset()

    @property
    def watched(self) -> frozenset[str]:
        return self._watched

    def watch(self, streams: Iterable[str]) -> None:
        """Keep frames of these streams, and of no others."""
        with self._lock:
            self._watched = frozenset(streams)
            for name in self._newest.keys() - self._watched:
                del self._newest[name]

    def sink(self, stream: str) -> Callable[[ProcessedFrame], None]:
        """Where a stream's worker puts its frames."""

        def put(frame: ProcessedFrame) -> None:
            if stream in self._watched and frame.frame.video_frame is not None:
                with self._lock:
                    self._newest[stream] = frame

        return put

    def render(self) -> list[tuple[str, LiveFrame]]:
        """Live frames of all streams that have a new one."""
        with self._lock:
            frames, self._newest = self._newest, {}
        rendered = []
        for name, frame in frames.items():
            try:
                rendered.append((name, _live_frame(frame, self._blurs(name))))
            except Exception:  # an odd picture is nobody's counts
                logger.exception("a live picture cannot be made", extra={"stream": name})
        return rendered


def _live_frame(processed: ProcessedFrame, blur: bool) -> LiveFrame:
    video_frame = processed.frame.video_frame
    assert video_frame is not None
    image = to_image(video_frame)
    height, width = image.shape[:2]
    image, scale = scale_down(image, LONGEST_SIDE_PX)
    if blur:
        # Doubtful detections too: a face is not shown because the model was unsure.
        pixelate(image, processed.detections.boxes * scale)
        pixelate(image, processed.tracks.boxes * scale)
    return LiveFrame(
        time_s=processed.frame.stamp.time_s,
        width=width,
        height=height,
        tracks=_tracks(processed, width, height),
        crossings=tuple(
            LiveCrossing(c.line, c.track, c.direction) for c in processed.outcome.events if isinstance(c, Crossing)
        ),
        jpeg=encode_jpeg(image),
    )


def _tracks(processed: ProcessedFrame, width: int, height: int) -> tuple[LiveTrack, ...]:
    """Ids, boxes in shares of the picture, and scores."""
    tracks = processed.tracks
    shares = tracks.boxes / np.array([width, height, width, height], np.float32)
    return tuple(
        LiveTrack(track, (round(x1, 4), round(y1, 4), round(x2, 4), round(y2, 4)), round(score, 3))
        for track, (x1, y1, x2, y2), score in zip(
            tracks.ids.tolist(), shares.tolist(), tracks.scores.tolist(), strict=True
        )
    )
