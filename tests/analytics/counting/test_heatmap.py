from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.counting.heatmap import GRID_HEIGHT, GRID_WIDTH, HEAT, HeatCells, HeatCounter, cells_of
from tests.analytics.counting.walking import observed

EDGE, FAR = (80.0, 200.0), (720.0, 200.0)
"""Foot points, pixels: a tenth of the picture from its left and from its right border."""


def cells(counter: HeatCounter) -> HeatCells:
    """What is pending, merged over its minutes."""
    total = HEAT.zero()
    for value in counter.pending().values():
        HEAT.merge(total, value)
    return total


def walk(fps: float, seconds: float = 8.0) -> HeatCells:
    """One person: 4 s in the middle of one cell, then 4 s in another."""
    counter = HeatCounter()
    for frame in range(round(seconds * fps)):
        place = EDGE if frame / fps < seconds / 2 else FAR
        counter.update(observed({1: place}, frame / fps, dt_s=1 / fps))
    return cells(counter)


def test_person_seconds_do_not_depend_on_how_often_somebody_looked() -> None:
    grids = [walk(fps).grid("dwell") for fps in (2, 5, 6.25, 25)]
    for grid in grids:
        assert grid.sum() == pytest.approx(8.0)
        assert grid == pytest.approx(grids[0], abs=1e-5)
        assert np.count_nonzero(grid) == 2


def test_uneven_sampling_bends_nothing() -> None:
    counter = HeatCounter()
    rng = np.random.default_rng(3)
    for dt in (intervals := rng.uniform(0.02, 1.5, 200)):
        counter.update(observed({1: (240, 120)}, 0.0, dt_s=float(dt)))
    assert cells(counter).grid("dwell").sum() == pytest.approx(intervals.sum(), rel=1e-6)
    assert cells(counter).grid("visits").sum() == 1


def test_a_track_visits_a_cell_once_however_often_it_comes_back() -> None:
    counter = HeatCounter()
    for frame in range(40):
        counter.update(observed({1: EDGE if frame % 2 else FAR, 2: EDGE}, 0.1 * frame))
    here, there = (int(c) for c in cells_of(np.array([[0.1, 0.5], [0.9, 0.5]])))
    assert cells(counter).visits == {here: 2, there: 1}


def test_a_visit_is_counted_once_over_many_minutes_and_restarts() -> None:
    before, after = HeatCounter(), HeatCounter()
    before.update(observed({1: EDGE}, 0.0))
    after.restore(json.loads(json.dumps(before.snapshot())))
    after.update(observed({1: EDGE}, 60.0))
    assert (sum(cells(before).visits.values()), sum(cells(after).visits.values())) == (1, 0)
    after.update(observed({}, 60.1, gone=[1]))
    assert after.snapshot() == {}


def test_a_frame_after_a_gap_stands_for_no_time_but_shows_who_is_there() -> None:
    counter = HeatCounter()
    counter.update(observed({1: EDGE}, 0.0, dt_s=0.0))
    assert cells(counter).seconds == {}
    assert cells(counter).grid("visits").sum() == 1


def test_the_frames_edges_belong_to_the_last_cells() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert cells_of(corners).tolist() == [0, GRID_WIDTH - 1, GRID_WIDTH * (GRID_HEIGHT - 1), 36 * 64 - 1]


def test_the_grid_has_the_shape_and_type_of_the_contract() -> None:
    grid = walk(5).grid("dwell")
    assert grid.shape == (36, 64)
    assert grid.dtype == np.float32
    assert HeatCells().grid("visits").sum() == 0


def test_grids_add_up_cell_by_cell() -> None:
    total = HeatCells()
    for part in (walk(5), walk(10)):
        total.add(part)
    assert total.grid("dwell") == pytest.approx(2 * walk(5).grid("dwell"))
    with pytest.raises(ValueError, match="cannot be added"):
        total.add(HeatCells(shape=(18, 32)))
