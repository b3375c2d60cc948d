"""Whether the store can be expected to answer: what the registry's own questions to it tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from analytics.errors import StoreError

logger = logging.getLogger(__name__)
ANSWERS_S = 3.0
"""A store that has not answered for so long is not expected to."""


class StoreHealth:
    """Told of every round of questions, and of what went wrong.

    Args:
        clock: monotonic seconds.

    Attributes:
        error: what the last round came to; None if all is well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_s: float | None = None
        self.error: str | None = None

    @property
    def works(self) -> bool:
        """Whether the last round was answered, and the one that is under way does not hang."""
        return self.error is None and (self._asked_s is None or self._clock() - self._asked_s <= ANSWERS_S)

    @contextmanager
    def round(self) -> Iterator[None]:
        """Questions are asked meanwhile; unless one raises, all is well."""
        self._asked_s = self._clock()
        try:
            yield
            self.error = None
        finally:
            self._asked_s = None

    def failed(self, error: StoreError) -> None:
        """Remember what it was, and log it once for as long as it lasts."""
        if self.error is None:
            logger.error("%s", error)
        self.error = str(error)
