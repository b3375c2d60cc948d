"""Makes model files together with their cards, in float32 and in int8, and scores them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pipelines.detection.onnx import CPU, OnnxDetector
from pipelines.evaluation.datasets import find_scoring_sets
from pipelines.evaluation.detection import Score, ScoringSet, evaluate
from pipelines.evaluation.images import letterbox, read_images
from pipelines.models.building.build import build_nanodet
from pipelines.models.building.calibration import simulated_images, simulated_scoring_set
from pipelines.models.building.quantize import SCORING_FLOOR, quantize
from pipelines.models.card import CardScore, ModelCard, describe, write_card
from pipelines.models.catalogue import NANODET_WEIGHTS, model_home
from pipelines.models.download import fetch_weights
from pipelines.types import Image

Stage = Literal["download", "build", "calibrate", "score"]
Progress = Callable[[Stage, int, int], None]
"""Called with the stage, what is done of it and what there is to do: bytes when downloading, else images or steps.

What there is to do is 0 where it is not known.
"""

Item = TypeVar("Item")

SIMULATED_IMAGES = 96
OWN_IMAGES = 96


def make_float32(
    target: Path,
    *,
    size: tuple[int, int] = (320, 416),
    classes: Sequence[str] | str = ("person",),
    home: Path | None = None,
    scoring: Sequence[ScoringSet] = (),
    progress: Progress | None = None,
) -> ModelCard:
    """Fetch NanoDet-g's weights if need be, build the ONNX file, score it and write its card.

    Args:
        target: the file to write.
        size: height and width of the input, pixels, multiples of 32.
        classes: COCO names, or ``"all"``.
        home: the model folder, which keeps the weights; see `pipelines.models.catalogue.model_home`.
        scoring: what to score it on; only for files that find people.
        progress: told of every step, from this thread.

    Raises:
        ModelDownloadFailed: the weights could not be fetched.
        ValueError: the size or a class name is not possible.
    """
    tell = progress or _silent
    sources = fetch_weights(NANODET_WEIGHTS, model_home(home), lambda done, total: tell("download", done, total))
    tell("build", 0, 1)
    build_nanodet(sources[0], target, size=size, classes=classes)
    tell("build", 1, 1)
    scores = [CardScore(one.scoring_set, one.images, one.people, one.ap50) for one in score(target, scoring, progress)]
    card = describe(target, None, scores)
    write_card(card, target)
    return card


def make_int8(
    source: Path,
    target: Path,
    *,
    calibrate_with: Sequence[Path] = (),
    scoring: Sequence[ScoringSet] = (),
    accept_any_drop: bool = False,
    progress: Progress | None = None,
) -> ModelCard:
    """Quantise a float32 file, score both, refuse a bad result, and write the card.

    Args:
        source: float32 ONNX file, ours or the user's own.
        target: the file to write.
        calibrate_with: photos, folders of photos or recordings, added to the simulated images.
        scoring: what to score on.
        accept_any_drop: keep the result whatever it lost.
        progress: told of every step, from this thread.

    Raises:
        ModelNotFound: the source is missing.
        ModelInvalid: it is no model of ours.
        ModelError: the result finds people worse than allowed, or a path gives no images.
    """
    tell = progress or _silent
    size = OnnxDetector(source, providers=[CPU]).input_size
    total = SIMULATED_IMAGES + (OWN_IMAGES if calibrate_with else 0)
    images = _counted(_calibration_images(size, calibrate_with), lambda done: tell("calibrate", done, total))
    counted = [_counted_set(one, tell) for one in scoring]
    report = quantize(source, target, images, scoring=counted, accept_any_drop=accept_any_drop)
    scores = [
        CardScore(after.scoring_set, after.images, after.people, after.ap50, before.ap50)
        for before, after in report.scores
    ]
    own = report.calibration_images - SIMULATED_IMAGES
    calibration = f"{SIMULATED_IMAGES} frames of simulated scenes, half of them varied in light, sharpness and distance"
    card = describe(target, calibration + (f"; {own} images of the user's own" if own else ""), scores)
    write_card(card, target)
    return card


def score(model: Path, scoring: Sequence[ScoringSet], progress: Progress | None = None) -> list[Score]:
    """AP50 of a model file on each scoring set, on the CPU.

    Raises:
        ModelNotFound: there is no such file.
        ModelInvalid: it is no model of ours.
        ValueError: it does not find people.
    """
    detector = OnnxDetector(model, providers=[CPU], score_floor=SCORING_FLOOR)
    return [evaluate(detector, _counted_set(one, progress or _silent)) for one in scoring]


def scoring_sets(folder: Path | None = None) -> list[ScoringSet]:
    """Simulated scenes, which every machine has, and what is labelled in a data folder.

    Args:
        folder: see `pipelines.evaluation.datasets.find_scoring_sets`; by default ``$FOOTFALL_DATA``, if that is set.

    Raises:
        ModelError: the folder does not exist, or a file in it is not of its form.
    """
    configured = os.environ.get("FOOTFALL_DATA")
    if folder is None and configured:
        folder = Path(configured).expanduser()
    return [simulated_scoring_set(), *find_scoring_sets(folder)]


def _calibration_images(size: tuple[int, int], own: Sequence[Path]) -> Iterator[Image]:
    """The user's images first, so that a wrong path is known at once, then the simulated ones, all letterboxed."""
    for image in read_images(own, OWN_IMAGES):
        yield letterbox(image, size)[0]
    yield from simulated_images(size, SIMULATED_IMAGES)


def _counted_set(scoring: ScoringSet, tell: Progress) -> ScoringSet:
    return ScoringSet(scoring.name, lambda: _counted(scoring.images(), lambda done: tell("score", done, 0)))


def _counted(items: Iterable[Item], tell: Callable[[int], None]) -> Iterator[Item]:
    for done, item in enumerate(items, start=1):
        yield item
        tell(done)


def _silent(stage: Stage, done: int, total: int) -> None:
    """No progress wanted."""
