"""Reads TensorFlow.js graph models: a JSON file with the graph, and binary files with the weights next to it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import ModelInvalid, ModelNotFound

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph.

    Attributes:
        name: unique in the graph.
        op: such as ``Conv2D``.
        inputs: what it reads: names of nodes, with ``:1`` and so on for other outputs than the first. Control inputs
            are left out.
        attributes: numbers, booleans, strings and lists of integers; others are left out.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GraphModel:
    """A whole model.

    Attributes:
        nodes: by name, in the file's order, which is a topological one.
        weights: values of the ``Const`` nodes, by name, in the dtype that the graph computes with.
    """

    nodes: Mapping[str, Node]
    weights: Mapping[str, Array]


def read_graph_model(path: Path) -> GraphModel:
    """Read a graph model and all its weights.

    Args:
        path: the JSON file.

    Raises:
        ModelNotFound: it or one of its weight files is missing.
        ModelInvalid: it is not a graph model, or its weight files are too short.
    """
    try:
        document = json.loads(path.read_text())
        nodes = {entry["name"]: _read_node(entry) for entry in document["modelTopology"]["node"]}
        weights: dict[str, Array] = {}
        for group in document["weightsManifest"]:
            content = b"".join((path.parent / Path(name).name).read_bytes() for name in group["paths"])
            weights.update(_read_weights(group["weights"], content))
    except FileNotFoundError as error:
        raise ModelNotFound(f"a part of the model is missing: {error.filename}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelInvalid(f"{path} is not a TensorFlow.js graph model: {error}") from error
    return GraphModel(nodes, weights)


def _read_node(entry: Mapping[str, Any]) -> Node:
    inputs = tuple(name.removesuffix(":0") for name in entry.get("input", ()) if not name.startswith("^"))
    attributes = {key: _read_attribute(value) for key, value in entry.get("attr", {}).items()}
    return Node(entry["name"], entry["op"], inputs, {k: v for k, v in attributes.items() if v is not None})


def _read_attribute(value: Mapping[str, Any]) -> Any:
    """A value of TensorFlow's ``AttrValue`` in its JSON form: 64-bit integers are strings, byte strings are base64."""
    if "list" in value:
        return [int(item) for item in value["list"].get("i", ())]
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    if "i" in value:
        return int(value["i"])
    if "f" in value:
        return float(value["f"])
    if "b" in value:
        return bool(value["b"])
    return None


def _read_weights(entries: list[dict[str, Any]], content: bytes) -> dict[str, Array]:
    """Cut a group's bytes into its tensors; undo float16 storage and linear quantisation."""
    weights: dict[str, Array] = {}
    offset = 0
    for entry in entries:
        packing = entry.get("quantization", {})
        stored = np.dtype(packing.get("dtype", entry["dtype"])).newbyteorder("<")
        count = math.prod(entry["shape"])
        values = np.frombuffer(content, stored, count, offset)
        offset += count * stored.itemsize
        if "scale" in packing:
            values = values.astype(np.float32) * packing["scale"] + packing["min"]
        weights[entry["name"]] = values.astype(entry["dtype"]).reshape(entry["shape"])
    return weights
