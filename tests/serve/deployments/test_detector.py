"""The detector deployment's plain class, without Ray."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from pipelines.types import Detections, ImageBatch
from serve.deployments.detection import Detection
from serve.deployments.detector import Detector
from serve.sections import DetectorSettings
from tests.fakes import SMALL_INPUT, FakeDetector, brightness_as_box


def deployed_with(engine: FakeDetector, max_batch: int = 8) -> Detector:
    return Detector(Detection(DetectorSettings(), open_model=lambda wanted: engine), max_batch)


def stack(*values: int) -> ImageBatch:
    """An image for each value, all of that brightness."""
    return np.stack([np.full((*SMALL_INPUT, 3), value, np.uint8) for value in values])


def brightness(found: list[Detections]) -> list[int]:
    return [int(one.scores[0]) for one in found]


def test_it_tells_its_input_size() -> None:
    assert asyncio.run(deployed_with(FakeDetector()).input_size()) == SMALL_INPUT


def test_every_image_gets_its_own_answer() -> None:
    deployed = deployed_with(FakeDetector(brightness_as_box))
    assert brightness(asyncio.run(deployed.detect(stack(7, 8, 9)))) == [7, 8, 9]


def test_stacks_of_several_readers_are_merged_and_taken_apart_again() -> None:
    engine = FakeDetector(brightness_as_box)
    deployed = deployed_with(engine, 16)
    answers = asyncio.run(deployed.detect_stacks([stack(1, 2), stack(3), stack(4, 5, 6, 7, 8)]))
    assert [brightness(answer) for answer in answers] == [[1, 2], [3], [4, 5, 6, 7, 8]]
    assert engine.sizes == [8]  # one inference for all of them


@pytest.mark.parametrize(
    ("images", "max_batch", "sizes"), [(7, 8, [4, 2, 1]), (20, 8, [8, 8, 4]), (20, 64, [16, 4]), (3, 1, [1, 1, 1])]
)
def test_only_shapes_that_the_engine_knows_are_used(images: int, max_batch: int, sizes: list[int]) -> None:
    engine = FakeDetector(brightness_as_box)
    found = asyncio.run(deployed_with(engine, max_batch).detect(stack(*range(images))))
    assert engine.sizes == sizes
    assert brightness(found) == list(range(images))


def test_callers_wait_behind_the_largest_batch_that_warms_it_up() -> None:
    engine = FakeDetector(brightness_as_box)
    deployed = deployed_with(engine, 6)
    deployed.warm_up()
    assert brightness(asyncio.run(deployed.detect(stack(7)))) == [7]
    assert engine.sizes == [4, 1]


def test_a_failure_reaches_whoever_asked() -> None:
    engine = FakeDetector()
    engine.failing = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        asyncio.run(deployed_with(engine).detect(stack(1)))


def test_an_engine_that_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        engine = FakeDetector()
        deployed = deployed_with(engine)
        await deployed.check_health()
        engine.gate.clear()
        asked = asyncio.ensure_future(deployed.detect(stack(1)))
        while not engine.sizes:
            await asyncio.sleep(0)
        await deployed.check_health()  # it may still come
        monkeypatch.setattr("serve.deployments.detector.HUNG_S", -1.0)
        with pytest.raises(RuntimeError, match="inference"):
            await deployed.check_health()
        engine.gate.set()
        await asked
        await deployed.check_health()

    asyncio.run(test())


def test_another_model_takes_over_while_the_old_one_is_at_work() -> None:
    async def test() -> None:
        engines = {"old": FakeDetector(brightness_as_box), "new": FakeDetector()}
        detection = Detection(DetectorSettings(model="old"), open_model=lambda wanted: engines[wanted.model])
        deployed = Detector(detection, 8)
        engines["old"].gate.clear()
        asked = asyncio.ensure_future(deployed.detect(stack(7, 8)))
        while not engines["old"].sizes:
            await asyncio.sleep(0)
        await deployed.reconfigure({"model": "new"})
        assert not engines["old"].closed
        engines["old"].gate.set()
        assert brightness(await asked) == [7, 8]  # what was under way ends with the old one
        assert [len(found) for found in await deployed.detect(stack(7))] == [0]
        assert engines["old"].closed == 1

    asyncio.run(test())
