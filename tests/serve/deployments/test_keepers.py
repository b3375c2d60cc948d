"""What a reader keeps of pictures: nothing, unless the operator says so."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from analytics.geometry import Geometry
from pipelines.batching.batch_detector import BatchDetector, ThreadedDetector
from pipelines.sources.base import Source
from pipelines.types import Detections, Image
from serve.deployments.keepers import Keepers
from serve.settings import load
from serve.streams.drift import StreamDrift
from serve.streams.hard_frame_folder import HardFrameFolder
from serve.streams.worker import WorkerPlan
from tests.fakes import FakeDetector, MemoryStore, MemoryViewPictures, ScriptedSource
from tests.serve.deployments.bench import Bench, Run, camera, until
from tests.serve.deployments.test_reader import sources  # noqa: F401 - a fixture

PLAN = WorkerPlan("cam", 1, lambda: cast(Source, None), True, Geometry(), None)


def unsure(image: Image) -> Detections:
    del image
    boxes = np.array([[4, 4, 12, 20], [20, 4, 30, 24]], np.float32)
    return Detections(boxes, np.array([0.4, 0.3], np.float32), np.zeros(2, np.int32))


async def unsure_detector() -> BatchDetector:
    return ThreadedDetector(FakeDetector(unsure))


def test_frames_in_which_the_detector_is_unsure_are_kept_and_go_with_a_stream_that_is_purged(
    run: Run,
    sources: dict[str, ScriptedSource],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOOTFALL_MONITORING__HARD_FRAMES", "true")
    folder = HardFrameFolder(tmp_path / "hard-frames")

    async def test(bench: Bench) -> None:
        bench.reader("reader-1", unsure_detector)
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: len(folder.times("cam")) == 1, "a kept frame")

        async def told() -> bool:
            return (await bench.registry.get_stream("cam")).status.hard_frames_kept == 1

        await until(told, "that it is told")
        await bench.registry.delete_stream("cam", purge=True)
        assert folder.streams() == []

    run(test)


@pytest.mark.parametrize(
    ("wanted", "drift", "kinds"),
    [
        ({}, True, []),
        ({"hard_frames": True}, True, ["HardFrameKeeping"]),
        ({"pictures": True}, True, ["ViewPictures"]),
        ({"pictures": True}, False, []),
        ({"pictures": True, "hard_frames": True}, True, ["HardFrameKeeping", "ViewPictures"]),
    ],
    ids=["nothing", "hard-frames", "pictures", "pictures-without-drift", "both"],
)
def test_who_looks_at_a_streams_frames_is_what_the_settings_say(
    tmp_path: Path, wanted: dict[str, bool], drift: bool, kinds: list[str]
) -> None:
    store = MemoryStore()
    keepers = Keepers(load(None, data_dir=str(tmp_path), monitoring=wanted), store, MemoryViewPictures(store))
    watched = cast(StreamDrift, object()) if drift else None
    assert [type(one).__name__ for one in keepers.onlookers_of(PLAN, watched)._onlookers] == kinds
    keepers.stop()
    keepers.stop()
