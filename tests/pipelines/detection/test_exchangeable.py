"""A detector that is exchanged while it is at work."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipelines.detection.exchangeable import ExchangeableDetector
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import DetectorUnavailable, ModelInvalid
from pipelines.types import ImageBatch
from tests.fakes import SMALL_INPUT, FakeDetector, brightness_as_box
from tests.pipelines.detection.tiny_models import painted, passthrough_model
from tests.waiting import wait_until

IMAGE: ImageBatch = np.full((1, *SMALL_INPUT, 3), 7, np.uint8)


def test_a_batch_ends_with_the_detector_that_it_began_with_which_is_closed_afterwards() -> None:
    old, new = FakeDetector(brightness_as_box), FakeDetector()
    detector = ExchangeableDetector(old)
    old.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(detector.detect, IMAGE)
        wait_until(lambda: old.sizes, 5, "the batch to begin")
        detector.exchange(new)
        assert [len(found) for found in detector.detect(IMAGE)] == [0]
        assert not old.closed
        old.gate.set()
        assert [len(found) for found in under_way.result(5)] == [1]
    assert (old.closed, new.closed) == (1, 0)
    detector.close()
    assert (old.closed, new.closed) == (1, 1)


def test_another_input_size_is_refused_and_the_old_detector_goes_on() -> None:
    old, larger = FakeDetector(brightness_as_box), FakeDetector(input_size=(64, 96))
    detector = ExchangeableDetector(old)
    with pytest.raises(ModelInvalid, match=r"96x64.*restart"):
        detector.exchange(larger)
    assert [len(found) for found in detector.detect(IMAGE)] == [1]
    assert (old.closed, larger.closed) == (0, 0)


def test_once_it_is_closed_it_takes_neither_frames_nor_models() -> None:
    detector = ExchangeableDetector(FakeDetector())
    detector.close()
    detector.close()
    with pytest.raises(DetectorUnavailable, match="closed"):
        detector.detect(IMAGE)
    with pytest.raises(DetectorUnavailable, match="closed"):
        detector.exchange(FakeDetector())


def test_thresholds_hold_from_the_next_batch_on(tmp_path: Path) -> None:
    image = painted([(2, 2, 20, 20, 200), (3, 3, 20, 20, 150), (30, 2, 40, 20, 90)])[None]
    detector = ExchangeableDetector(OnnxDetector(passthrough_model(tmp_path / "tiny.onnx")))
    assert [len(found) for found in detector.detect(image)] == [2]
    detector.use_thresholds(score=0.5, overlap=0.5)
    assert [len(found) for found in detector.detect(image)] == [1]
    detector.use_thresholds(score=0.5, overlap=0.99)
    assert [len(found) for found in detector.detect(image)] == [2]


def test_many_threads_lose_no_batch_to_exchanges_and_nothing_of_old_models_is_left(tmp_path: Path) -> None:
    path = passthrough_model(tmp_path / "tiny.onnx")
    image = painted([(2, 2, 20, 20, 200)])[None]
    detector = ExchangeableDetector(OnnxDetector(path))
    stop, sessions = threading.Event(), [weakref.ref(detector._current)]

    def ask() -> int:
        found = 0
        while not stop.is_set():
            found += len(detector.detect(image)[0])
        return found

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for _ in range(20):
            other = OnnxDetector(path)
            sessions.append(weakref.ref(other))
            detector.exchange(other)
            del other
        stop.set()
        assert all(answers.result(5) > 0 for answers in asking)
    gc.collect()
    assert [session() is not None for session in sessions] == [False] * 20 + [True]
