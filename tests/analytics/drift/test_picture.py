from __future__ import annotations

import cv2
import numpy as np
import pytest

from analytics.drift.picture import COLUMNS, ROWS, WIDTH_PX, grey_of, measure
from tests.analytics.drift.pictures import Hall, blurred


def features(picture: np.ndarray, before: np.ndarray | None = None):  # type: ignore[no-untyped-def,type-arg]
    grey, earlier = grey_of(picture), None if before is None else grey_of(before)
    assert grey is not None
    return measure(grey, earlier)


def flat(level: int, size: tuple[int, int] = (360, 640)) -> np.ndarray:  # type: ignore[type-arg]
    return np.full((*size, 3), level, np.uint8)


def test_large_pictures_are_looked_at_in_one_width_and_small_ones_as_they_are() -> None:
    assert grey_of(flat(9, (1080, 1920))).shape == (180, WIDTH_PX)  # type: ignore[union-attr]
    assert grey_of(flat(9, (240, 300))).shape == (240, 300)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [(40, 640), (360, 40), (1, 1)])
def test_a_picture_that_is_too_small_tells_nothing(size: tuple[int, int]) -> None:
    assert grey_of(flat(9, size)) is None


def test_a_very_wide_picture_keeps_enough_rows() -> None:
    grey = grey_of(flat(9, (100, 4000)))
    assert grey is not None
    assert measure(grey, None).luma.shape == (ROWS, COLUMNS)


def test_brightness_is_that_of_each_block() -> None:
    picture = flat(40)
    picture[:, 320:] = 200
    found = features(picture)
    assert found.luma[:, :4] == pytest.approx(40)
    assert found.luma[:, 4:] == pytest.approx(200)
    assert found.brightness == pytest.approx(120)


def test_a_flat_picture_has_neither_texture_nor_detail_nor_noise() -> None:
    found = features(flat(77))
    assert found.texture.max() == found.detail.max() == 0
    assert found.noise < 0.1


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
def test_noise_is_measured_and_structure_is_none(sigma: float) -> None:
    rng = np.random.default_rng(3)
    grey = np.full((180, 320), 120.0)
    grey[:, 160:] = 60  # an edge
    noisy = np.clip(grey + rng.normal(0, sigma, grey.shape), 0, 255).round().astype(np.uint8)
    assert measure(noisy, None).noise == pytest.approx(sigma, rel=0.12)
    assert measure(grey.astype(np.uint8), None).noise < 0.1


def test_blur_takes_detail_and_leaves_brightness() -> None:
    sharp = Hall(1).picture(noise=0)
    before, after = features(sharp), features(blurred(sharp))
    assert after.detail.mean() < 0.5 * before.detail.mean()
    assert after.brightness == pytest.approx(before.brightness, rel=0.02)


def test_only_the_blocks_that_changed_count_as_changed() -> None:
    before = flat(50)
    after = before.copy()
    cv2.rectangle(after, (0, 0), (79, 59), (90, 90, 90), -1)  # the first block
    assert features(after, before).changed == pytest.approx(1 / (ROWS * COLUMNS))
    assert features(before, before.copy()).changed == 0
    assert features(before).changed is None


def test_pictures_of_two_sizes_are_not_compared() -> None:
    assert features(flat(50), flat(50, (480, 640))).changed is None
