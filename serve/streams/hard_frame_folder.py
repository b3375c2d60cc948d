"""Where frames in which the detector was unsure lie on disk, for people to label: few of each stream, and not for long.

Knows nothing of how pictures are made, so that whoever only tidies up imports little.
"""

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

logger = logging.getLogger(__name__)
FORMAT = 1
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
