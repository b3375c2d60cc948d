"""A plain numpy interpreter for the operations of TensorFlow.js graphs that NanoDet-g is made of: slow and obvious."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.models.building.tfjs import GraphModel, Node

Array = npt.NDArray[Any]


def interpret(model: GraphModel, image: Array) -> dict[str, Array]:
    """Values of the graph's outputs (its Identity nodes) for one image ``[1, 3, H, W]``."""
    values: dict[str, Array] = {}
    for node in model.nodes.values():
        outputs = _run(model, node, [values[name] for name in node.inputs], image)
        for number, output in enumerate(outputs):
            values[node.name if number == 0 else f"{node.name}:{number}"] = output
    return {node.name: values[node.name] for node in model.nodes.values() if node.op == "Identity"}


def _run(model: GraphModel, node: Node, inputs: list[Array], image: Array) -> list[Array]:
    match node.op:
        case "Const":
            return [model.weights[node.name]]
        case "Placeholder":
            return [image]
        case "SplitV":
            edges = np.cumsum(inputs[1])[:-1]
            return list(np.split(inputs[0], edges, axis=int(inputs[2])))
        case _:
            return [_run_single(node, inputs)]


def _run_single(node: Node, inputs: list[Array]) -> Array:
    match node.op:
        case "Identity":
            return inputs[0]
        case "Add" | "AddV2":
            return inputs[0] + inputs[1]
        case "Pad":
            return np.pad(inputs[0], inputs[1])
        case "PadV2":
            return np.pad(inputs[0], inputs[1], constant_values=float(inputs[2]))
        case "Transpose":
            return inputs[0].transpose(inputs[1])
        case "Reshape":
            return inputs[0].reshape(inputs[1])
        case "ConcatV2":
            return np.concatenate(inputs[:-1], axis=int(inputs[-1]))
        case "Sigmoid":
            return 1 / (1 + np.exp(-inputs[0]))
        case "LeakyRelu":
            return np.where(inputs[0] > 0, inputs[0], inputs[0] * node.attributes["alpha"])
        case "SparseToDense":
            assert len(inputs[0]) == 0, "only ever used to make zeros"
            return np.zeros(inputs[1], inputs[3].dtype)
        case "Conv2D":
            assert node.attributes["padding"] == "VALID"
            windows = _windows(inputs[0], inputs[1].shape[0], node.attributes["strides"][1])
            return np.tensordot(windows, inputs[1].transpose(2, 0, 1, 3), axes=3)
        case "MaxPool":
            assert node.attributes["padding"] == "VALID"
            return _windows(inputs[0], node.attributes["ksize"][1], node.attributes["strides"][1]).max(axis=(-2, -1))
        case "ResizeBilinear":
            assert node.attributes["half_pixel_centers"]
            return _resize(inputs[0], int(inputs[1][0]), int(inputs[1][1]))
    raise NotImplementedError(node.op)


def _windows(values: Array, size: int, stride: int) -> Array:
    """``[1, H, W, C]`` to ``[1, H', W', C, size, size]``."""
    return np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def _resize(values: Array, height: int, width: int) -> Array:
    """Bilinear, without antialiasing, pixel centres at halves."""
    for axis, size in ((1, height), (2, width)):
        length = values.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values
