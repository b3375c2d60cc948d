"""Where people stand: person-seconds and visits on a grid over the picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.counting.base import Analytic, Column, CountEvent, ObservedFrame, Row
from analytics.counting.minute_book import MinuteBook
from analytics.geometry import FloatArray, Geometry

GRID_HEIGHT, GRID_WIDTH = 36, 64
Grid = npt.NDArray[np.float32]
Measure = Literal["dwell", "visits"]
_RECORD = np.dtype([("cell", "<u4"), ("seconds", "<f8"), ("visits", "<u4")])
_COMPRESSED = b"\xff\xff\xff\xff"
"""As a cell's number it could not be."""
UNITS: dict[Measure, str] = {"dwell": "person-seconds", "visits": "visits"}


def cells_of(feet: FloatArray, shape: tuple[int, int] = (GRID_HEIGHT, GRID_WIDTH)) -> npt.NDArray[np.int64]:
    """Flat cell indices ``[N]`` of foot points ``[N, 2]``; the right and bottom edge belong to the last cells."""
    columns = np.clip((feet[:, 0] * shape[1]).astype(np.int64), 0, shape[1] - 1)
    rows = np.clip((feet[:, 1] * shape[0]).astype(np.int64), 0, shape[0] - 1)
    return rows * shape[1] + columns


@dataclass(slots=True)
class HeatCells:
    """A sparse grid: flat cell index to amount.

    Attributes:
        seconds: person-seconds.
        visits: tracks that came, each once.
        shape: (rows, columns) of the grid.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    visits: dict[int, int] = field(default_factory=dict)
    shape: tuple[int, int] = (GRID_HEIGHT, GRID_WIDTH)

    def add(self, other: HeatCells) -> None:
        """Merge by addition.

        Raises:
            ValueError: the grids differ in shape.
        """
        if other.shape != self.shape:
            raise ValueError(f"grids of {self.shape} and {other.shape} cells cannot be added")
        for cell, seconds in other.seconds.items():
            self.seconds[cell] = self.seconds.get(cell, 0.0) + seconds
        for cell, count in other.visits.items():
            self.visits[cell] = self.visits.get(cell, 0) + count

    def grid(self, measure: Measure) -> Grid:
        """float32 ``[rows, columns]``."""
        amounts: Mapping[int, float] = self.seconds if measure == "dwell" else self.visits
        flat = np.zeros(self.shape[0] * self.shape[1], np.float32)
        flat[list(amounts)] = list(amounts.values())
        return flat.reshape(self.shape)

    def __bool__(self) -> bool:
        return bool(self.visits or self.seconds)


def pack_cells(heat: HeatCells) -> bytes:
    """Sparse cells as little-endian records of cell (u4), seconds (f8) and visits (u4), by cell; compressed by zlib.

    The current minute of a busy scene is rewritten every few seconds.
    """
    cells = sorted(heat.seconds.keys() | heat.visits.keys())
    records = np.zeros(len(cells), _RECORD)
    records["cell"] = cells
    records["seconds"] = [heat.seconds.get(cell, 0.0) for cell in cells]
    records["visits"] = [heat.visits.get(cell, 0) for cell in cells]
    return _COMPRESSED + zlib.compress(records.tobytes(), 1)


def unpack_cells(content: bytes, shape: tuple[int, int]) -> HeatCells:
    """The reverse of `pack_cells`; records that were written plain are read, too."""
    plain = zlib.decompress(content[len(_COMPRESSED) :]) if content.startswith(_COMPRESSED) else content
    records = np.frombuffer(plain, _RECORD)
    cells = records["cell"].tolist()
    return HeatCells(
        {cell: seconds for cell, seconds in zip(cells, records["seconds"].tolist(), strict=True) if seconds},
        {cell: count for cell, count in zip(cells, records["visits"].tolist(), strict=True) if count},
        shape,
    )


class HeatCounter:
    """Turns tracks into heat: every frame adds its time at each foot point, and each track visits a cell once.

    A visit is a track's whole stay in front of the camera: whoever walks to and fro over a cell visits it once, for as
    long as the tracker knows that it is the same person. See `analytics.counting.base.Counter`.
    """

    def __init__(self) -> None:
        self._visited: dict[int, set[int]] = {}
        self._minutes = MinuteBook(HeatCells)

    def use_geometry(self, geometry: Geometry) -> None:
        """Nothing to do: the grid lies over the whole picture."""

    def update(self, frame: ObservedFrame) -> Sequence[CountEvent]:
        if len(frame.feet):
            self._add(frame, self._minutes.at(frame.time_s))
        for track in frame.gone:
            self._visited.pop(int(track), None)
        return ()

    def _add(self, frame: ObservedFrame, into: HeatCells) -> None:
        for track, cell in zip(frame.ids, cells_of(frame.feet, into.shape).tolist(), strict=True):
            if frame.dt_s > 0:
                into.seconds[cell] = into.seconds.get(cell, 0.0) + frame.dt_s
            visited = self._visited.setdefault(int(track), set())
            if cell not in visited:
                visited.add(cell)
                into.visits[cell] = into.visits.get(cell, 0) + 1

    def pending(self) -> dict[int, HeatCells]:
        return self._minutes.pending()

    def acknowledge(self, written: Mapping[int, HeatCells]) -> None:
        self._minutes.acknowledge(written)

    def snapshot(self) -> dict[str, Any]:
        return {str(track): sorted(cells) for track, cells in self._visited.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._visited = {int(track): set(cells) for track, cells in state.items()}

    def leave(self, state: Mapping[str, Any]) -> None:
        """Nothing to do: nobody is told of who was there."""


@dataclass(frozen=True)
class _Heat:
    name = "heat"
    table = "heat_minutes"
    columns = (Column("grid_height", "integer"), Column("grid_width", "integer"), Column("cells", "bytes"))

    def counter(self, geometry: Geometry) -> HeatCounter:
        del geometry
        return HeatCounter()

    def zero(self) -> HeatCells:
        return HeatCells()

    def merge(self, into: HeatCells, other: HeatCells) -> None:
        into.add(other)

    def is_empty(self, value: HeatCells) -> bool:
        return not value

    def to_rows(self, value: HeatCells) -> list[Row]:
        if not value:
            return []
        return [{"grid_height": value.shape[0], "grid_width": value.shape[1], "cells": pack_cells(value)}]

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> HeatCells:
        total = HeatCells()
        for row in rows:
            total.add(unpack_cells(row["cells"], (row["grid_height"], row["grid_width"])))
        return total


HEAT: Analytic[HeatCells] = _Heat()
