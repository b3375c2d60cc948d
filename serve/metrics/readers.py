"""Readers' figures for Prometheus, as one scrape sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from pipelines.durations import BOUNDS_S
from serve.control.messages import ReaderView

_CORES = {
    "capacity": "CPU cores that the reader takes streams for",
    "wanted": "CPU cores that its streams want",
}
_BATCHES = {
    "footfall_batch_frames": "Frames that were detected",
    "footfall_batches": "Batches of them",
    "footfall_batches_failed": "Batches without an answer",
}
"""In the order of `ReaderView.batches`."""


def core_metrics(readers: Mapping[str, ReaderView]) -> Iterator[Metric]:
    """What each of them has to do, by its name."""
    for key, text in _CORES.items():
        gauge = GaugeMetricFamily(f"footfall_reader_{key}_cores", text, labels=["reader"])
        for name, reader in readers.items():
            gauge.add_metric([name], getattr(reader, key))
        yield gauge


def frame_metrics(readers: Mapping[str, ReaderView]) -> Iterator[Metric]:
    """How each of them does with its frames, by its name."""
    yield from _stages(readers)
    for place, (series, text) in enumerate(_BATCHES.items()):
        counter = CounterMetricFamily(series, text, labels=["reader"])
        for name, reader in readers.items():
            counter.add_metric([name], reader.batches[place])
        yield counter
    yield from _queues(readers)
    yield _latency(readers)
    disk = GaugeMetricFamily(
        "footfall_reader_disk_free_ratio", "Free share of the disk that rows wait on", labels=["reader"]
    )
    for name, reader in readers.items():
        if reader.disk_free is not None:
            disk.add_metric([name], reader.disk_free)
    yield disk


def _stages(readers: Mapping[str, ReaderView]) -> Iterator[Metric]:
    seconds = CounterMetricFamily(
        "footfall_stage_seconds", "Seconds that frames have spent, by stage", labels=["reader", "stage"]
    )
    frames = CounterMetricFamily("footfall_stage_frames", "Frames of that", labels=["reader", "stage"])
    for name, reader in readers.items():
        for stage, (count, total_s) in reader.stages.items():
            seconds.add_metric([name, stage], total_s)
            frames.add_metric([name, stage], count)
    yield from (seconds, frames)


def _queues(readers: Mapping[str, ReaderView]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "footfall_detector_waiting_frames", "Frames that wait for a place in a batch", labels=["reader"]
    )
    oldest = GaugeMetricFamily(
        "footfall_detector_oldest_frame_seconds", "For how long the oldest of them has", labels=["reader"]
    )
    for name, reader in readers.items():
        waiting.add_metric([name], reader.figures.waiting)
        oldest.add_metric([name], reader.figures.oldest_s)
    yield from (waiting, oldest)


def _latency(readers: Mapping[str, ReaderView]) -> Metric:
    latency = HistogramMetricFamily(
        "footfall_frame_latency_seconds", "Of live frames, from capture to count", labels=["reader"]
    )
    for name, reader in readers.items():
        counts = reader.figures.latency
        if len(counts) == len(BOUNDS_S) + 1:  # else it comes from a version that counts otherwise, or nobody knows
            edges = (*map(str, BOUNDS_S), "+Inf")
            latency.add_metric([name], list(zip(edges, accumulate(counts), strict=True)), reader.figures.latency_s)
    return latency
