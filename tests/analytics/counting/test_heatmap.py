from __future__ import annotations

import json

import numpy as np
import pytest

from analytics.counting.heatmap import GRID_HEIGHT, GRID_WIDTH, HeatCells, HeatTracker, cells_of


def walk(fps: float, seconds: float = 8.0) -> HeatCells:
    """One person: 4 s in the middle of one cell, then 4 s in another."""
    cells, tracker = HeatCells(), HeatTracker()
    for frame in range(round(seconds * fps)):
        x = 0.1 if frame / fps < seconds / 2 else 0.9
        tracker.update([1], np.array([[x, 0.5]]), 1 / fps, cells)
    return cells


def test_person_seconds_do_not_depend_on_how_often_somebody_looked() -> None:
    grids = [walk(fps).grid("dwell") for fps in (2, 5, 6.25, 25)]
    for grid in grids:
        assert grid.sum() == pytest.approx(8.0)
        assert grid == pytest.approx(grids[0], abs=1e-5)
        assert np.count_nonzero(grid) == 2


def test_uneven_sampling_bends_nothing() -> None:
    cells, tracker = HeatCells(), HeatTracker()
    rng = np.random.default_rng(3)
    for dt in (intervals := rng.uniform(0.02, 1.5, 200)):
        tracker.update([1], np.array([[0.3, 0.3]]), float(dt), cells)
    assert cells.grid("dwell").sum() == pytest.approx(intervals.sum(), rel=1e-6)
    assert cells.grid("visits").sum() == 1


def test_a_track_visits_a_cell_once_however_often_it_comes_back() -> None:
    cells, tracker = HeatCells(), HeatTracker()
    for frame in range(40):
        x = 0.1 if frame % 2 else 0.9
        tracker.update([1, 2], np.array([[x, 0.5], [0.1, 0.5]]), 0.1, cells)
    here, there = (int(c) for c in cells_of(np.array([[0.1, 0.5], [0.9, 0.5]])))
    assert cells.visits == {here: 2, there: 1}


def test_a_visit_is_counted_once_over_many_minutes_and_restarts() -> None:
    tracker, first, second = HeatTracker(), HeatCells(), HeatCells()
    tracker.update([1], np.array([[0.1, 0.5]]), 0.1, first)
    after = HeatTracker()
    after.restore(json.loads(json.dumps(tracker.snapshot())))
    after.update([1], np.array([[0.1, 0.5]]), 0.1, second)
    assert (sum(first.visits.values()), sum(second.visits.values())) == (1, 0)
    after.forget([1])
    assert after.snapshot() == {}


def test_a_frame_after_a_gap_stands_for_no_time_but_shows_who_is_there() -> None:
    cells = HeatCells()
    HeatTracker().update([1], np.array([[0.1, 0.5]]), 0.0, cells)
    assert cells.seconds == {}
    assert cells.grid("visits").sum() == 1


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
