from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.models.building.calibration import (
    CALIBRATION_SEEDS,
    SCORING_SEEDS,
    simulated_images,
    simulated_scoring_set,
    vary,
)


@pytest.fixture(autouse=True)
def drawn_before(test_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated people are kept between test runs."""
    monkeypatch.setenv("FOOTFALL_CACHE", str(test_cache))


def test_scenes_to_score_on_are_not_those_to_calibrate_with() -> None:
    assert not set(CALIBRATION_SEEDS) & set(SCORING_SEEDS)


def test_there_are_as_many_images_as_asked_for_of_the_models_size() -> None:
    images = list(simulated_images((96, 160), count=9))
    assert len(images) == 9
    assert {image.shape for image in images} == {(96, 160, 3)}
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}


def test_the_same_images_come_every_time() -> None:
    for one, other in zip(simulated_images((96, 160), 4), simulated_images((96, 160), 4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_variations_reach_black_and_white() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((64, 64, 3), 128, np.uint8)
    grey[:32] = 40
    grey[32:, 32:] = 215
    means = [float(vary(grey, rng).mean()) for _ in range(50)]
    assert max(means) - min(means) > 80


def test_scored_people_are_in_the_image_and_hidden_ones_ignored() -> None:
    images = list(simulated_scoring_set(frames_per_scene=6).images())
    assert len(images) == 12
    assert sum(len(image.people) for image in images) > 50
    for image in images:
        assert image.people.dtype == image.ignored.dtype == np.float32
        height, width = image.image.shape[:2]
        assert (image.people >= 0).all()
        assert (image.people <= [width, height, width, height]).all()
