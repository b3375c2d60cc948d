"""One recording at full speed, without Ray: the same sources, tracker and counters as the service."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from analytics.counting.heatmap import HEAT
from analytics.counting.observer import StreamObserver
from analytics.counting.people import PEOPLE
from analytics.geometry import Geometry
from analytics.minutes import Totals
from analytics.reports.queries import BucketTotals, Window, as_json, as_table, in_buckets, total_of
from analytics.reports.rendering import Caption, render
from pipelines.batching.batch_detector import ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.batching.letterbox import to_image
from pipelines.cores import usable_cores
from pipelines.detection.base import Detector
from pipelines.errors import DetectorUnavailable, SourceNotFound, SourceUnsupported
from pipelines.sources.clock import Timeline
from pipelines.sources.file import FileSource
from pipelines.tracking.bytetrack import ByteTracker
from pipelines.types import FrameStamp, Image
from serve.errors import OutputError
from serve.streams.processor import ProcessedFrame, StreamProcessor

LAST_FRAME_S = 1e-3
"""A window ends behind its last frame, which may be the first of a minute."""
MAX_FAILURES = 3
"""Failed batches in a row after which a detector is given up."""
Progress = Callable[[int, int | None], None]
"""Called with the frames that are done and the frames there are, if that is known."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What came out.

    Attributes:
        frames: analysed.
        seconds: of video that they cover.
        elapsed_s: that it took.
        totals: over everything.
        tracks: confirmed.
        summary: as in ``summary.json``.
    """

    frames: int
    seconds: float
    elapsed_s: float
    totals: Totals
    tracks: int
    summary: dict[str, Any]


def analyze(
    video: Path,
    detector: Detector,
    out: Path,
    *,
    geometry: Geometry | None = None,
    fps: float | None = None,
    start_s: float | None = None,
    workers: int | None = None,
    max_batch: int = 8,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a recording and write ``tracks.txt``, ``counts.csv``, ``summary.json``, ``heatmap.npz``, ``heatmap.png``.

    Args:
        video: any file that FFmpeg reads.
        detector: closed at the end.
        out: made if it is missing.
        geometry: lines and zones; none counts nobody, but tracks and heat are written all the same.
        fps: frames a second to analyse; None for all.
        start_s: capture time of the first frame; None takes the file's own tag, else the epoch.
        workers: batches detected at once; None for one per core.
        max_batch: frames.
        progress: told now and then.

    Raises:
        SourceError: the recording cannot be read.
        OutputError: the results cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from error
    begun_s = time.monotonic()
    geometry = geometry or Geometry()
    start_s = recorded_at(video) if start_s is None else start_s
    run = _Run(video, geometry, start_s, progress)
    threaded = ThreadedDetector(detector, workers or math.ceil(usable_cores()))
    collector = BatchCollector(threaded, max_batch=max_batch, on_failure=run.give_up_after_failures)
    try:
        run.through(collector, fps)
    finally:
        collector.stop()
    try:
        return run.write(out, time.monotonic() - begun_s)
    except OSError as error:
        raise OutputError(f"results cannot be written to {out}: {error.strerror}") from error


class _Run:
    """State of one analysis; its methods are called in the order they stand in."""

    def __init__(self, video: Path, geometry: Geometry, start_s: float, progress: Progress | None) -> None:
        self._video = video
        self._geometry = geometry
        self._start_s = start_s
        self._progress = progress
        self._observer = StreamObserver("recording", 1, geometry)
        self._lines: list[str] = []
        self._ids: set[int] = set()
        self._frames = 0
        self._first_frame: av.VideoFrame | None = None
        self._last_s = start_s
        self._source_frames: int | None = None
        self._size = (0, 0)
        self._failed = threading.Event()

    def through(self, collector: BatchCollector, fps: float | None) -> None:
        """Every frame through detector, tracker and observer."""
        source = FileSource(self._video, start_s=self._start_s)
        timeline = Timeline.of(fps)
        try:
            source.connect()
            self._source_frames = source.frame_count
            processor = StreamProcessor(ByteTracker(), self._observer, on_frame=self._take, clock=time.monotonic)
            mailbox = collector.add("recording", processor, live=False, capacity=16)
            collector.start()
            for frame in source.frames(self._failed):
                admitted = timeline.admit(frame.raw_time_s)
                if self._first_frame is None:
                    self._first_frame = frame.video_frame
                if admitted.sampled:
                    stamp = FrameStamp(admitted.index, admitted.time_s, admitted.stepped)
                    mailbox.offer(frame.video_frame, stamp, self._failed)
                if self._progress is not None:
                    self._progress(admitted.index + 1, self._source_frames)
            mailbox.close()
            while not self._failed.is_set() and not mailbox.wait_empty(timeout_s=0.2):
                pass
            if self._failed.is_set():
                raise DetectorUnavailable("the detector fails on every batch; see the log")
        finally:
            source.close()

    def give_up_after_failures(self, failures: int) -> None:
        """Called for every batch that failed, with the number of failures in a row."""
        if failures > MAX_FAILURES:
            self._failed.set()

    def _take(self, processed: ProcessedFrame) -> None:
        stamp, tracks = processed.frame.stamp, processed.tracks
        self._frames += 1
        self._last_s = stamp.time_s
        self._size = processed.frame.letterbox.source_size
        for track, (x1, y1, x2, y2), score in zip(
            tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist(), strict=True
        ):
            self._ids.add(track)
            self._lines.append(
                f"{stamp.index + 1},{track},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.3f},-1,-1,-1"
            )

    def write(self, out: Path, elapsed_s: float) -> Analysis:
        """The files of the contract."""
        rows = self._observer.pending()
        window = Window.of(self._start_s, max(self._last_s + LAST_FRAME_S, self._start_s + 1))
        minutes = in_buckets(rows, window, "1m")
        total = total_of(minutes, window)
        heat = total.totals[HEAT]
        summary = self._summary(total.totals, elapsed_s)
        (out / "tracks.txt").write_text("".join(line + "\n" for line in self._lines))
        as_table(minutes).to_csv(out / "counts.csv", index=False)
        (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        np.savez_compressed(out / "heatmap.npz", person_seconds=heat.grid("dwell"), visits=heat.grid("visits"))
        image = render(heat.grid("dwell"), "dwell", self._caption(total.totals), background=self._background())
        if not cv2.imwrite(str(out / "heatmap.png"), image):
            raise OutputError(f"{out / 'heatmap.png'} cannot be written")
        return Analysis(self._frames, self._last_s - self._start_s, elapsed_s, total.totals, len(self._ids), summary)

    def _summary(self, totals: Totals, elapsed_s: float) -> dict[str, Any]:
        length_s = max(self._last_s - self._start_s, 0.0)
        merged = as_json(BucketTotals(0, 60, totals))
        # A line nobody crossed is in the summary with zeros: it was watched.
        lines = {line.id: {"in": 0, "out": 0} for line in self._geometry.lines} | merged["lines"]
        return {
            "video": self._video.name,
            "width": self._size[1],
            "height": self._size[0],
            "frames": self._frames,
            "seconds": round(length_s, 3),
            "covered_s": round(totals[PEOPLE].covered_s, 3),
            "coverage": round(min(1.0, totals[PEOPLE].covered_s / length_s), 4) if length_s > 0 else 0.0,
            "tracks": len(self._ids),
            "people": merged["people"],
            "lines": lines,
            "zones": merged["zones"],
            "elapsed_s": round(elapsed_s, 3),
            "fps": round(self._frames / elapsed_s, 1) if elapsed_s > 0 else None,
        }

    def _caption(self, totals: Totals) -> Caption:
        length_s = max(self._last_s - self._start_s, 1e-9)
        return Caption(self._video.name, f"{length_s:.0f} s of video", min(1.0, totals[PEOPLE].covered_s / length_s))

    def _background(self) -> Image | None:
        return None if self._first_frame is None else to_image(self._first_frame)


def recorded_at(video: Path) -> float:
    """When a recording began, as its container says; 0 if it does not.

    Raises:
        SourceError: it cannot be opened.
    """
    if not video.exists():
        raise SourceNotFound(f"{video} does not exist")
    try:
        with av.open(str(video)) as container:
            tag = container.metadata.get("creation_time")
    except (av.FFmpegError, OSError) as error:
        raise SourceUnsupported(f"{video} is no video that can be read") from error
    with suppress(ValueError, TypeError):
        parsed = datetime.fromisoformat(str(tag).replace("Z", "+00:00"))
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    return 0.0
