"""What Ray's metrics are told of ours; that they arrive in a real cluster is looked at in integration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from prometheus_client.core import CounterMetricFamily, Metric

from pipelines.durations import BOUNDS_S
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Overview, ReaderFigures, ReaderView
from serve.deployments.replicas import ray_metrics
from serve.deployments.replicas.ray_metrics import RayMetrics, tell_ray
from serve.metrics.readers import frame_metrics
from serve.metrics.service import service_metrics, total_metrics
from serve.streams.status import StreamStatus
from tests.serve.deployments.bench import until

Series = tuple[str, tuple[tuple[str, str], ...]]


class Told:
    """Stands for Ray: what its metrics are by now."""

    def __init__(self) -> None:
        self.now: dict[Series, float] = {}

    def kind(self, grows: bool) -> type:
        told = self.now

        class Kind:
            def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
                assert description
                self._name, self._keys = name, tag_keys

            def _series(self, tags: dict[str, str]) -> Series:
                assert tuple(tags) == self._keys  # Ray refuses others
                return self._name, tuple(tags.items())

            def set(self, value: float, tags: dict[str, str]) -> None:
                assert not grows
                told[self._series(tags)] = value

            def inc(self, value: float, tags: dict[str, str]) -> None:
                assert grows
                assert value > 0  # Ray refuses others
                series = self._series(tags)
                told[series] = told.get(series, 0.0) + value

        return Kind


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[Series, float]:
    made = Told()
    monkeypatch.setattr(ray_metrics.ray_metrics, "Gauge", made.kind(grows=False))
    monkeypatch.setattr(ray_metrics.ray_metrics, "Counter", made.kind(grows=True))
    return made.now


def reader(frames: int, latency: tuple[int, ...] = ()) -> ReaderView:
    stages = {"infer": (frames, frames / 10)}
    return ReaderView("node", 2.0, 0.0, 1, False, 0.5, stages, (frames, frames, 0), ReaderFigures(4, 0.2, latency, 1.5))


def test_a_reader_tells_of_itself_without_its_name_and_counters_by_how_they_grow(told: dict[Series, float]) -> None:
    metrics, latency = RayMetrics(), (1, *(0,) * len(BOUNDS_S))
    for frames in (10, 10, 30):
        metrics.tell(frame_metrics({"": reader(frames, latency)}))
    assert told["footfall_stage_seconds", (("stage", "infer"),)] == pytest.approx(3.0)
    assert told["footfall_batch_frames", ()] == 30
    assert told["footfall_detector_waiting_frames", ()] == 4
    assert told["footfall_reader_disk_free_ratio", ()] == 0.5
    assert told["footfall_frame_latency_seconds_bucket", (("le", "+Inf"),)] == 1


def test_the_registry_tells_of_all(told: dict[Series, float]) -> None:
    RayMetrics().tell(service_metrics(Overview(True, "away", {"reader": reader(1)}, 3, {"lost": 2})))
    assert told["footfall_readers", ()] == 1
    assert told["footfall_store_up", ()] == 0
    assert told["footfall_stream_moves", (("why", "lost"),)] == 2


def test_streams_are_told_as_a_whole_so_that_no_series_outlives_its_camera(told: dict[Series, float]) -> None:
    statuses = [
        StreamStatus(StreamState.RUNNING, 0.0, fps_in=15.0, fps_processed=5.0, latency_s=(0.1, 0.4, None)),
        StreamStatus(StreamState.RUNNING, 0.0, fps_in=10.0, fps_processed=5.0, latency_s=(0.2, 0.3, None)),
        StreamStatus(StreamState.FAILED, 0.0),
    ]
    RayMetrics().tell(total_metrics(statuses))
    assert told["footfall_streams", (("state", "running"),)] == 2
    assert told["footfall_streams", (("state", "reconnecting"),)] == 0
    assert (told["footfall_fps_in", ()], told["footfall_fps_processed", ()]) == (25.0, 10.0)
    slowest = {tags: value for (name, tags), value in told.items() if name == "footfall_slowest_latency_seconds"}
    assert slowest == {(("quantile", "0.5"),): 0.2, (("quantile", "0.95"),): 0.4}
    assert not any("stream" in dict(tags) for _, tags in told)


def test_what_fails_once_is_told_the_next_time(told: dict[Series, float]) -> None:
    tries = count()

    async def read() -> Iterable[Metric]:
        if next(tries) == 0:
            raise OSError("away")
        return [CounterMetricFamily("footfall_things", "Things", value=7)]

    async def test() -> None:
        telling: asyncio.Task[Any] = asyncio.create_task(tell_ray(read, 0.01))
        await until(lambda: bool(told), "the counter")
        telling.cancel()

    asyncio.run(test())
    assert told == {("footfall_things", ()): 7}
