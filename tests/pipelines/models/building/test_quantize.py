from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import ModelError, ModelInvalid, ModelNotFound
from pipelines.models.building.calibration import simulated_images, simulated_scoring_set
from pipelines.models.building.quantize import quantize
from pipelines.types import Image
from tests.pipelines.detection.tiny_models import passthrough_model


@pytest.fixture
def float32(model_path: Path) -> Path:
    return model_path.with_name("nanodet-g-fp32.onnx")


@pytest.fixture(autouse=True)
def drawn_before(test_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated people are kept between test runs."""
    monkeypatch.setenv("FOOTFALL_CACHE", str(test_cache))


def _noise(count: int) -> Iterator[Image]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (320, 416, 3), dtype=np.uint8)


def _black() -> Iterator[Image]:
    yield np.zeros((320, 416, 3), np.uint8)


def test_convolutions_become_int8_and_names_are_kept(float32: Path, tmp_path: Path) -> None:
    report = quantize(float32, tmp_path / "int8.onnx", _noise(4))
    model = onnx.load(tmp_path / "int8.onnx")
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    scales = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    assert len(convolutions) == 34
    assert all(weights[scales[node.input[1]]].data_type == onnx.TensorProto.INT8 for node in convolutions)
    assert OnnxDetector(tmp_path / "int8.onnx").classes == ("person",)
    assert {entry.key: entry.value for entry in model.metadata_props}["precision"] == "int8"
    assert (report.calibration_images, report.scores) == (4, ())


def test_a_batch_gives_what_its_images_give_alone(model_path: Path) -> None:
    detector = OnnxDetector(model_path)
    batch = np.stack(list(simulated_images((320, 416), 8))[::2])
    for whole, image in zip(detector.detect(batch), batch, strict=True):
        (alone,) = detector.detect(image[None])
        assert len(alone) > 0
        np.testing.assert_array_equal(whole.boxes, alone.boxes)
        np.testing.assert_array_equal(whole.scores, alone.scores)


def test_a_model_that_lost_too_much_is_refused_and_not_written(float32: Path, tmp_path: Path) -> None:
    scoring = simulated_scoring_set(frames_per_scene=12)
    with pytest.raises(ModelError, match=r"finds people worse: AP50 0\.\d+ instead of 0\.\d+ on simulated scenes"):
        quantize(float32, tmp_path / "int8.onnx", _black(), scoring=[scoring])
    assert list(tmp_path.iterdir()) == []


def test_a_bad_model_is_written_if_the_caller_insists(float32: Path, tmp_path: Path) -> None:
    scoring = simulated_scoring_set(frames_per_scene=12)
    report = quantize(float32, tmp_path / "int8.onnx", _black(), scoring=[scoring], accept_any_drop=True)
    ((before, after),) = report.scores
    assert after.ap50 < before.ap50 - 0.03
    assert (tmp_path / "int8.onnx").exists()


def test_a_set_with_few_people_does_not_decide(float32: Path, tmp_path: Path) -> None:
    report = quantize(float32, tmp_path / "int8.onnx", _black(), scoring=[simulated_scoring_set(frames_per_scene=2)])
    assert report.scores[0][0].people < 150
    assert (tmp_path / "int8.onnx").exists()


def test_quantising_is_quiet(float32: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    quantize(float32, tmp_path / "int8.onnx", _noise(2))
    assert capfd.readouterr() == ("", "")


def test_no_calibration_images_is_an_error(float32: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no images to calibrate with"):
        quantize(float32, tmp_path / "int8.onnx", iter(()))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        quantize(tmp_path / "gone.onnx", tmp_path / "int8.onnx", _noise(1))


def test_an_int8_model_is_not_quantised_again(model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="quantised already"):
        quantize(model_path, tmp_path / "int8.onnx", _noise(1))


def test_an_error_of_the_camera_is_not_taken_for_one_of_the_model(tmp_path: Path) -> None:
    def failing() -> Iterator[Image]:
        raise ModelError("there are no images at /gone")
        yield

    source = passthrough_model(tmp_path / "tiny.onnx")
    with pytest.raises(ModelError, match="no images at /gone"):
        quantize(source, tmp_path / "int8.onnx", failing())
