"""What a model takes and gives, recognised from the names, shapes and types of its inputs and outputs.

This is the only place that knows how the outputs of a model become boxes and scores. A further kind of model is a
further class with the methods of `OutputDecoder` and a line in `OUTPUT_DECODERS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.errors import ModelInvalid
from pipelines.types import Float32Array

STRIDE = 32
"""Detectors halve their input five times, so that its sides are multiples of this."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a model.

    Attributes:
        name: as the model calls it.
        dtype: as numpy calls it, such as ``uint8``.
        shape: sizes; a name or None where the size is free.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join(str(size) if size is not None else "?" for size in self.shape)
        return f"{self.name}: {self.dtype} [{sizes}]"


class OutputDecoder(Protocol):
    """How the outputs of one kind of model become boxes and scores."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs to ask the model for, in the order that `decode` takes them."""
        ...

    @property
    def class_count(self) -> int | None:
        """K, or None if the model's shapes leave it open."""
        ...

    def decode(self, outputs: Sequence[npt.NDArray[np.generic]]) -> tuple[Float32Array, Float32Array]:
        """Give boxes ``[N, A, 4]`` (x1, y1, x2, y2, input pixels) and scores ``[N, A, K]`` in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedOutputs:
    """The model decodes by itself, as those from our builder do: ``boxes [N, A, 4]``, ``scores [N, A, K]``."""

    class_count: int | None
    output_names: tuple[str, ...] = ("boxes", "scores")

    needs = "outputs 'boxes: float32 [N, A, 4]' (x1, y1, x2, y2 in input pixels) and 'scores: float32 [N, A, K]'"

    @classmethod
    def recognise(cls, outputs: Mapping[str, TensorInfo]) -> DecodedOutputs | None:
        """The decoder, if these outputs have it, else None."""
        boxes, scores = outputs.get("boxes"), outputs.get("scores")
        if boxes is None or scores is None:
            return None
        if boxes.dtype != "float32" or scores.dtype != "float32":
            return None
        if len(boxes.shape) != 3 or len(scores.shape) != 3 or boxes.shape[2] != 4:
            return None
        if isinstance(boxes.shape[1], int) and isinstance(scores.shape[1], int) and boxes.shape[1] != scores.shape[1]:
            return None
        classes = scores.shape[2]
        return cls(class_count=classes if isinstance(classes, int) else None)

    def decode(self, outputs: Sequence[npt.NDArray[np.generic]]) -> tuple[Float32Array, Float32Array]:
        boxes, scores = outputs
        return np.asarray(boxes, np.float32), np.asarray(scores, np.float32)


OUTPUT_DECODERS = (DecodedOutputs,)
"""Every decoder; the first that recognises a model's outputs decodes them."""


def find_decoder(outputs: Sequence[TensorInfo]) -> OutputDecoder:
    """Find out how a model's outputs are to be read.

    Raises:
        ModelInvalid: no decoder knows such outputs; the message names what was found and what is needed.
    """
    by_name = {output.name: output for output in outputs}
    for decoder in OUTPUT_DECODERS:
        found = decoder.recognise(by_name)
        if found is not None:
            return found
    needed = ", or ".join(decoder.needs for decoder in OUTPUT_DECODERS)
    raise ModelInvalid(f"the model's outputs are not understood: it has {_listing(outputs)}; needed are {needed}")


def read_input(inputs: Sequence[TensorInfo]) -> tuple[str, tuple[int, int]]:
    """The name of the image input and its height and width, pixels.

    Raises:
        ModelInvalid: not exactly one input, or one that does not take batches of BGR bytes of a fixed size.
    """
    needed = f"one input 'uint8 [N, height, width, 3]' (BGR), height and width fixed and multiples of {STRIDE}"
    if len(inputs) != 1:
        raise ModelInvalid(f"the model has {len(inputs)} inputs ({_listing(inputs)}); needed is {needed}")
    image = inputs[0]
    reason = _input_fault(image)
    if reason is not None:
        raise ModelInvalid(f"the model's input '{image}' {reason}; needed is {needed}")
    height, width = (size for size in image.shape[1:3] if isinstance(size, int))
    return image.name, (height, width)


def _input_fault(image: TensorInfo) -> str | None:
    if image.dtype != "uint8":
        return f"takes {image.dtype}, not bytes: put the normalisation into the graph"
    if len(image.shape) != 4:
        return f"has {len(image.shape)} axes, not 4"
    if image.shape[3] != 3:
        return "has its colours first, not last" if image.shape[1] == 3 else "does not have 3 colours as its last axis"
    if isinstance(image.shape[0], int):
        return f"takes only batches of {image.shape[0]}: export it with a dynamic batch axis"
    for side, size in zip(("height", "width"), image.shape[1:3], strict=True):
        if not isinstance(size, int):
            return f"leaves its {side} open"
        if size <= 0 or size % STRIDE:
            return f"has a {side} of {size}, which is not a multiple of {STRIDE}"
    return None


def _listing(tensors: Sequence[TensorInfo]) -> str:
    return ", ".join(f"'{tensor}'" for tensor in tensors) or "none"
