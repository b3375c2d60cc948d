"""What waits on this machine's disk, handed to the database: by whoever finds it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from analytics.errors import StaleEpoch, StoreError
from analytics.storage.base import Store
from analytics.storage.spool import Spool

logger = logging.getLogger(__name__)


def deliver(spool: Spool, store: Store, stream: str) -> None:
    """Hand the database what it missed of a stream, oldest first.

    Raises:
        StoreUnavailable: the database is away; what is left waits on.
    """
    for path, waiting in spool.waiting():
        try:
            store.deliver(waiting)
        except StaleEpoch as error:
            logger.warning("spooled rows are refused: %s", error, extra={"stream": stream})
            spool.refused(path, waiting)
        except StoreError as error:
            if error.retryable:
                raise
            logger.error("spooled rows are set aside: %s", error, extra={"stream": stream})
            spool.set_aside(path)
        else:
            spool.delivered(path)


class Leftovers:
    """Spooled rows of streams that nobody on this machine works on: of a process that died, before they moved away.

    Args:
        folder: of all spools.
        store: where they belong.
        busy: streams whose workers deliver by themselves.
    """

    def __init__(self, folder: Path, store: Store, busy: Callable[[], Collection[str]]) -> None:
        self._folder = folder
        self._store = store
        self._busy = busy

    def deliver(self) -> None:
        """Look once. Raises StoreUnavailable; what is left waits on."""
        for stream in Spool.streams(self._folder):
            if stream not in self._busy():
                deliver(Spool(self._folder, stream), self._store, stream)
