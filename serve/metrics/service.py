"""Figures of the service as a whole for Prometheus, as one scrape sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pipelines.sources.supervisor import StreamState
from serve.control.messages import Overview
from serve.streams.status import QUANTILES, StreamStatus


def service_metrics(overview: Overview) -> Iterator[Metric]:
    """What the registry knows of everything."""
    build = GaugeMetricFamily("footfall_build_info", "1, with the version", labels=["version"])
    build.add_metric([version("footfall")], 1.0)
    yield build
    yield GaugeMetricFamily("footfall_readers", "Readers with a session", len(overview.readers))
    store_up = float(overview.store_error is None)
    yield GaugeMetricFamily("footfall_store_up", "Whether the registry reaches the database", store_up)
    moves = CounterMetricFamily(
        "footfall_stream_moves", "Streams that were taken from a reader: lost, leaving, or for balance", labels=["why"]
    )
    for why, count in overview.moves.items():
        moves.add_metric([why], count)
    yield moves


def total_metrics(statuses: Iterable[StreamStatus]) -> Iterator[Metric]:
    """Streams as a whole, where those of each would be too many."""
    found = list(statuses)
    states = Counter(status.state for status in found)
    by_state = GaugeMetricFamily("footfall_streams", "Streams by their state", labels=["state"])
    for state in StreamState:
        by_state.add_metric([state], states[state])
    yield by_state
    for name, text, value in (
        ("footfall_fps_in", "Decoded frames a second", sum(status.fps_in for status in found)),
        ("footfall_fps_processed", "Analysed frames a second", sum(status.fps_processed for status in found)),
        ("footfall_spooled", "Checkpoints that wait on disk", sum(status.spooled for status in found)),
    ):
        yield GaugeMetricFamily(name, text, value)
    latency = GaugeMetricFamily(
        "footfall_slowest_latency_seconds",
        "From capture to count, of the slowest stream: so large a share of the last minute's frames took at most",
        labels=["quantile"],
    )
    for place, share in enumerate(QUANTILES):
        slowest = [one.latency_s[place] for one in found if place < len(one.latency_s)]
        known = [seconds for seconds in slowest if seconds is not None]
        if known:
            latency.add_metric([str(share)], max(known))
    yield latency
