"""Every stream's figures for Prometheus, as one scrape sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from analytics.alerts.book import Alert
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Overview, StreamView
from serve.events.desk import SinkView
from serve.streams.drift_report import DriftReport
from serve.streams.status import QUANTILES

_GAUGES = {
    "fps_in": "Decoded frames a second",
    "fps_processed": "Analysed frames a second",
    "frame_age_s": "Seconds since the capture of the newest analysed frame",
    "spooled": "Checkpoints that wait on disk for the database",
    "unsaved_s": "Seconds for which the database has not taken the stream's rows",
}
_COUNTERS = {
    "frames": "Decoded frames",
    "analysed": "Frames in which people were looked for",
    "skipped": "Sampled frames that a newer one replaced",
    "corrupt": "Decoded frames with missing parts",
    "reconnects": "Broken connections",
    "rows_lost": "Minutes that neither database nor disk could keep",
    "source_cpu_s": "CPU seconds for receiving, decoding and scaling",
    "analysis_cpu_s": "CPU seconds from there on, as far as the reader spent them itself",
}
_PICTURE_FEATURES = "luma", "hidden", "sharpness", "noise"
_READER_GAUGES = {
    "capacity": "CPU cores that the reader takes streams for",
    "wanted": "CPU cores that its streams want",
}


def _name(key: str) -> str:
    """Of a series, with its unit."""
    return f"footfall_stream_{key.removesuffix('_s')}_seconds" if key.endswith("_s") else f"footfall_stream_{key}"


@dataclass(frozen=True, slots=True)
class Scrape:
    """What is known at the time of a scrape.

    Attributes:
        streams: views of all streams.
        overview: of the registry.
        alerts: that are on, or may be soon.
        sinks: and how far events are there.
        requests: that were answered, by method, route and status.
    """

    streams: Sequence[StreamView]
    overview: Overview
    alerts: Sequence[Alert] = ()
    sinks: Sequence[SinkView] = ()
    requests: Mapping[tuple[str, str, int], int] = field(default_factory=dict)


class StreamCollector:
    """One scrape: made of the streams that are there now.

    Args:
        scrape: what is known.
    """

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape
        self._streams, self._overview = scrape.streams, scrape.overview

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("footfall_build_info", "1, with the version", labels=["version"])
        build.add_metric([version("footfall")], 1.0)
        yield build
        yield GaugeMetricFamily("footfall_readers", "Readers with a session", len(self._overview.readers))
        yield GaugeMetricFamily("footfall_store_up", "Whether the registry reaches the database", self._store_up())
        moves = CounterMetricFamily(
            "footfall_stream_moves",
            "Streams that were taken from a reader: lost, leaving, or for balance",
            labels=["why"],
        )
        for why, count in self._overview.moves.items():
            moves.add_metric([why], count)
        yield moves
        yield from self._states()
        yield from self._weights()
        yield from self._latencies()
        yield from self._drift()
        yield from self._alerts()
        yield from self._readers()
        yield from self._sinks()
        yield from self._requests()
        for key, text in _GAUGES.items():
            gauge = GaugeMetricFamily(_name(key), text, labels=["stream"])
            for view in self._streams:
                value = getattr(view.status, key)
                if value is not None:
                    gauge.add_metric([view.id], value)
            yield gauge
        for key, text in _COUNTERS.items():
            counter = CounterMetricFamily(_name(key), text, labels=["stream"])
            # A registry that has just begun has not heard of all streams. A zero in place of what a reader has counted
            # would look as if that had begun anew, and rate() would take all of it for an increase; a gap does no harm.
            for view in self._streams:
                if view.heard:
                    counter.add_metric([view.id], getattr(view.status, key))
            yield counter

    def _states(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "footfall_stream_state", "1 for the state that a stream is in", labels=["stream", "state"]
        )
        for view in self._streams:
            for known in StreamState:
                state.add_metric([view.id, known], float(view.status.state is known))
        yield state
        error = GaugeMetricFamily(
            "footfall_stream_error", "1 for what is wrong with a stream, such as overloaded", labels=["stream", "code"]
        )
        for view in self._streams:
            if view.status.error_code is not None:
                error.add_metric([view.id, view.status.error_code], 1.0)
        yield error

    def _weights(self) -> Iterator[Metric]:
        """What streams and readers have to do, CPU cores."""
        weight = GaugeMetricFamily("footfall_stream_weight_cores", "CPU cores that the stream takes", labels=["stream"])
        for view in self._streams:
            if view.weight is not None:
                weight.add_metric([view.id], view.weight.wanted)
        yield weight
        for key, text in _READER_GAUGES.items():
            gauge = GaugeMetricFamily(f"footfall_reader_{key}_cores", text, labels=["reader"])
            for name, reader in self._overview.readers.items():
                gauge.add_metric([name], getattr(reader, key))
            yield gauge

    def _latencies(self) -> Iterator[Metric]:
        latency = GaugeMetricFamily(
            "footfall_stream_latency_seconds",
            "From capture to count, which so large a share of the last minute's frames took at most",
            labels=["stream", "quantile"],
        )
        for view in self._streams:
            for share, value in zip(QUANTILES, view.status.latency_s, strict=False):
                if value is not None:
                    latency.add_metric([view.id, str(share)], value)
        yield latency

    def _drift(self) -> Iterator[Metric]:
        wrong = GaugeMetricFamily(
            "footfall_stream_drift", "1 for what is not as it was, by its cause", labels=["stream", "cause"]
        )
        features = GaugeMetricFamily(
            "footfall_stream_picture_feature",
            "What is judged of pictures: logarithms of brightness, sharpness and noise, and the share that is hidden",
            labels=["stream", "feature"],
        )
        for view in self._streams:
            drift = view.status.drift or DriftReport()
            for cause in drift.causes:
                wrong.add_metric([view.id, cause], 1.0)
            for name in _PICTURE_FEATURES:
                if name in drift.features:
                    features.add_metric([view.id, name], drift.features[name])
        yield wrong
        yield features

    def _alerts(self) -> Iterator[Metric]:
        alerts = GaugeMetricFamily("footfall_alerts", "Alerts that are on", labels=["rule", "severity"])
        on = Counter((alert.rule, alert.severity) for alert in self._scrape.alerts if alert.state != "pending")
        for (rule, severity), count in sorted(on.items()):
            alerts.add_metric([rule, severity], count)
        yield alerts

    def _readers(self) -> Iterator[Metric]:
        seconds = CounterMetricFamily(
            "footfall_stage_seconds", "Seconds that frames have spent, by stage", labels=["reader", "stage"]
        )
        frames = CounterMetricFamily("footfall_stage_frames", "Frames of that", labels=["reader", "stage"])
        batches = CounterMetricFamily("footfall_batches", "Batches that were detected", labels=["reader"])
        batched = CounterMetricFamily("footfall_batch_frames", "Frames in them", labels=["reader"])
        failed = CounterMetricFamily("footfall_batches_failed", "Batches without an answer", labels=["reader"])
        disk = GaugeMetricFamily(
            "footfall_reader_disk_free_ratio", "Free share of the disk that rows wait on", labels=["reader"]
        )
        for name, reader in self._overview.readers.items():
            for stage, (count, total_s) in reader.stages.items():
                seconds.add_metric([name, stage], total_s)
                frames.add_metric([name, stage], count)
            for counter, value in zip((batched, batches, failed), reader.batches, strict=True):
                counter.add_metric([name], value)
            if reader.disk_free is not None:
                disk.add_metric([name], reader.disk_free)
        yield from (seconds, frames, batches, batched, failed, disk)

    def _sinks(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("footfall_sink_waiting_events", "Events that are not there yet", labels=["sink"])
        delivered = CounterMetricFamily("footfall_sink_delivered_events", "Events that are there", labels=["sink"])
        failing = GaugeMetricFamily("footfall_sink_failing", "Whether it takes nothing now", labels=["sink"])
        for view in self._scrape.sinks:
            waiting.add_metric([view.id], view.waiting.events)
            delivered.add_metric([view.id], view.standing.delivered)
            failing.add_metric([view.id], float(view.standing.error is not None))
        yield from (waiting, delivered, failing)

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "footfall_http_requests", "Requests that were answered", labels=["method", "route", "status"]
        )
        for (method, route, status), count in sorted(self._scrape.requests.items()):
            requests.add_metric([method, route, str(status)], count)
        yield requests

    def _store_up(self) -> float:
        return float(self._overview.store_error is None)
