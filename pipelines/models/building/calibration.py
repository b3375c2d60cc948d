"""Images that show a model what it will see, on a machine that has none: the simulator's, varied.

Calibration only looks at the ranges of values inside the network. What matters is that they are reached, not that the
people look real; hence the changes of light, contrast, sharpness and distance, which real cameras bring and a clean
simulation lacks.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from pipelines.evaluation.detection import LabelledImage, ScoringSet
from pipelines.evaluation.images import letterbox
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.types import Float32Array, Image

CALIBRATION_SEEDS = (101, 102, 103, 104)
SCORING_SEEDS = (901, 902)
"""Scenes to score on are never those to calibrate with."""

CAMERAS = (
    Camera(640, 360),
    Camera(640, 480, up_m=3.2, pitch_deg=22.0),
)
PEOPLE = 10
SCENE_S = 20.0
SCENE_FPS = 15.0


def simulated_images(size: tuple[int, int], count: int = 96, seed: int = 0) -> Iterator[Image]:
    """Frames of simulated scenes, each as it is and then varied, letterboxed; the same ones for the same arguments.

    Args:
        size: height and width, pixels.
        count: how many.
        seed: of the variations.
    """
    rng = np.random.default_rng(seed)
    share = -(-count // (2 * len(CALIBRATION_SEEDS)))
    given = 0
    for i, scene_seed in enumerate(CALIBRATION_SEEDS):
        scene = Scene(CAMERAS[i % len(CAMERAS)], people=PEOPLE, seconds=SCENE_S, fps=SCENE_FPS, seed=scene_seed)
        for frame in np.linspace(0, scene.frames - 1, share).astype(int):
            plain = scene.image(int(frame))
            for image in (plain, vary(plain, rng)):
                if given < count:
                    yield letterbox(image, size)[0]
                    given += 1


def vary(image: Image, rng: np.random.Generator) -> Image:
    """Another camera's look at the same scene: distance, sharpness, contrast, tint, light, noise.

    Args:
        image: BGR; the result is smaller.
        rng: decides.
    """
    height, width = image.shape[:2]
    zoom = rng.uniform(0.45, 1.0)
    inner_h, inner_w = int(height * zoom), int(width * zoom)
    top, left = rng.integers(0, height - inner_h + 1), rng.integers(0, width - inner_w + 1)
    cut = image[top : top + inner_h, left : left + inner_w]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    if rng.random() < 0.3:
        cut = np.asarray(cv2.GaussianBlur(cut, (0, 0), rng.uniform(0.5, 2.0)), np.uint8)
    gain = rng.uniform(0.5, 1.6) * rng.uniform(0.85, 1.15, 3)
    light = 128 + rng.uniform(-60, 60)
    noise = rng.normal(0, rng.uniform(0, 10), cut.shape)
    return np.clip((cut.astype(np.float64) - 128) * gain + light + noise, 0, 255).astype(np.uint8)


def simulated_scoring_set(frames_per_scene: int = 40) -> ScoringSet:
    """Simulated scenes that no calibration has seen. People of whom too little can be seen become ignore regions."""

    def images() -> Iterator[LabelledImage]:
        for seed in SCORING_SEEDS:
            scene = Scene(CAMERAS[0], people=PEOPLE, seconds=SCENE_S, fps=SCENE_FPS, seed=seed)
            for frame in np.linspace(0, scene.frames - 1, frames_per_scene).astype(int):
                image, people = scene.render(int(frame))
                seen = [person.box for person in people if person.counts_as_visible]
                hidden = [person.box for person in people if not person.counts_as_visible]
                yield LabelledImage(image, _boxes(seen), _boxes(hidden))

    seeds = ", ".join(str(seed) for seed in SCORING_SEEDS)
    return ScoringSet(f"simulated scenes {seeds}", images)


def _boxes(boxes: list[tuple[int, int, int, int]]) -> Float32Array:
    return np.array(boxes, np.float32).reshape(-1, 4)
