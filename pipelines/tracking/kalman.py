"""A Kalman filter over many boxes at once, for uneven frame intervals.

A person's box is described by its foot point and its size: ``(x_foot, y_foot, width, height)`` in pixels, each with a
velocity in pixels per second. The foot point is what lines and zones look at, and it moves smoothly while the top of a
box jumps with hats, arms and occlusion; width and height are kept apart because a walking person's aspect ratio swings
with every step.

With diagonal measurement noise and independent process noise the four coordinates never mix, so the textbook 8 x 8
filter falls apart into four filters of two states (position, velocity), exactly. That needs no matrix inversion: all
tracks and coordinates are a few array operations. Process noise is that of white acceleration over the interval
(Bar-Shalom, Li, Kirubarajan: Estimation with Applications to Tracking and Navigation, 2001, section 6.2.2), with a
spread proportional to the person's height, so that near and far people are treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.types import Float32Array, Float64Array


@dataclass(frozen=True, slots=True)
class MotionModel:
    """Spreads, as shares of a person's height.

    Attributes:
        position_noise: standard deviation of a measured foot coordinate.
        size_noise: standard deviation of a measured width or height.
        acceleration: of the foot point, heights per second squared; people weigh 0.5 to 2.
        size_acceleration: of width and height, heights per second squared.
        initial_speed: spread of the unknown first velocity, heights per second.
    """

    position_noise: float = 0.08
    size_noise: float = 0.08
    acceleration: float = 0.6
    size_acceleration: float = 0.25
    initial_speed: float = 0.8

    def measurement_variance(self, height: Float64Array) -> Float64Array:
        """``[T]`` heights to variances ``[T, 4]``."""
        shares = np.array([self.position_noise, self.position_noise, self.size_noise, self.size_noise])
        return np.asarray((shares * height[:, None]) ** 2)

    def acceleration_variance(self, height: Float64Array) -> Float64Array:
        """``[T]`` heights to acceleration variances ``[T, 4]``."""
        shares = np.array([self.acceleration, self.acceleration, self.size_acceleration, self.size_acceleration])
        return np.asarray((shares * height[:, None]) ** 2)


@dataclass(slots=True)
class BoxStates:
    """The filters of ``T`` boxes.

    Attributes:
        position: float64 ``[T, 4]``: x_foot, y_foot, width, height, pixels.
        velocity: float64 ``[T, 4]``, pixels per second.
        covariance: float64 ``[T, 4, 3]``: var(position), cov(position, velocity), var(velocity).
    """

    position: Float64Array
    velocity: Float64Array
    covariance: Float64Array

    def __len__(self) -> int:
        return len(self.position)

    @staticmethod
    def empty() -> BoxStates:
        return BoxStates(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((0, 4, 3)))

    @staticmethod
    def start(boxes: Float32Array, model: MotionModel) -> BoxStates:
        """New filters from measured boxes ``[T, 4]``, at rest but unsure of it."""
        position = foot_states(boxes)
        height = position[:, 3]
        covariance = np.zeros((len(position), 4, 3))
        covariance[..., 0] = model.measurement_variance(height)
        speed = model.initial_speed * height[:, None] * np.array([1.0, 1.0, 0.25, 0.25])
        covariance[..., 2] = speed**2
        return BoxStates(position, np.zeros_like(position), covariance)

    def predict(self, interval_s: float, model: MotionModel) -> None:
        """Move all filters ``interval_s`` ahead, in place."""
        if interval_s <= 0:
            return
        dt = interval_s
        height = np.maximum(self.position[:, 3], 1.0)
        noise = model.acceleration_variance(height)
        self.position += self.velocity * dt
        self.position[:, 2:] = np.maximum(self.position[:, 2:], 1.0)
        variance, cross, speed = (self.covariance[..., k] for k in range(3))
        self.covariance = np.stack(
            [
                variance + 2 * dt * cross + dt * dt * speed + noise * dt**4 / 4,
                cross + dt * speed + noise * dt**3 / 2,
                speed + noise * dt**2,
            ],
            axis=-1,
        )

    def correct(self, rows: Float64Array | np.ndarray, boxes: Float32Array, model: MotionModel) -> None:
        """Take measured boxes ``[R, 4]`` into the filters at ``rows`` ``[R]``, in place."""
        if not len(rows):
            return
        measured = foot_states(boxes)
        covariance = self.covariance[rows]
        variance, cross, speed = (covariance[..., k] for k in range(3))
        innovation_variance = variance + model.measurement_variance(np.maximum(self.position[rows, 3], 1.0))
        gain, speed_gain = variance / innovation_variance, cross / innovation_variance
        residual = measured - self.position[rows]
        self.position[rows] += gain * residual
        self.velocity[rows] += speed_gain * residual
        self.covariance[rows] = np.stack(
            [(1 - gain) * variance, (1 - gain) * cross, speed - speed_gain * cross],
            axis=-1,
        )

    def take(self, rows: np.ndarray) -> BoxStates:
        """The filters at ``rows`` (indices or a mask)."""
        return BoxStates(self.position[rows], self.velocity[rows], self.covariance[rows])

    def append(self, other: BoxStates) -> BoxStates:
        return BoxStates(
            np.concatenate([self.position, other.position]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.covariance, other.covariance]),
        )

    def boxes(self) -> Float64Array:
        """Predicted boxes ``[T, 4]``, ``x1, y1, x2, y2``."""
        x, y, w, h = self.position.T
        return np.stack([x - w / 2, y - h, x + w / 2, y], axis=1)


def foot_states(boxes: Float32Array) -> Float64Array:
    """``x1, y1, x2, y2`` to ``x_foot, y_foot, width, height``, both ``[T, 4]``."""
    b = boxes.astype(np.float64)
    return np.stack(
        [(b[:, 0] + b[:, 2]) / 2, b[:, 3], np.maximum(b[:, 2] - b[:, 0], 1.0), np.maximum(b[:, 3] - b[:, 1], 1.0)],
        axis=1,
    )
