"""How full the disk is that rows wait on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LOOK_S = 30.0


class FreeShare:
    """Looks now and then: asked with every heartbeat.

    Args:
        folder: on the disk; it need not be there yet.
        clock: monotonic seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._looked_s: float | None = None
        self._share: float | None = None

    def __call__(self) -> float | None:
        """Free share, in [0, 1]; None if nobody can tell."""
        now_s = self._clock()
        if self._looked_s is None or now_s - self._looked_s >= LOOK_S:
            self._looked_s, self._share = now_s, None
            with suppress(OSError):
                there = next(folder for folder in (self._folder, *self._folder.parents) if folder.is_dir())
                usage = shutil.disk_usage(there)
                self._share = usage.free / usage.total
        return self._share
