"""A counter's minutes until they are stored."""

from __future__ import annotations

import copy
import pickle
import zlib
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from analytics.minutes import minute_of

Value = TypeVar("Value")
KEPT_MINUTES = 120
"""Minutes that are over, and kept in case that the camera's clock is set back. An hour is what summer time is wrong by;
packed, a busy minute of heat takes some kilobytes."""


class MinuteBook(Generic[Value]):
    """Values by minute, and which of them the store has not seen in their present form.

    A minute's value only grows while its epoch lasts, and is written whole every time, so that writing it twice does no
    harm. That is why minutes that are over and stored are not forgotten at once: when time runs back into one of them,
    its value grows on. One that is older than all that are kept begins anew, and replaces what was stored.

    Args:
        zero: makes the value of a minute in which nothing has happened yet.
    """

    def __init__(self, zero: Callable[[], Value]) -> None:
        self._zero = zero
        self._values: dict[int, Value] = {}
        self._changed: set[int] = set()
        self._current: int | None = None
        self._kept: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._values)

    def at(self, time_s: float) -> Value:
        """The value of the minute of ``time_s``, to be changed."""
        minute = self._current = minute_of(time_s)
        self._changed.add(minute)
        value = self._values.get(minute)
        if value is None:
            packed = self._kept.pop(minute, None)
            value = self._values[minute] = self._zero() if packed is None else pickle.loads(zlib.decompress(packed))
        return value

    def pending(self) -> dict[int, Value]:
        """Copies: the originals grow on while these are written."""
        return {minute: copy.deepcopy(self._values[minute]) for minute in sorted(self._changed)}

    def acknowledge(self, written: Mapping[int, Value]) -> None:
        for minute, value in written.items():
            if self._values.get(minute) == value:  # else it has grown since it was cut, and is still pending
                self._changed.discard(minute)
        for minute in sorted(self._values.keys() - self._changed - {self._current}):
            self._kept[minute] = zlib.compress(pickle.dumps(self._values.pop(minute)))
        while len(self._kept) > KEPT_MINUTES:
            del self._kept[next(iter(self._kept))]
