"""Writes an ONNX graph operation by operation, and keeps the size of every image-like tensor on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A float32 tensor ``[batch, channels, height, width]`` of the graph."""

    name: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Convolution:
    """Weights of one convolution.

    Attributes:
        kernel: float32 ``[out, in, k, k]``, k odd.
        bias: float32 ``[out]``.
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def rows(self, selected: list[int]) -> Convolution:
        """The same convolution with only the output channels `selected`."""
        return Convolution(self.kernel[selected], self.bias[selected])


@dataclass
class GraphWriter:
    """Collects nodes and constants; names are given by counting."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append one node with one output, and give the name of that output."""
        name = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"node_{len(self.nodes)}", **attributes))
        return name

    def split(self, source: str, sizes: list[int], axis: int) -> list[str]:
        names = [f"split_{len(self.nodes)}_{i}" for i in range(len(sizes))]
        inputs = [source, self.constant(np.array(sizes, np.int64))]
        self.nodes.append(helper.make_node("Split", inputs, names, name=f"node_{len(self.nodes)}", axis=axis))
        return names

    def convolve(self, source: FeatureMap, weights: Convolution, stride: int = 1) -> FeatureMap:
        """A convolution with zero padding that keeps the size at stride 1."""
        out, _, size, _ = weights.kernel.shape
        padding = size // 2
        name = self.add(
            "Conv",
            source.name,
            self.constant(weights.kernel),
            self.constant(weights.bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[padding] * 4,
        )
        height, width = ((side + 2 * padding - size) // stride + 1 for side in (source.height, source.width))
        return FeatureMap(name, out, height, width)

    def leaky_relu(self, source: FeatureMap, slope: float) -> FeatureMap:
        return _like(source, self.add("LeakyRelu", source.name, alpha=slope))

    def max_pool(self, source: FeatureMap) -> FeatureMap:
        """3 x 3, stride 2: halves both sides, rounding up."""
        name = self.add("MaxPool", source.name, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        return FeatureMap(name, source.channels, (source.height + 1) // 2, (source.width + 1) // 2)

    def concatenate(self, first: FeatureMap, second: FeatureMap) -> FeatureMap:
        name = self.add("Concat", first.name, second.name, axis=1)
        return FeatureMap(name, first.channels + second.channels, first.height, first.width)

    def sum(self, first: FeatureMap, second: FeatureMap) -> FeatureMap:
        return _like(first, self.add("Add", first.name, second.name))

    def resize(self, source: FeatureMap, target: FeatureMap) -> FeatureMap:
        """Bilinear, pixel centres at halves, to the size of `target`."""
        scales = np.array([1, 1, target.height / source.height, target.width / source.width], np.float32)
        name = self.add(
            "Resize",
            source.name,
            "",
            self.constant(scales),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        return FeatureMap(name, source.channels, target.height, target.width)

    def finish(self, name: str, inputs: list[Any], outputs: list[Any], metadata: dict[str, str]) -> Any:
        """The finished, checked ``onnx.ModelProto``."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, metadata)
        checker.check_model(model, full_check=True)
        return model


def tensor(name: str, dtype: str, *sizes: int | str) -> Any:
    """A description of an input or output of the graph; a free size is a name."""
    return helper.make_tensor_value_info(name, TensorProto.DataType.Value(dtype), list(sizes))


def _like(source: FeatureMap, name: str) -> FeatureMap:
    return FeatureMap(name, source.channels, source.height, source.width)
