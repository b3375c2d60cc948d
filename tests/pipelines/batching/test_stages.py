from __future__ import annotations

import threading

import pytest

from pipelines.batching.stages import Stage, StageSeconds


def test_frames_and_seconds_add_up_by_stage() -> None:
    stages = StageSeconds()
    stages.add(Stage.INFER, 0.4, 4)
    stages.add(Stage.INFER, 0.1)
    stages.add(Stage.WAIT, -0.1)
    found = stages.totals()
    assert found["infer"] == (5, pytest.approx(0.5))
    assert found["wait"] == (1, 0.0)
    assert found["track"] == (0, 0.0)
    assert list(found) == [stage.value for stage in Stage]


def test_nothing_is_lost_between_threads() -> None:
    stages = StageSeconds()

    def add() -> None:
        for _ in range(2000):
            stages.add(Stage.SCALE, 0.001)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stages.totals()["scale"] == (8000, pytest.approx(8.0))


def test_what_fails_took_its_time_all_the_same() -> None:
    stages = StageSeconds()
    with pytest.raises(ValueError, match="broken"), stages.timed(Stage.TRACK):
        raise ValueError("broken")
    assert stages.totals()["track"][0] == 1
