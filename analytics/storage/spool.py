"""Checkpoints on local disk while the database is away: bounded, counted, delivered afterwards in order."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from analytics.events import Event
from analytics.minutes import minute_of
from analytics.storage import rows as row_format
from analytics.storage.base import Checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolStatistics:
    """Since the start: checkpoints written to disk, delivered from it, and minutes lost.

    Lost are those that had to make room for newer ones, that were damaged on disk, or that the database does not want.
    """

    spooled: int
    delivered: int
    lost: int


class Spool:
    """One stream's checkpoints that the database has not seen, in the order in which they were cut.

    Rows of one minute and epoch replace each other, so only the newest checkpoint of every minute needs to be kept: a
    file a minute, and the newest file is rewritten, with the events of those before it. A day without database is 1,440
    small files.

    Several processes, or machines that share a disk, may deliver what waits; one writes.

    Args:
        folder: of all spools on this machine.
        stream: id.
        max_bytes: of this stream. Of a live camera the oldest minutes make room, and are counted; what can be replayed
            is refused, since its source can wait.
    """

    def __init__(self, folder: Path, stream: str, *, max_bytes: int = 64 << 20) -> None:
        self._all = folder
        self._folder = folder / quote(stream, safe="")
        self._max_bytes = max_bytes
        self._sizes: dict[Path, int] | None = None
        self._open: tuple[Path, int, int] | None = None
        self._read: dict[Path, int] = {}
        self._spooled = self._delivered = self._lost = 0
        self._refused_by_disk = False

    @staticmethod
    def streams(folder: Path) -> list[str]:
        """Streams of which something waits in the folder of all spools, whoever left it there."""
        try:
            return sorted(unquote(path.name) for path in folder.iterdir() if next(path.glob("*.json"), None))
        except OSError:
            return []

    @property
    def statistics(self) -> SpoolStatistics:
        return SpoolStatistics(self._spooled, self._delivered, self._lost)

    def __len__(self) -> int:
        """Files that wait, as far as is known; asks no disk."""
        return len(self._sizes or ())

    def put(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; False if there is no room for it, or the disk refuses."""
        target = self._target(checkpoint)
        document = _merged(self._content_of(target), checkpoint)
        try:
            if not self._make_room(target, document, oldest_may_go=checkpoint.resume is None):
                return False
            self._write(target, document)
        except OSError as error:
            level = logging.DEBUG if self._refused_by_disk else logging.ERROR  # once: it may last
            self._refused_by_disk = True
            about = {"stream": checkpoint.stream}
            logger.log(level, "a checkpoint could not be spooled: %s", error.strerror, extra=about)
            return False
        self._refused_by_disk = False
        self._open = (target, checkpoint.epoch, minute_of(checkpoint.time_s))
        self._spooled += 1
        return True

    def _target(self, checkpoint: Checkpoint) -> Path:
        """The newest file, if it is of the same minute and still there, or the one after it."""
        known, minute = self._known(), minute_of(checkpoint.time_s)
        if self._open is not None and self._open[0] in known and self._open[1:] == (checkpoint.epoch, minute):
            return self._open[0]
        newest = max((_place(path)[1] for path in known), default=0)
        return self._folder / f"{newest + 1:012d}-{checkpoint.epoch:08d}.json"

    def _write(self, target: Path, document: Mapping[str, Any]) -> None:
        """Raises OSError; nothing is left of what could not be written whole."""
        content, temporary = json.dumps(document), target.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(content)
            with self._locked():
                temporary.replace(target)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        self._known()[target] = len(content)

    def _make_room(self, target: Path, document: dict[str, Any], *, oldest_may_go: bool) -> bool:
        """Whether a document has room; it is given what goes on from minutes that have to go for it."""
        known = self._known()
        while sum(known.values()) - known.get(target, 0) + len(json.dumps(document)) > self._max_bytes:
            oldest = min(known.keys() - {target}, key=_place, default=None)
            if oldest is None or not oldest_may_go:
                return False
            self._give_up(oldest, target, document)
        return True

    def _give_up(self, oldest: Path, target: Path, document: dict[str, Any]) -> None:
        """Remove a file. A minute that was not over in it is whole in the next one, and takes its events along."""
        known, gone = self._known(), self._content_of(oldest)
        after = [path for path in known.keys() | {target} if _place(path) > _place(oldest)]
        following = min(after, key=_place, default=target)
        newer = document if following == target else self._content_of(following)
        going_on = _by_minute(newer).keys() if newer.get("epoch") == gone.get("epoch") else set[str]()
        events = [event for event in gone.get("events", ()) if str(minute_of(event["time_s"])) in going_on]
        self._lost += len(_by_minute(gone).keys() - going_on)
        if events:
            newer["events"] = [*events, *newer.get("events", ())]
            if following != target:
                with suppress(OSError):  # a disk that is really full
                    self._write(following, newer)
                    events = []
        self._read.pop(oldest, None)  # read just now
        self._remove(oldest)
        if events and following != target:
            self._write(following, newer)

    @staticmethod
    def _content_of(path: Path) -> dict[str, Any]:
        """Of a file; of one that is about to be replaced, minutes that were over and events are in no newer one."""
        try:
            found = json.loads(path.read_text())
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            return {}

    def waiting(self) -> Iterator[tuple[Path, Checkpoint]]:
        """What waits, oldest first; a damaged file is set aside, not retried for ever."""
        self._sizes = None  # others may have been at the folder
        for path in sorted(self._known(), key=_place):
            try:
                with path.open() as file:
                    self._read[path] = os.fstat(file.fileno()).st_ino
                    document = json.load(file)
                rows = [row_format.from_json(row) for row in document["rows"]]
                checkpoint = Checkpoint(
                    str(document["stream"]),
                    int(document["epoch"]),
                    rows,
                    document["state"],
                    document["resume"],
                    float(document["time_s"]),
                    int(document.get("cut", 0)),
                    float(document.get("made_s", 0.0)),
                    [Event.from_json(event) for event in document.get("events", ())],
                )
            except FileNotFoundError:  # somebody else delivered it
                self._remove(path)
                continue
            except (OSError, ValueError, KeyError, TypeError):
                logger.exception("spooled checkpoint %s is damaged", path.name)
                self.set_aside(path)
                continue
            yield path, checkpoint

    def delivered(self, path: Path) -> None:
        """The database has it."""
        self._remove(path)
        self._delivered += 1

    def refused(self, path: Path, checkpoint: Checkpoint) -> None:
        """The database will never want it; of a live camera nobody else has it."""
        if checkpoint.resume is None:
            self._lost += len(checkpoint.rows)
        self._remove(path)

    def set_aside(self, path: Path) -> None:
        """Neither wanted nor to be thrown away: somebody has to look at it."""
        self._lost += len(_by_minute(self._content_of(path))) or 1
        with suppress(OSError):
            path.rename(path.with_suffix(".damaged"))
        self._known().pop(path, None)

    def _remove(self, path: Path) -> None:
        """Unless it was written anew since it was read: then it waits for the next time."""
        read = self._read.pop(path, None)
        with suppress(OSError), self._locked():
            if read is not None and path.stat().st_ino != read:
                return
            path.unlink()
        self._known().pop(path, None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time removes or replaces files."""
        self._all.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._all / ".lock").open("a") as file:
            with suppress(OSError):  # some network disks know no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _known(self) -> dict[Path, int]:
        """Files and their sizes, bytes."""
        if self._sizes is None:
            self._sizes = {}
            with suppress(OSError):
                for path in self._folder.glob("*.json"):
                    self._sizes[path] = path.stat().st_size
        return self._sizes


def _merged(before: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as JSON types, over what its file holds so far."""
    rows = _by_minute(before) | {str(row.minute): row_format.to_json(row) for row in checkpoint.rows}
    return {
        "stream": checkpoint.stream,
        "epoch": checkpoint.epoch,
        "rows": list(rows.values()),
        "state": checkpoint.state,
        "resume": checkpoint.resume,
        "time_s": checkpoint.time_s,
        "cut": checkpoint.cut,
        "made_s": checkpoint.made_s,
        "events": [*before.get("events", ()), *(event.to_json() for event in checkpoint.events)],
    }


def _by_minute(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of a file; none if it is damaged."""
    try:
        return {str(row["minute"]): row for row in content["rows"]}
    except (KeyError, TypeError):
        return {}


def _place(path: Path) -> tuple[int, int]:
    """Where a file stands in the order of delivery: by epoch, and within one as they were cut."""
    number, _, epoch = path.stem.partition("-")
    try:
        return int(epoch), int(number)
    except ValueError:
        return 0, 0
