"""A detector on threads of its own."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pipelines.batching.batch_detector import ImageCost, ThreadedDetector
from pipelines.types import ImageBatch
from tests.fakes import SMALL_INPUT, FakeDetector


@pytest.mark.parametrize(("largest", "size"), [(8, 8), (6, 4), (1, 1), (64, 16)])
def test_warming_up_takes_the_largest_batch_on_every_thread_at_once(largest: int, size: int) -> None:
    engine = FakeDetector()
    together = threading.Barrier(3)

    def meets_the_others(batch: ImageBatch) -> bool:
        together.wait(5)
        return False

    engine.failing_with = meets_the_others
    detector = ThreadedDetector(engine, workers=3)
    detector.warm_up(largest)
    assert engine.sizes == [size] * 3
    assert not together.broken
    detector.close()


def test_an_engine_that_fails_or_hangs_when_it_is_warmed_up_is_used_all_the_same() -> None:
    engine = FakeDetector()
    engine.failing = MemoryError()
    detector = ThreadedDetector(engine, workers=2)
    detector.warm_up(8)
    engine.failing = None
    engine.gated = lambda batch: len(batch) == 8
    engine.gate.clear()
    detector.warm_up(8, timeout_s=0.05)
    engine.gate.set()
    image = np.zeros((1, *SMALL_INPUT, 3), np.uint8)
    assert len(detector.submit(image).result(5)) == 1
    detector.close()


def spend(cost: ImageCost, images: int, spent_s: float) -> None:
    """So many images that cost so much together."""
    with cost.of(images):
        SPENT[0] += spent_s


SPENT = [0.0]


def test_what_an_image_costs_is_averaged_over_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.batching.batch_detector.NEWEST_IMAGES", 16)
    cost = ImageCost(lambda: SPENT[0])
    assert cost.cpu_s == 0
    spend(cost, 4, 0.02)
    assert cost.cpu_s == pytest.approx(0.005)
    spend(cost, 12, 0.14)
    assert cost.cpu_s == pytest.approx(0.01)
    for _ in range(20):
        spend(cost, 8, 0.0)
    assert cost.cpu_s < 0.0001


def test_nothing_is_learnt_of_what_fails() -> None:
    cost = ImageCost(lambda: SPENT[0])
    spend(cost, 4, 0.02)
    detector = ThreadedDetector(FakeDetector())
    with pytest.raises(ZeroDivisionError), cost.of(1):
        raise ZeroDivisionError
    assert cost.cpu_s == pytest.approx(0.005)
    assert detector.image_cpu_s == 0
    assert detector.submit(np.zeros((2, *SMALL_INPUT, 3), np.uint8)).result(5)
    assert detector.image_cpu_s > 0
    detector.close()
