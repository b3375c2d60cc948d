"""Checkpoints on local disk while the database is away: bounded, counted, delivered afterwards in order."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from analytics.storage import rows as row_format
from analytics.storage.base import Checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolStatistics:
    """Since the start: checkpoints written to disk, delivered from it, and lost.

    Lost are those that found no room, that were damaged on disk, or that the database does not want any more.
    """

    spooled: int
    delivered: int
    lost: int


class Spool:
    """One stream's checkpoints that the database has not seen.

    Rows of one minute and epoch replace each other, so only the newest checkpoint of every minute needs to be kept: a
    file a minute, and the file of the newest minute is rewritten. A day without database is 1,440 small files.

    Args:
        folder: of all spools on this machine.
        stream: id.
        max_bytes: of this stream; what comes after is lost, and counted.
    """

    def __init__(self, folder: Path, stream: str, *, max_bytes: int = 64 << 20) -> None:
        self._folder = folder / quote(stream, safe="")
        self._max_bytes = max_bytes
        self._spooled = self._delivered = self._lost = 0

    @property
    def statistics(self) -> SpoolStatistics:
        return SpoolStatistics(self._spooled, self._delivered, self._lost)

    def __len__(self) -> int:
        return len(self._files())

    def put(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; False if there is no room for it, or the disk refuses."""
        newest = max((row.minute for row in checkpoint.rows), default=0)
        target = self._folder / f"{newest:012d}-{checkpoint.epoch:08d}.json"
        rows = self._rows_of(target) | {str(row.minute): row_format.to_json(row) for row in checkpoint.rows}
        content = json.dumps(
            {
                "stream": checkpoint.stream,
                "epoch": checkpoint.epoch,
                "rows": list(rows.values()),
                "state": checkpoint.state,
                "resume": checkpoint.resume,
                "time_s": checkpoint.time_s,
            }
        )
        temporary = target.with_suffix(".part")
        try:
            used = sum(path.stat().st_size for path in self._files() if path != target)
            if used + len(content) > self._max_bytes:
                raise OSError(f"more than {self._max_bytes} bytes wait for the database")
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(content)
            temporary.replace(target)
        except OSError as error:
            self._lost += 1
            with suppress(OSError):
                temporary.unlink()
            logger.error("a checkpoint could not be spooled: %s", error, extra={"stream": checkpoint.stream})
            return False
        self._spooled += 1
        return True

    @staticmethod
    def _rows_of(path: Path) -> dict[str, dict[str, Any]]:
        """The rows of the file that is about to be replaced: minutes that were over by then are in no newer one."""
        try:
            return {str(row["minute"]): row for row in json.loads(path.read_text())["rows"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def waiting(self) -> Iterator[tuple[Path, Checkpoint]]:
        """What waits, oldest first; a damaged file is set aside, not retried for ever."""
        for path in self._files():
            try:
                document = json.loads(path.read_text())
                rows = [row_format.from_json(row) for row in document["rows"]]
                checkpoint = Checkpoint(
                    document["stream"],
                    document["epoch"],
                    rows,
                    document["state"],
                    document["resume"],
                    document["time_s"],
                )
            except (OSError, ValueError, KeyError, TypeError):
                logger.exception("spooled checkpoint %s is damaged", path.name)
                with suppress(OSError):
                    path.rename(path.with_suffix(".damaged"))
                self._lost += 1
                continue
            yield path, checkpoint

    def delivered(self, path: Path) -> None:
        """The database has it."""
        with suppress(OSError):
            path.unlink()
        self._delivered += 1

    def refused(self, path: Path) -> None:
        """The database will never want it."""
        with suppress(OSError):
            path.unlink()
        self._lost += 1

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.glob("*.json"))
        except OSError:
            return []
