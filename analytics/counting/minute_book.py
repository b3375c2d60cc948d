"""A counter's minutes until they are stored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from analytics.minutes import minute_of

Value = TypeVar("Value")


class MinuteBook(Generic[Value]):
    """Values by minute, and which of them the store has not seen in their present form.

    A minute's value only grows while its epoch lasts, and is written whole every time, so that writing it twice does no
    harm. Minutes that are over and stored are forgotten; the newest may still grow.

    Args:
        zero: makes the value of a minute in which nothing has happened yet.
    """

    def __init__(self, zero: Callable[[], Value]) -> None:
        self._zero = zero
        self._values: dict[int, Value] = {}
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._values)

    def at(self, time_s: float) -> Value:
        """The value of the minute of ``time_s``, to be changed."""
        minute = minute_of(time_s)
        self._changed.add(minute)
        value = self._values.get(minute)
        if value is None:
            value = self._values[minute] = self._zero()
        return value

    def pending(self) -> dict[int, Value]:
        """Copies: the originals grow on while these are written."""
        return {minute: copy.deepcopy(self._values[minute]) for minute in sorted(self._changed)}

    def acknowledge(self, written: Mapping[int, Value]) -> None:
        for minute, value in written.items():
            if self._values.get(minute) == value:  # else it has grown since it was cut, and is still pending
                self._changed.discard(minute)
        newest = max(self._values, default=0)
        for minute in self._values.keys() - self._changed - {newest}:
            del self._values[minute]
