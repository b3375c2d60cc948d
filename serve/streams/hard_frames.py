"""Frames in which the detector was unsure, kept on disk for people to label: few of each stream, and not for long."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pipelines.batching.letterbox import to_image
from pipelines.types import Detections, Tracks
from serve.streams.images import encode_jpeg, pixelate, scale_down
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)
FORMAT = 1
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
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SeenBox:
    """What the detector took for a person.

    Attributes:
        x: left edge, pixels of the kept picture.
        y: upper edge.
        width: pixels.
        height: pixels.
        score: in [0, 1].
    """

    x: float
    y: float
    width: float
    height: float
    score: float


@dataclass(frozen=True, slots=True)
class HardFrame:
    """One frame to be labelled.

    Attributes:
        stream: id.
        time_s: capture time, seconds since the epoch.
        model: that was unsure.
        width: of the kept picture, pixels.
        height: likewise.
        boxes: what the model took for people, sure or not.
        jpeg: the picture; empty where only the description was asked for.
    """

    stream: str
    time_s: float
    model: str
    width: int
    height: int
    boxes: tuple[SeenBox, ...]
    jpeg: bytes = b""


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


class HardFrameFolder:
    """Where hard frames of all streams of a machine are kept. For one writer a stream; who reads is never disturbed.

    Args:
        folder: made when it is needed, for its owner alone.
        most: frames of a stream; the oldest go.
        keep_days: how long one is kept.
    """

    def __init__(self, folder: Path, most: int = 200, keep_days: float = 14.0) -> None:
        self._folder = folder
        self._most = most
        self._keep_s = keep_days * DAY_S
        self._failed = False

    def put(self, frame: HardFrame) -> bool:
        """Keep a frame; False if the disk refuses, which is logged once for as long as it lasts."""
        home = self._home(frame.stream)
        name = f"{round(frame.time_s * 1e6):020d}"
        described = {"format": FORMAT} | {key: value for key, value in asdict(frame).items() if key != "jpeg"}
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The description comes last: what has one is whole.
            _write(home / f"{name}.jpg", frame.jpeg)
            _write(home / f"{name}.json", json.dumps(described).encode())
            self._forget(home, frame.time_s)
        except OSError as error:
            level = logging.DEBUG if self._failed else logging.WARNING
            self._failed = True
            logger.log(level, "a hard frame cannot be kept: %s", error.strerror, extra={"stream": frame.stream})
            return False
        self._failed = False
        return True

    def sweep(self, now_s: float) -> None:
        """Remove what is too old, also of streams that keep none any more.

        Args:
            now_s: seconds since the epoch.
        """
        for stream in self.streams():
            with suppress(OSError):
                self._forget(self._home(stream), now_s)

    def streams(self) -> list[str]:
        """That have frames here."""
        try:
            return sorted(unquote(path.name) for path in self._folder.iterdir() if path.is_dir())
        except OSError:
            return []

    def times(self, stream: str) -> list[float]:
        """When those of a stream were captured, the oldest first, seconds since the epoch."""
        return [int(path.stem) / 1e6 for path in sorted(self._home(stream).glob("*.json")) if path.stem.isdigit()]

    def frames(self, stream: str) -> Iterator[HardFrame]:
        """Those of a stream, the oldest first; damaged ones are left out."""
        for path in sorted(self._home(stream).glob("*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                yield _read(path)

    def delete(self, stream: str) -> None:
        """Remove all of a stream."""
        home = self._home(stream)
        with suppress(OSError):
            for path in home.iterdir():
                path.unlink(missing_ok=True)
            home.rmdir()

    def _home(self, stream: str) -> Path:
        return self._folder / quote(stream, safe="")

    def _forget(self, home: Path, now_s: float) -> None:
        """Raises OSError."""
        names = sorted({path.stem for path in home.iterdir()})
        too_many = set(names[: max(len(names) - self._most, 0)])
        for name in names:
            if name in too_many or not name.isdigit() or int(name) / 1e6 < now_s - self._keep_s:
                for suffix in (".json", ".jpg", ".part"):
                    (home / f"{name}{suffix}").unlink(missing_ok=True)
        if not any(home.iterdir()):
            home.rmdir()


def _write(path: Path, content: bytes) -> None:
    """Raises OSError; nothing is left of what could not be written whole."""
    temporary = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _read(path: Path) -> HardFrame:
    """Raises OSError, ValueError, KeyError or TypeError if it is damaged."""
    document: dict[str, Any] = json.loads(path.read_text())
    if document.pop("format") != FORMAT:
        raise ValueError("a hard frame of another format")
    boxes = tuple(SeenBox(**box) for box in document.pop("boxes"))
    return HardFrame(**document, boxes=boxes, jpeg=path.with_suffix(".jpg").read_bytes())
