from __future__ import annotations

import cv2
import numpy as np
import pytest

from analytics.counting.heatmap import Grid
from analytics.reports.rendering import BAR_HEIGHT, PLAIN_SIZE, Caption, render, scale_top
from pipelines.types import Image

CAPTION = Caption("Entrance", "2026-03-01 09:00 - 10:00 UTC", 0.85)


def grid(**cells: float) -> Grid:
    """A grid with amounts at cells named ``r<row>c<column>``."""
    made = np.zeros((36, 64), np.float32)
    for name, amount in cells.items():
        row, column = name[1:].split("c")
        made[int(row), int(column)] = amount
    return made


def colourfulness(image: Image) -> np.ndarray:
    """Per pixel, how far its channels lie apart: 0 for greys."""
    return np.asarray(image.max(axis=2).astype(int) - image.min(axis=2))


def test_the_legend_is_below_the_picture() -> None:
    background = np.full((360, 640, 3), 90, np.uint8)
    image = render(grid(r10c10=5), "dwell", CAPTION, background=background)
    assert image.shape == (360 + BAR_HEIGHT, 640, 3)
    assert image.dtype == np.uint8
    legend = image[-BAR_HEIGHT:]
    assert (legend == 255).all(axis=2).mean() > 0.5  # paper
    assert (legend.max(axis=2) < 130).any()  # ink
    assert (colourfulness(legend) > 150).sum() > 1000  # the scale


def test_heat_lies_where_the_people_stood_and_nowhere_else() -> None:
    background = np.full((360, 640, 3), 90, np.uint8)
    image = render(grid(r9c16=5), "dwell", CAPTION, background=background)[:-BAR_HEIGHT]
    hot = colourfulness(image) > 60
    rows, columns = np.nonzero(hot)
    assert rows.mean() == pytest.approx(9.5 * 10, abs=3)
    assert columns.mean() == pytest.approx(16.5 * 10, abs=3)
    assert np.ptp(rows) < 60
    assert np.ptp(columns) < 60


def test_colours_are_those_of_the_legend() -> None:
    cells = grid()
    for column, amount in ((10, 10), (30, 6), (50, 3)):
        cells[7:12, column - 2 : column + 3] = amount
    image = render(cells, "dwell", CAPTION, clip=100)
    scale = image[-BAR_HEIGHT + 18, 16:320].astype(float)
    for column, amount in ((10, 10), (30, 6), (50, 3)):
        shown = image[round(9.5 * PLAIN_SIZE[1] / 64), round((column + 0.5) * PLAIN_SIZE[1] / 64)]
        colour = (shown - 0.25 * 225) / 0.75  # a quarter of the grey background shines through
        place = np.abs(scale - colour).sum(axis=1).argmin() / (len(scale) - 1)
        assert place == pytest.approx(amount / 10, abs=0.05)


def test_an_empty_grid_is_a_picture_without_colour_that_says_so() -> None:
    image = render(grid(), "visits", CAPTION)
    assert image.shape == (PLAIN_SIZE[0] + BAR_HEIGHT, PLAIN_SIZE[1], 3)
    assert colourfulness(image[:-BAR_HEIGHT]).max() == 0


def test_the_background_keeps_its_shape_and_loses_most_of_its_colour() -> None:
    background = np.zeros((600, 1000, 3), np.uint8)
    background[:, :, 2] = 200
    image = render(grid(), "dwell", CAPTION, background=background)[:-BAR_HEIGHT]
    assert image.shape == (600, 1000, 3)
    assert colourfulness(image).max() < 100


@pytest.mark.parametrize(("size", "width"), [((240, 320), 640), ((1080, 1920), 1280), ((2000, 100), 640)])
def test_pictures_come_in_a_size_that_the_legend_fits(size: tuple[int, int], width: int) -> None:
    image = render(grid(r1c1=1), "dwell", CAPTION, background=np.zeros((*size, 3), np.uint8))
    assert image.shape[1] == width
    assert image.shape[0] == BAR_HEIGHT + round(size[0] * width / size[1])


def test_one_extreme_cell_does_not_hide_the_others() -> None:
    cells = np.zeros((36, 64), np.float32)
    cells[10, :] = 10.0
    cells[0, 0] = 1e6
    assert scale_top(cells, 98) == 10.0
    assert scale_top(cells, 100) == 1e6
    assert scale_top(np.zeros((36, 64), np.float32), 99) == 0.0


def test_the_legend_says_where_the_scale_ends_if_it_is_cut() -> None:
    cells = np.full((36, 64), 10.0, np.float32)
    uncut = render(cells, "dwell", CAPTION)[-BAR_HEIGHT:]
    cells[0, 0] = 1e6
    cut = render(cells, "dwell", CAPTION)[-BAR_HEIGHT:]
    left = slice(0, 320)
    assert (cut[46:, left] < 200).sum() > (uncut[46:, left] < 200).sum()


def test_letters_that_the_font_lacks_do_no_harm() -> None:
    caption = Caption("Müller · 入口", "heute", 1.0)
    assert cv2.imencode(".png", render(grid(r5c5=1), "dwell", caption))[0]
