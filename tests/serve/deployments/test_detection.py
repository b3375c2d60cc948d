"""Model and thresholds that change while frames go through a detector."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import ModelNotFound
from serve.deployments.detection import Detection, laid_over, open_detector
from serve.errors import SettingsError
from serve.sections import DetectorSettings
from tests.fakes import SMALL_INPUT, FakeDetector, brightness_as_box
from tests.pipelines.detection.tiny_models import passthrough_model

OLD = DetectorSettings(model="old", max_batch=4)
IMAGE = np.full((1, *SMALL_INPUT, 3), 7, np.uint8)


class Models:
    """What can be opened, by name."""

    def __init__(self, **engines: FakeDetector) -> None:
        self.engines = {"old": FakeDetector(brightness_as_box), **engines}
        self.opened: list[str] = []

    def open(self, wanted: DetectorSettings) -> FakeDetector:
        self.opened.append(wanted.model)
        if wanted.model not in self.engines:
            raise ModelNotFound(f"there is no model {wanted.model}")
        return self.engines[wanted.model]


def find(detection: Detection) -> list[int]:
    """How many people are found in an image."""
    return [len(found) for found in detection.open().detect(IMAGE)]


def changed(models: Models, *configs: dict[str, Any] | None) -> Detection:
    """A detection that works, after one change after the other."""
    detection = Detection(OLD, at_once=2, open_model=models.open)

    async def change() -> None:
        await detection.ready()
        for config in configs:
            await detection.reconfigure(config)

    asyncio.run(change())
    return detection


def test_another_model_takes_over_once_it_has_computed_its_largest_batches() -> None:
    models = Models(new=FakeDetector())
    detection = changed(models, {"model": "new"})
    assert models.engines["new"].sizes == [4, 4]
    assert find(detection) == [0]
    assert models.engines["old"].closed == 1
    assert detection.used.model == "new"


def test_thresholds_alone_open_no_model() -> None:
    models = Models()
    detection = changed(models, {"score_threshold": 0.7}, {"overlap_threshold": 0.3})
    assert models.engines["old"].thresholds == (0.1, 0.3)  # each is laid over the settings, not over the last
    assert models.opened == ["old"]
    assert detection.used.overlap_threshold == 0.3


def test_what_is_taken_away_again_is_as_it_was_set() -> None:
    models = Models(new=FakeDetector())
    detection = changed(models, {"model": "new", "score_threshold": 0.7}, {})
    assert detection.used == OLD
    assert models.opened == ["old", "new", "old"]


BROKEN = FakeDetector()
BROKEN.failing = RuntimeError("no such operator")
SHORT = FakeDetector()
SHORT.detect = lambda batch: []  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model": "gone"}, "there is no model gone"),
        ({"model": "broken"}, "no such operator"),
        ({"model": "short"}, "0 answers for 4 images"),
        ({"model": "large"}, "another size needs a restart"),
        ({"model": "new", "threshold": 0.4}, "user_config knows model, .*not threshold"),
        ({"max_batch": 2}, "not max_batch"),
        ({"model": "new", "score_threshold": 7}, "score_threshold: Input should be less than or equal to 1"),
        (["new"], "no names with values"),
    ],
)
def test_what_is_wrong_is_said_and_the_old_model_goes_on(
    config: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    models = Models(new=FakeDetector(), broken=BROKEN, short=SHORT, large=FakeDetector(input_size=(96, 96)))
    with caplog.at_level(logging.ERROR):
        detection = changed(models, config)
    assert find(detection) == [1]
    assert models.engines["old"].closed == 0
    assert detection.used == OLD
    (record,) = caplog.records
    assert "stays with old" in record.getMessage()
    assert re.search(message, record.getMessage())


def test_after_something_wrong_the_next_change_is_taken() -> None:
    models = Models(new=FakeDetector())
    assert find(changed(models, {"model": "gone"}, {"model": "new"})) == [0]


def test_frames_go_on_through_the_old_model_while_the_new_one_gets_ready() -> None:
    models = Models(new=FakeDetector())
    models.engines["new"].gate.clear()
    detection = Detection(OLD, open_model=models.open)

    async def test() -> None:
        await detection.ready()
        change = asyncio.ensure_future(detection.reconfigure({"model": "new"}))
        while not models.engines["new"].sizes:
            await asyncio.sleep(0.001)  # nothing of it runs on the loop
        assert find(detection) == [1]
        models.engines["new"].gate.set()
        await change
        assert find(detection) == [0]

    asyncio.run(test())


def test_a_replica_that_is_told_before_it_has_begun_begins_with_what_it_can() -> None:
    for config, found in (({"model": "new"}, [0]), ({"model": "gone"}, [1])):
        detection = Detection(OLD, open_model=Models(new=FakeDetector()).open)
        asyncio.run(detection.reconfigure(config))
        assert find(detection) == found


def test_a_broken_file_is_no_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good, broken = passthrough_model(tmp_path / "good.onnx"), tmp_path / "broken.onnx"
    broken.write_bytes(good.read_bytes()[:200])
    large = passthrough_model(tmp_path / "large.onnx", input_shape=("batch", 64, 64, 3))
    fixed = passthrough_model(tmp_path / "fixed.onnx", input_shape=(1, 32, 64, 3))
    detection = Detection(DetectorSettings(model=str(good)))
    for path in (broken, tmp_path / "missing.onnx", large, fixed):
        asyncio.run(detection.reconfigure({"model": str(path)}))
        assert detection.used.model == str(good)
    reasons = [record.getMessage() for record in caplog.records]
    assert len(reasons) == 4
    for reason, said in zip(reasons, ("cannot be loaded", "no model file", "64x64", "dynamic batch"), strict=True):
        assert said in reason


def test_what_stands_nowhere_is_as_it_always_was(tmp_path: Path) -> None:
    path = passthrough_model(tmp_path / "tiny.onnx")
    opened = open_detector(DetectorSettings(model=str(path)))
    assert isinstance(opened, OnnxDetector)
    assert opened._thresholds == OnnxDetector(path)._thresholds


def test_only_what_is_live_is_laid_over_settings() -> None:
    assert laid_over(OLD, None) == OLD
    assert laid_over(OLD, {"score_threshold": 0.4}).score_threshold == 0.4
    with pytest.raises(SettingsError, match="replicas"):
        laid_over(OLD, {"replicas": 4})
