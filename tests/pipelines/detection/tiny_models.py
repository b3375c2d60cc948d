"""ONNX files of a few nodes, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def passthrough_model(
    path: Path,
    *,
    input_shape: tuple[int | str, ...] = ("batch", 32, 64, 3),
    input_type: int = TensorProto.UINT8,
    output_names: tuple[str, str] = ("boxes", "scores"),
    metadata: dict[str, str] | None = None,
    brightest: float = 255,
) -> Path:
    """A detector whose answer is painted into the image.

    The first row's pixels are its boxes: blue and green of pixels 2a and 2a + 1 give x1, y1, x2, y2 of box `a`; red of
    pixel 2a is its score in parts of the brightest. There are 8 boxes and one class.
    """
    nodes = [
        helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["values", "zero", "one", "axis_y"], ["row"]),
        helper.make_node("Slice", ["row", "zero", "sixteen", "axis_x"], ["used"]),
        helper.make_node("Reshape", ["used", "pairs"], ["points"]),
        helper.make_node("Gather", ["points", "box_columns"], [output_names[0]], axis=2),
        helper.make_node("Gather", ["points", "score_column"], ["score_255"], axis=2),
        helper.make_node("Div", ["score_255", "full"], [output_names[1]]),
    ]
    constants: dict[str, Any] = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "sixteen": np.array([16]),
        "axis_y": np.array([1]),
        "axis_x": np.array([2]),
        "pairs": np.array([-1, 8, 6]),
        "box_columns": np.array([0, 1, 3, 4]),
        "score_column": np.array([2]),
        "full": np.array(brightest, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "passthrough",
        [helper.make_tensor_value_info("pixels", input_type, list(input_shape))],
        [
            helper.make_tensor_value_info(output_names[0], TensorProto.FLOAT, ["batch", 8, 4]),
            helper.make_tensor_value_info(output_names[1], TensorProto.FLOAT, ["batch", 8, 1]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def painted(boxes: list[tuple[int, int, int, int, int]], height: int = 32, width: int = 64) -> np.ndarray[Any, Any]:
    """An image that makes `passthrough_model` answer with these boxes: x1, y1, x2, y2, score in 255ths."""
    image = np.zeros((height, width, 3), np.uint8)
    for i, (x1, y1, x2, y2, score) in enumerate(boxes):
        image[0, 2 * i] = x1, y1, score
        image[0, 2 * i + 1] = x2, y2, 0
    return image
