from __future__ import annotations

import numpy as np
import pytest

from pipelines.tracking.kalman import BoxStates, MotionModel, foot_states

MODEL = MotionModel()


class DenseFilter:
    """The textbook filter of one box: eight states, dense matrices, a matrix inversion."""

    def __init__(self, box: np.ndarray) -> None:
        self.x = np.concatenate([foot_states(box[None])[0], np.zeros(4)])
        height = self.x[3]
        speed = MODEL.initial_speed * height * np.array([1.0, 1.0, 0.25, 0.25])
        self.p = np.diag(np.concatenate([self.measurement_variance(height), speed**2]))

    @staticmethod
    def measurement_variance(height: float) -> np.ndarray:
        noise = [MODEL.position_noise, MODEL.position_noise, MODEL.size_noise, MODEL.size_noise]
        return (np.array(noise) * height) ** 2

    def predict(self, dt: float) -> None:
        spread = [MODEL.acceleration, MODEL.acceleration, MODEL.size_acceleration, MODEL.size_acceleration]
        acceleration = (np.array(spread) * self.x[3]) ** 2
        f = np.eye(8)
        f[:4, 4:] = dt * np.eye(4)
        push = np.vstack([np.eye(4) * dt**2 / 2, np.eye(4) * dt])
        self.x = f @ self.x
        self.p = f @ self.p @ f.T + push @ np.diag(acceleration) @ push.T

    def correct(self, box: np.ndarray) -> None:
        h = np.hstack([np.eye(4), np.zeros((4, 4))])
        r = np.diag(self.measurement_variance(self.x[3]))
        gain = self.p @ h.T @ np.linalg.inv(h @ self.p @ h.T + r)
        self.x = self.x + gain @ (foot_states(box[None])[0] - h @ self.x)
        self.p = (np.eye(8) - gain @ h) @ self.p


def walking_boxes(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes ``[steps, 4]`` of somebody who walks, measured with noise, and the uneven intervals before each."""
    rng = np.random.default_rng(8)
    intervals = rng.choice([0.04, 0.08, 0.2, 0.7], steps)
    t = np.cumsum(intervals)
    x, y, w, h = 100 + 60 * t, 300 + 12 * t, 40 + 3 * np.sin(4 * t), 110 + 2 * t
    boxes = np.stack([x - w / 2, y - h, x + w / 2, y], axis=1) + rng.normal(0, 4, (steps, 4))
    return boxes.astype(np.float32), intervals


def test_it_equals_the_dense_filter_of_the_textbook() -> None:
    boxes, intervals = walking_boxes(60)
    states, dense = BoxStates.start(boxes[:1], MODEL), DenseFilter(boxes[0])
    for box, dt in zip(boxes[1:], intervals[1:], strict=True):
        states.predict(float(dt), MODEL)
        dense.predict(float(dt))
        states.correct(np.array([0]), box[None], MODEL)
        dense.correct(box)
        assert states.position[0] == pytest.approx(dense.x[:4], rel=1e-9)
        assert states.velocity[0] == pytest.approx(dense.x[4:], rel=1e-7, abs=1e-9)
        assert states.covariance[0, :, 0] == pytest.approx(np.diag(dense.p)[:4], rel=1e-7)
        assert states.covariance[0, :, 1] == pytest.approx(np.diag(dense.p[:4, 4:]), rel=1e-7)
        assert states.covariance[0, :, 2] == pytest.approx(np.diag(dense.p)[4:], rel=1e-7)


def test_uneven_intervals_lead_to_the_same_place_as_one_long_interval() -> None:
    boxes, intervals = walking_boxes(20)
    one, many = BoxStates.start(boxes[:1], MODEL), BoxStates.start(boxes[:1], MODEL)
    for states in (one, many):
        for box, dt in zip(boxes[1:], intervals[1:], strict=True):
            states.predict(float(dt), MODEL)
            states.correct(np.array([0]), box[None], MODEL)
    parts = [0.013, 0.4, 0.087, 0.5]
    one.predict(sum(parts), MODEL)
    for dt in parts:
        many.predict(dt, MODEL)
    assert many.position == pytest.approx(one.position)
    assert many.velocity == pytest.approx(one.velocity)


def test_a_steady_walk_is_predicted_with_its_speed() -> None:
    states = BoxStates.start(np.array([[0, 0, 40, 100]], np.float32), MODEL)
    for step in range(1, 60):
        states.predict(0.1, MODEL)
        x = 5.0 * step
        states.correct(np.array([0]), np.array([[x, 0, x + 40, 100]], np.float32), MODEL)
    assert states.velocity[0] == pytest.approx([50, 0, 0, 0], abs=1.0)
    states.predict(1.0, MODEL)
    assert states.boxes()[0] == pytest.approx([345, 0, 385, 100], abs=2.0)


def test_boxes_and_states_are_each_others_reverse() -> None:
    boxes = np.array([[10, 20, 50, 120], [-5, 0, 5, 30]], np.float32)
    assert BoxStates.start(boxes, MODEL).boxes() == pytest.approx(boxes)


def test_uncertainty_grows_while_nobody_is_seen_and_shrinks_with_a_sight() -> None:
    boxes, _ = walking_boxes(1)
    states = BoxStates.start(boxes, MODEL)
    before = states.covariance[0, :, 0].copy()
    states.predict(1.0, MODEL)
    predicted = states.covariance[0, :, 0].copy()
    states.correct(np.array([0]), boxes, MODEL)
    assert (predicted > before).all()
    assert (states.covariance[0, :, 0] < predicted).all()


def test_no_time_changes_nothing() -> None:
    boxes, _ = walking_boxes(3)
    states = BoxStates.start(boxes, MODEL)
    before = states.covariance.copy()
    states.predict(0.0, MODEL)
    assert (states.covariance == before).all()


def test_sizes_stay_positive_however_long_nobody_is_seen() -> None:
    states = BoxStates.start(np.array([[0, 0, 40, 100]], np.float32), MODEL)
    states.velocity[0] = [0, 0, -100, -100]
    states.predict(5.0, MODEL)
    assert (states.position[0, 2:] >= 1.0).all()


def test_degenerate_boxes_make_finite_states() -> None:
    states = BoxStates.start(np.array([[10, 10, 10, 10], [20, 30, 5, 5]], np.float32), MODEL)
    states.predict(0.1, MODEL)
    states.correct(np.array([0, 1]), np.array([[10, 10, 10, 10], [20, 30, 5, 5]], np.float32), MODEL)
    assert np.isfinite(states.boxes()).all()
    assert np.isfinite(states.covariance).all()


def test_correcting_nobody_is_harmless() -> None:
    states = BoxStates.empty()
    states.predict(0.1, MODEL)
    states.correct(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), MODEL)
    assert len(states) == 0
