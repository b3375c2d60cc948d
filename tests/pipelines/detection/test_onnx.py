from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from pipelines.detection.base import Detector
from pipelines.detection.onnx import CPU, CUDA, OnnxDetector, read_names
from pipelines.errors import DetectorUnavailable, ModelInvalid, ModelNotFound
from tests.pipelines.detection.tiny_models import painted, passthrough_model


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return passthrough_model(tmp_path / "tiny.onnx", metadata={"names": "{0: 'person'}"})


def test_it_is_a_detector(tiny: Path) -> None:
    detector: Detector = OnnxDetector(tiny)
    assert detector.input_size == (32, 64)
    assert detector.classes == ("person",)


def test_boxes_come_back_in_input_pixels_best_first_without_overlaps(tiny: Path) -> None:
    image = painted([(1, 2, 11, 12, 100), (30, 2, 40, 20, 200), (2, 2, 12, 12, 90), (1, 1, 5, 5, 20)])
    (found,) = OnnxDetector(tiny).detect(image[None])
    np.testing.assert_array_equal(found.boxes, [[30, 2, 40, 20], [1, 2, 11, 12]])
    np.testing.assert_allclose(found.scores, [200 / 255, 100 / 255])
    assert found.classes.tolist() == [0, 0]


def test_floor_and_overlap_can_be_set(tiny: Path) -> None:
    image = painted([(1, 2, 11, 12, 100), (2, 2, 12, 12, 90), (1, 1, 5, 5, 20)])
    (found,) = OnnxDetector(tiny, score_floor=0.05, nms_iou=0.99).detect(image[None])
    assert len(found) == 3


def test_a_batch_gives_what_its_images_give_alone(tiny: Path) -> None:
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (16, 32, 64, 3), dtype=np.uint8)
    detector = OnnxDetector(tiny)
    for whole, image in zip(detector.detect(batch), batch, strict=True):
        (alone,) = detector.detect(image[None])
        np.testing.assert_array_equal(whole.boxes, alone.boxes)
        np.testing.assert_array_equal(whole.scores, alone.scores)


def test_many_threads_may_ask_at_once(tiny: Path) -> None:
    detector = OnnxDetector(tiny, threads=2)
    images = [painted([(i, 0, i + 5, 9, 255)]) for i in range(32)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image: detector.detect(image[None])[0], images))
    assert [answer.boxes[0, 0] for answer in answers] == list(range(32))


def test_an_empty_batch_gives_an_empty_answer(tiny: Path) -> None:
    assert OnnxDetector(tiny).detect(np.zeros((0, 32, 64, 3), np.uint8)) == []


@pytest.mark.parametrize(
    "batch", [np.zeros((1, 64, 32, 3), np.uint8), np.zeros((1, 32, 64, 3), np.float32), np.zeros((32, 64, 3), np.uint8)]
)
def test_a_batch_of_another_shape_is_refused(tiny: Path, batch: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"not uint8 \[N, 32, 64, 3\]"):
        OnnxDetector(tiny).detect(batch)


def test_after_closing_it_is_unavailable(tiny: Path) -> None:
    detector = OnnxDetector(tiny)
    detector.close()
    detector.close()
    with pytest.raises(DetectorUnavailable, match="closed"):
        detector.detect(painted([])[None])


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="footfall models pull"):
        OnnxDetector(tmp_path / "missing.onnx")


@pytest.mark.parametrize("content", [b"", b"not an ONNX file at all", b"\x08\x08\x12\x04junk" * 50])
def test_a_broken_file_is_invalid(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"broken\.onnx"):
        OnnxDetector(path)


def test_a_model_cut_short_is_invalid(tiny: Path) -> None:
    tiny.write_bytes(tiny.read_bytes()[:200])
    with pytest.raises(ModelInvalid):
        OnnxDetector(tiny)


def test_a_model_that_takes_floats_is_refused(tmp_path: Path) -> None:
    path = passthrough_model(tmp_path / "float.onnx", input_type=TensorProto.FLOAT)
    with pytest.raises(ModelInvalid, match="takes float32, not bytes"):
        OnnxDetector(path)


def test_a_model_with_other_outputs_is_refused(tmp_path: Path) -> None:
    path = passthrough_model(tmp_path / "other.onnx", output_names=("dets", "labels"))
    with pytest.raises(ModelInvalid, match="dets"):
        OnnxDetector(path)


def test_names_given_by_the_caller_win(tiny: Path) -> None:
    assert OnnxDetector(tiny, classes=["shopper"]).classes == ("shopper",)


def test_the_wrong_number_of_names_is_refused(tiny: Path) -> None:
    with pytest.raises(ModelInvalid, match="has 1 classes, but 2 names"):
        OnnxDetector(tiny, classes=["person", "car"])


def test_a_model_without_names_has_numbered_classes(tmp_path: Path) -> None:
    assert OnnxDetector(passthrough_model(tmp_path / "bare.onnx")).classes == ("class 0",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'person', 1: \"driver's seat\"}", ("person", "driver's seat")),
        ('{"1": "car", "0": "person"}', ("person", "car")),
        ('["person", "car"]', ("person", "car")),
        ("", ()),
        ("person", ()),
        ("{'a': 'b'}", ()),
        ("42", ()),
    ],
)
def test_names_are_read_from_the_forms_in_use(text: str, names: tuple[str, ...]) -> None:
    assert read_names(text) == names


def test_a_missing_gpu_library_is_survived_quietly(
    tiny: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pipelines.detection.onnx"):
        detector = OnnxDetector(tiny)
    assert detector.provider in {CPU, CUDA}
    assert f"tiny.onnx runs on {detector.provider}" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_provider_asked_for_by_name_must_work(tiny: Path) -> None:
    if CUDA in onnxruntime.get_available_providers() and OnnxDetector(tiny).provider == CUDA:
        pytest.skip("CUDA works on this machine")
    with pytest.raises(DetectorUnavailable, match="CUDAExecutionProvider"):
        OnnxDetector(tiny, providers=[CUDA])
