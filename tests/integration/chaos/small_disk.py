"""A disk that is small enough to be filled."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHUNK = bytes(4096)


class SmallDisk:
    """A file system of its own, in memory.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @staticmethod
    @contextmanager
    def mounted(path: Path, megabytes: int) -> Iterator[SmallDisk]:
        """Until the end of the block; skips the test where nothing may be mounted, but fails in CI."""
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "footfall-test", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"nothing may be mounted: {done.stderr.strip()}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield SmallDisk(path)
        finally:
            # At once, also if somebody still has a file open there.
            subprocess.run(["umount", "--lazy", str(path)], check=True)

    def fill(self) -> None:
        """Somebody else takes all of the room."""
        with self._ballast.open("ab", buffering=0) as out:
            try:
                while True:
                    out.write(CHUNK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)
