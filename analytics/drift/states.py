"""Reading states back: JSON that was written by ourselves, once, on some machine, by some version."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 1e12
"""No number in a state is larger, times included."""


def fields(state: Any, format: int) -> Mapping[str, Any]:
    """A state of a format.

    Raises:
        ValueError: it is none.
    """
    found = state.get("format") if isinstance(state, Mapping) else type(state).__name__
    if not isinstance(state, Mapping) or found != format or isinstance(found, bool):
        raise ValueError(f"a state of format {format} is needed, found {found!r}")
    return state


def number(state: Mapping[str, Any], name: str, least: float = -MOST) -> float:
    """A finite number of a state.

    Raises:
        ValueError: there is none, or a smaller one.
    """
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MOST:
        raise ValueError(f"{name} must be a number from {least:g} on")
    return float(value)


def whole(state: Mapping[str, Any], name: str, least: int = 0) -> int:
    """A whole number of a state.

    Raises:
        ValueError: there is none, or a smaller one.
    """
    value = number(state, name, least)
    if value != int(value):
        raise ValueError(f"{name} must be a whole number")
    return int(value)


def packed(values: npt.NDArray[Any], kind: str) -> str:
    """An array as text; what is mostly the same takes little.

    Args:
        values: of any shape.
        kind: of numbers, as numpy writes it, such as ``<f4``.
    """
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values, kind).tobytes())).decode()


def unpacked(state: Mapping[str, Any], name: str, kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The reverse of `packed`.

    Args:
        state: that has it.
        name: of its field.
        kind: of numbers.
        shape: one side may be -1, for any length up to a thousand.

    Raises:
        ValueError: it is of another shape, or holds numbers that are none.
    """
    row = math.prod(side for side in shape if side >= 0) * np.dtype(kind).itemsize
    most = row * (1000 if -1 in shape else 1)
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(base64.b64decode(state[name], validate=True), most)
    except (KeyError, TypeError, binascii.Error, zlib.error) as error:
        raise ValueError(f"{name} cannot be read") from error
    if not inflate.eof or len(content) % row or (-1 not in shape and len(content) != row):
        raise ValueError(f"{name} is not of shape {shape}")
    values = np.frombuffer(content, kind).reshape(shape).copy()
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds numbers that are none")
    return values
