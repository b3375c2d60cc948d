"""NanoDet-g, the person detector, rebuilt as an ONNX graph from its TensorFlow.js export.

The network: NanoDet (RangiLyu, 2020, Apache-2.0), variant "g" for GPUs: a CSP backbone of plain 3 x 3 convolutions, a
path aggregation neck (PAN: Liu et al., CVPR 2018) with additions instead of concatenations, and one head for each of
the strides 8, 16 and 32, which predicts class scores and the distances to the four sides of the box as a discrete
distribution (Generalized Focal Loss: Li et al., NeurIPS 2020).

The graph takes bytes as a camera gives them and ends in boxes and scores; only non-maximum suppression is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from pipelines.detection.output_decoders import STRIDE
from pipelines.errors import ModelInvalid
from pipelines.models.building.graph import Convolution, FeatureMap, GraphWriter, tensor
from pipelines.models.building.tfjs import GraphModel

MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
STD_BGR = np.array([57.375, 57.12, 58.395], np.float32)
"""Normalisation of the training images: (pixel - mean) / std."""

CLASS_COUNT = 80
BINS = 11
"""Distances are expectations over 0, 1 ... 10 strides."""

STRIDES = (8, 16, 32)
CONVOLUTIONS = 34
SLOPE = 0.1


def nanodet_graph(
    source: GraphModel, size: tuple[int, int], class_indices: Sequence[int], metadata: dict[str, str]
) -> Any:
    """Rebuild the network for one input size and some of its classes.

    Args:
        source: the model as published.
        size: height and width of the input, pixels, multiples of 32 (it was trained at 416 x 416).
        class_indices: which of the 80 COCO classes to keep, in the order of the output.
        metadata: what to write into the file's ``metadata_props``.

    Returns:
        An ``onnx.ModelProto``. In: ``images`` uint8 ``[batch, height, width, 3]``, BGR. Out: ``boxes`` float32
        ``[batch, A, 4]`` (x1, y1, x2, y2, input pixels) and ``scores`` float32 ``[batch, A, K]``.

    Raises:
        ModelInvalid: `source` is another network.
        ValueError: the size or a class index is not possible.
    """
    if any(side <= 0 or side % STRIDE for side in size):
        raise ValueError(f"height and width must be multiples of {STRIDE}, not {size[0]}x{size[1]}")
    if not class_indices or any(not 0 <= index < CLASS_COUNT for index in class_indices):
        raise ValueError(f"class indices must be in 0 to {CLASS_COUNT - 1}: {list(class_indices)}")
    weights = read_convolutions(source)
    writer = GraphWriter()
    image = _normalised_input(writer, size)
    pyramid = _neck(writer, _backbone(writer, image, weights), weights)
    points = _heads(writer, pyramid, weights, class_indices)
    anchors = sum(level.height * level.width for level in pyramid)
    _decode(writer, points, pyramid, len(class_indices))
    return writer.finish(
        "nanodet_g",
        [tensor("images", "UINT8", "batch", *size, 3)],
        [
            tensor("boxes", "FLOAT", "batch", anchors, 4),
            tensor("scores", "FLOAT", "batch", anchors, len(class_indices)),
        ],
        metadata,
    )


def read_convolutions(source: GraphModel) -> list[Convolution]:
    """The network's convolutions in the order of the forward pass.

    Raises:
        ModelInvalid: `source` is another network.
    """
    convolutions = []
    for node in source.nodes.values():
        if node.op != "Conv2D":
            continue
        kernel = source.weights.get(node.inputs[1])
        bias = _bias_of(source, node.name)
        if kernel is None or bias is None:
            raise ModelInvalid(f"the source model is not NanoDet-g: {node.name} has no constant weights")
        number = int(node.name.rpartition("_")[2]) if node.name[-1].isdigit() else 0
        convolutions.append((number, Convolution(kernel.astype(np.float32).transpose(3, 2, 0, 1), bias)))
    if len(convolutions) != CONVOLUTIONS:
        raise ModelInvalid(f"the source model is not NanoDet-g: {len(convolutions)} convolutions, not {CONVOLUTIONS}")
    return [convolution for _, convolution in sorted(convolutions, key=lambda pair: pair[0])]


def _bias_of(source: GraphModel, convolution: str) -> npt.NDArray[np.float32] | None:
    """The constant that is added to a convolution's output."""
    for node in source.nodes.values():
        if node.op == "Add" and convolution in node.inputs:
            for name in node.inputs:
                if name in source.weights:
                    return source.weights[name].astype(np.float32).reshape(-1)
    return None


def _normalised_input(writer: GraphWriter, size: tuple[int, int]) -> FeatureMap:
    """Bytes to float32 ``[batch, 3, height, width]``, less the mean.

    Division by the standard deviation is left to the first convolution's kernel. The mean cannot go there: the
    convolution pads with zeros, which have to mean "average colour", not "black". It is repeated over a row because
    ONNX Runtime subtracts long stretches ten times faster than one pixel's three numbers.
    """
    height, width = size
    row = writer.constant(np.tile(MEAN_BGR, (1, 1, width, 1)))
    centred = writer.add("Sub", writer.add("Cast", "images", to=TensorProto.FLOAT), row)
    return FeatureMap(writer.add("Transpose", centred, perm=[0, 3, 1, 2]), 3, height, width)


def _convolve(writer: GraphWriter, source: FeatureMap, weights: Convolution, stride: int = 1) -> FeatureMap:
    return writer.leaky_relu(writer.convolve(source, weights, stride), SLOPE)


def _backbone(writer: GraphWriter, image: FeatureMap, weights: list[Convolution]) -> list[FeatureMap]:
    """Feature maps at strides 8, 16 and 32 (convolutions 0 to 24)."""
    first = Convolution(weights[0].kernel / STD_BGR.reshape(1, 3, 1, 1), weights[0].bias)
    stage = writer.max_pool(_convolve(writer, image, first, stride=2))
    levels = []
    used = 1
    for stride, blocks in ((1, 1), (2, 2), (2, 2), (2, 3)):
        count = 2 * blocks + 2
        stage = _cross_stage(writer, stage, weights[used : used + count], stride)
        levels.append(stage)
        used += count
    return levels[1:]


def _cross_stage(writer: GraphWriter, source: FeatureMap, weights: list[Convolution], stride: int) -> FeatureMap:
    """One cross-stage partial stage (CSPNet: Wang et al., CVPRW 2020), all of its branches concatenated."""
    entry = _convolve(writer, source, weights[0], stride)
    inner = entry
    for first, second in zip(weights[1:-1:2], weights[2:-1:2], strict=True):
        short = _convolve(writer, inner, first)
        inner = writer.concatenate(_convolve(writer, short, second), short)
    return writer.concatenate(_convolve(writer, inner, weights[-1]), entry)


def _neck(writer: GraphWriter, levels: list[FeatureMap], weights: list[Convolution]) -> list[FeatureMap]:
    """Information flows down and up the pyramid (convolutions 25 to 27)."""
    fine, middle, coarse = (writer.convolve(level, weights[25 + i]) for i, level in enumerate(levels))
    middle = writer.sum(middle, writer.resize(coarse, middle))
    fine = writer.sum(fine, writer.resize(middle, fine))
    middle = writer.sum(middle, writer.resize(fine, middle))
    coarse = writer.sum(coarse, writer.resize(middle, coarse))
    return [fine, middle, coarse]


def _heads(
    writer: GraphWriter, pyramid: list[FeatureMap], weights: list[Convolution], class_indices: Sequence[int]
) -> str:
    """Per point, class logits and four distributions: ``[batch, A, K + 44]`` (convolutions 28 to 33)."""
    rows = [*class_indices, *range(CLASS_COUNT, CLASS_COUNT + 4 * BINS)]
    outputs = []
    for i, level in enumerate(pyramid):
        hidden = _convolve(writer, level, weights[28 + 2 * i])
        output = writer.convolve(hidden, weights[29 + 2 * i].rows(rows))
        flat = writer.add("Reshape", output.name, writer.constant(np.array([0, len(rows), -1], np.int64)))
        outputs.append(writer.add("Transpose", flat, perm=[0, 2, 1]))
    return writer.add("Concat", *outputs, axis=1)


def _decode(writer: GraphWriter, points: str, pyramid: list[FeatureMap], classes: int) -> None:
    """Logits to scores; distributions to distances in strides, to boxes around the grid points."""
    centres, strides = _grid(pyramid)
    logits, distributions = writer.split(points, [classes, 4 * BINS], axis=2)
    writer.add("Sigmoid", logits, output="scores")
    shape = writer.constant(np.array([0, len(centres), 4, BINS], np.int64))
    likely = writer.add("Softmax", writer.add("Reshape", distributions, shape), axis=3)
    bins = writer.constant(np.arange(BINS, dtype=np.float32).reshape(BINS, 1))
    expected = writer.add("MatMul", likely, bins)
    distances = writer.add("Reshape", expected, writer.constant(np.array([0, len(centres), 4], np.int64)))
    outwards = strides[None, :, None] * np.array([-1, -1, 1, 1], np.float32)
    offsets = writer.add("Mul", distances, writer.constant(outwards.astype(np.float32)))
    writer.add("Add", offsets, writer.constant(np.tile(centres, 2)[None]), output="boxes")


def _grid(pyramid: list[FeatureMap]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Points of all levels: float32 ``[A, 2]``, x and y in input pixels, and each one's stride, float32 ``[A]``."""
    centres, strides = [], []
    for level, stride in zip(pyramid, STRIDES, strict=True):
        y, x = np.mgrid[: level.height, : level.width]
        centres.append(np.stack([x, y], axis=-1).reshape(-1, 2) * stride + (stride - 1) / 2)
        strides.append(np.full(level.height * level.width, stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32)
