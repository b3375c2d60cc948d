"""A heatmap as a picture that can be read without asking: overlay, scale, unit, window, coverage."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from analytics.counting.heatmap import UNITS, Grid, Measure
from pipelines.types import Image

BAR_HEIGHT = 76
PLAIN_SIZE = (576, 1024)
_INK, _PAPER, _FAINT = (40, 40, 40), (255, 255, 255), (120, 120, 120)


@dataclass(frozen=True, slots=True)
class Caption:
    """What the legend says beside the scale.

    Attributes:
        title: of the camera.
        window: in words.
        coverage: share of the window that was seen, in [0, 1].
    """

    title: str
    window: str
    coverage: float


def scale_top(grid: Grid, clip: float) -> float:
    """The amount at the top of the colour scale: percentile ``clip`` of the cells that are not empty.

    One cell where somebody stood all day would otherwise leave everything else invisible.
    """
    filled = grid[grid > 0]
    if not len(filled):
        return 0.0
    return float(np.percentile(filled, clip))


def render(
    grid: Grid, measure: Measure, caption: Caption, *, background: Image | None = None, clip: float = 99.0
) -> Image:
    """Draw a grid over an image, with a legend below.

    Args:
        grid: float32 ``[rows, columns]``.
        measure: what it holds.
        caption: for the legend.
        background: uint8 ``[H, W, 3]``, BGR; plain grey if absent.
        clip: percentile of the filled cells at which the scale ends.

    Returns:
        uint8 ``[H + legend, W, 3]``, BGR.
    """
    if background is None:
        image = np.full((*PLAIN_SIZE, 3), 225, np.uint8)
    else:
        width = max(640, min(1280, background.shape[1]))
        height = round(background.shape[0] * width / background.shape[1])
        image = cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        # Colours must be those of the legend, not of the floor.
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        image = cv2.addWeighted(image, 0.35, grey, 0.65, 0).astype(np.uint8)
    top = scale_top(grid, clip)
    if top > 0:
        image = _lay_over(image, grid, top)
    return np.vstack([image, _legend(image.shape[1], grid, measure, caption, top, clip)])


def _lay_over(image: Image, grid: Grid, top: float) -> Image:
    height, width = image.shape[:2]
    share = np.clip(grid / top, 0, 1)
    smooth = np.clip(cv2.resize(share, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    smooth = cv2.GaussianBlur(smooth, (0, 0), width / grid.shape[1] / 3)
    colours = cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_TURBO).astype(np.float32)
    alpha = (0.75 * np.clip(smooth / 0.15, 0, 1))[..., None]
    return np.asarray(image * (1 - alpha) + colours * alpha).astype(np.uint8)


def _legend(width: int, grid: Grid, measure: Measure, caption: Caption, top: float, clip: float) -> Image:
    legend = np.full((BAR_HEIGHT, width, 3), _PAPER, np.uint8)
    left, right = 16, min(width // 3, 320)
    ramp = np.linspace(0, 255, right - left).astype(np.uint8)[None].repeat(14, axis=0)
    legend[12:26, left:right] = cv2.applyColorMap(ramp, cv2.COLORMAP_TURBO)
    unit = f"{UNITS[measure]} per cell"
    if top > 0:
        _text(legend, "0", (left, 42))
        label = _amount(top) + ("+" if float(grid.max()) > top else "")
        _text(legend, label, (right - _text_width(label), 42))
        _text(legend, unit, ((left + right - _text_width(unit)) // 2, 42))
        if float(grid.max()) > top:
            _text(
                legend,
                f"scale ends at the {clip:g}th percentile, highest cell {_amount(float(grid.max()))}",
                (left, 62),
                _FAINT,
            )
    else:
        _text(legend, f"no {UNITS[measure]} in this window", (left, 42))
    x = right + 32
    _text(legend, caption.title, (x, 22), _INK)
    _text(legend, caption.window, (x, 42), _INK)
    seen = f"{caption.coverage:.0%} of the window was seen, total {_amount(float(grid.sum()))} {UNITS[measure]}"
    _text(legend, seen, (x, 62), _FAINT)
    return legend


def _text(image: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int] = _INK) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's font has no other letters
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0])


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
