"""Turns a float32 model into an int8 one, and refuses the result if it finds people noticeably worse."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime import quantization

from pipelines.detection.onnx import CPU, OnnxDetector
from pipelines.errors import FootfallError, ModelError, ModelInvalid
from pipelines.evaluation.detection import Score, ScoringSet, evaluate
from pipelines.models.building.build import write_model
from pipelines.types import Image

logger = logging.getLogger(__name__)

MAX_AP50_DROP = 0.03
DECIDING_PEOPLE = 150
"""With fewer labelled people a drop of `MAX_AP50_DROP` may be chance."""

SCORING_FLOOR = 0.02
"""Average precision needs the tail of weak detections that a service drops."""


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """What a quantisation did.

    Attributes:
        calibration_images: how many were used.
        scores: of the float32 and the int8 model, for each scoring set.
    """

    calibration_images: int
    scores: tuple[tuple[Score, Score], ...]


def quantize(
    source: Path,
    target: Path,
    calibration: Iterable[Image],
    *,
    scoring: Sequence[ScoringSet] = (),
    max_drop: float = MAX_AP50_DROP,
    accept_any_drop: bool = False,
) -> QuantizationReport:
    """Write the int8 model of a float32 model: static, QDQ, per channel, convolutions only.

    Args:
        source: float32 ONNX file.
        target: the file to write, only once the result is accepted.
        calibration: BGR, letterboxed to the model's input size; some hundred, none of them in `scoring`.
        scoring: what to score both models on; without any nothing is checked.
        max_drop: of AP50 on any of them that is accepted. Sets with few people are reported and do not decide.
        accept_any_drop: keep the result whatever it lost.

    Raises:
        ModelNotFound: the source is missing.
        ModelInvalid: it is no model of ours.
        ModelError: there are no calibration images, or the int8 model lost more than `max_drop`.
    """
    detector = OnnxDetector(source, providers=[CPU], score_floor=SCORING_FLOOR)
    if any(node.op_type == "QuantizeLinear" for node in onnx.load(source).graph.node):
        raise ModelInvalid(f"{source} is quantised already")
    feed = CalibrationFeed(calibration, detector.input_name)
    with tempfile.TemporaryDirectory(prefix="footfall-quantize-") as folder:
        result = Path(folder) / "int8.onnx"
        _quantize_static(source, result, feed)
        int8_detector = OnnxDetector(result, providers=[CPU], score_floor=SCORING_FLOOR)
        scores = tuple((evaluate(detector, one), evaluate(int8_detector, one)) for one in scoring)
        for before, after in scores:
            _check_drop(before, after, max_drop, accept_any_drop)
        write_model(onnx.load(result), target)
    return QuantizationReport(feed.count, scores)


class CalibrationFeed:
    """Hands images to ONNX Runtime's calibration one by one; it asks until it gets None.

    Attributes:
        count: of images handed over.
    """

    def __init__(self, images: Iterable[Image], input_name: str) -> None:
        self._images = iter(images)
        self._input_name = input_name
        self.count = 0

    def get_next(self) -> Mapping[str, Image] | None:
        image = next(self._images, None)
        if image is None:
            return None
        self.count += 1
        return {self._input_name: image[None]}


def _quantize_static(source: Path, target: Path, feed: CalibrationFeed) -> None:
    """Prepare the graph, watch the ranges of its tensors, and write it with quantised convolutions.

    Raises:
        ModelError: there are no calibration images.
        ModelInvalid: ONNX Runtime cannot quantise this graph.
    """
    prepared = target.with_name("prepared.onnx")
    metadata = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
    try:
        with _only_errors():
            quantization.shape_inference.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared),
                str(target),
                feed,
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )
    except FootfallError:  # from the calibration images
        raise
    except Exception as error:  # onnx, ONNX Runtime and its Python tools share no exception but this
        if feed.count == 0:
            raise ModelError("there are no images to calibrate with") from error
        raise ModelInvalid(f"{source} cannot be quantised: {error}") from error
    model = onnx.load(target)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**metadata, "precision": "int8"})
    onnx.save(model, target)


def _check_drop(before: Score, after: Score, max_drop: float, accept_any_drop: bool) -> None:
    drop = before.ap50 - after.ap50
    logger.info("AP50 on %s: %.3f in float32, %.3f in int8", before.scoring_set, before.ap50, after.ap50)
    if drop > max_drop and before.people >= DECIDING_PEOPLE and not accept_any_drop:
        raise ModelError(
            f"the int8 model finds people worse: AP50 {after.ap50:.3f} instead of {before.ap50:.3f} on "
            f"{before.scoring_set}, {drop:.3f} lost where {max_drop:.3f} is allowed; "
            "calibrate with recordings of your own cameras, or keep the float32 model"
        )


@contextmanager
def _only_errors() -> Iterator[None]:
    """Keep ONNX Runtime's quantisation tools from advising on the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
