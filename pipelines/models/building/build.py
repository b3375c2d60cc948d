"""Builds an ONNX file from published weights: one input size, some classes, float32."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import onnx

from pipelines.models.building.nanodet import nanodet_graph
from pipelines.models.building.tfjs import read_graph_model
from pipelines.models.catalogue import COCO_CLASSES, NANODET_WEIGHTS, Weights

PRODUCER = "Footfall"
ALL_CLASSES = "all"


def build_nanodet(
    source: Path,
    target: Path,
    *,
    size: tuple[int, int] = (320, 416),
    classes: Sequence[str] | str = ("person",),
    weights: Weights = NANODET_WEIGHTS,
) -> None:
    """Write NanoDet-g as an ONNX file, normalisation and decoding in the graph.

    Args:
        source: the published graph (a JSON file), its weights next to it.
        target: the file to write; its folder is made.
        size: height and width of the input, pixels, multiples of 32.
        classes: COCO names in the order of the output, or ``"all"``.
        weights: where the source came from, for the file's metadata.

    Raises:
        ModelNotFound: the source is missing.
        ModelInvalid: the source is another network.
        ValueError: the size or a class name is not possible.
    """
    names = COCO_CLASSES if classes == ALL_CLASSES else tuple(classes)
    unknown = [name for name in names if name not in COCO_CLASSES]
    if isinstance(classes, str) and classes != ALL_CLASSES:
        raise ValueError(f"classes are a list of names or {ALL_CLASSES!r}, not {classes!r}")
    if unknown:
        raise ValueError(f"not among the {len(COCO_CLASSES)} COCO classes: {', '.join(unknown)}")
    indices = [COCO_CLASSES.index(name) for name in names]
    model = nanodet_graph(read_graph_model(source), size, indices, file_metadata(names, weights))
    write_model(model, target)


def file_metadata(names: Sequence[str], weights: Weights) -> dict[str, str]:
    """Entries of ``metadata_props``: ``names`` in the form that detector exports share, and the origin."""
    return {
        "names": repr(dict(enumerate(names))),
        "source": weights.origin,
        "source_sha256": json.dumps({file.path: file.sha256 for file in weights.files}),
        "licences": json.dumps(weights.licences),
        "version": weights.version,
        "precision": "fp32",
    }


def write_model(model: Any, target: Path) -> None:
    """Write an ``onnx.ModelProto`` in one step, so that nobody ever reads half of it."""
    model.producer_name = PRODUCER
    model.producer_version = footfall_version()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    try:
        onnx.save(model, partial)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)
    finally:
        Path(partial).unlink(missing_ok=True)


def footfall_version() -> str:
    """Version of the installed package; a source tree that is not installed has none."""
    try:
        return version("footfall")
    except PackageNotFoundError:
        return "unknown"
