"""Where people stand: person-seconds and visits on a grid over the picture, and a picture of it with its legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.geometry import FloatArray

GRID_HEIGHT, GRID_WIDTH = 36, 64
Grid = npt.NDArray[np.float32]
Measure = Literal["dwell", "visits"]
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


class HeatTracker:
    """Turns tracks into heat: every frame adds its time at each foot point, and each track visits a cell once.

    A visit is a track's whole stay in front of the camera: whoever walks to and fro over a cell visits it once, for as
    long as the tracker knows that it is the same person.
    """

    def __init__(self) -> None:
        self._visited: dict[int, set[int]] = {}

    def update(self, ids: Iterable[int], feet: FloatArray, dt_s: float, into: HeatCells) -> None:
        """Add one frame's tracks.

        Args:
            ids: of the observed tracks.
            feet: foot points ``[N, 2]``, normalised.
            dt_s: the time that the frame stands for.
            into: the minute's cells.
        """
        if not len(feet):
            return
        for track, cell in zip(ids, cells_of(feet, into.shape).tolist(), strict=True):
            if dt_s > 0:
                into.seconds[cell] = into.seconds.get(cell, 0.0) + dt_s
            visited = self._visited.setdefault(int(track), set())
            if cell not in visited:
                visited.add(cell)
                into.visits[cell] = into.visits.get(cell, 0) + 1

    def forget(self, ids: Iterable[int]) -> None:
        for track in ids:
            self._visited.pop(int(track), None)

    def snapshot(self) -> dict[str, Any]:
        return {str(track): sorted(cells) for track, cells in self._visited.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._visited = {int(track): set(cells) for track, cells in state.items()}
