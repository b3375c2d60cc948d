"""Every stream's figures for Prometheus, as one scrape sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from analytics.alerts.book import Alert
from pipelines.errors import SourceDisconnected
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Overview, StreamView
from serve.events.desk import SinkView
from serve.metrics.readers import core_metrics, frame_metrics
from serve.metrics.service import service_metrics
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
    "rows_lost": "Minutes that neither database nor disk could keep",
    "hard_frames_kept": "Frames in which the detector was unsure, kept on disk",
    "hard_frames_missed": "Such frames that were not kept, since the disk was too slow or full",
    "source_cpu_s": "CPU seconds for receiving, decoding and scaling",
    "analysis_cpu_s": "CPU seconds from there on, as far as the reader spent them itself",
}
_USUAL = SourceDisconnected.code
"""What breaks most connections; told also before it does, so that rates see the first time."""
_PICTURE_FEATURES = "luma", "hidden", "sharpness", "noise"


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
        yield from service_metrics(self._overview)
        yield from self._states()
        yield from self._reconnects()
        yield from self._weights()
        yield from self._latencies()
        yield from self._drift()
        yield from self._alerts()
        yield from core_metrics(self._overview.readers)
        yield from frame_metrics(self._overview.readers)
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

    def _reconnects(self) -> Iterator[Metric]:
        broken = CounterMetricFamily(
            "footfall_stream_reconnects", "Broken connections, by what broke them", labels=["stream", "reason"]
        )
        for view in (one for one in self._streams if one.heard):
            for reason, count in {_USUAL: 0, **view.status.reconnects_by}.items():
                broken.add_metric([view.id, reason], count)
        yield broken

    def _weights(self) -> Iterator[Metric]:
        """What streams have to do, CPU cores."""
        weight = GaugeMetricFamily("footfall_stream_weight_cores", "CPU cores that the stream takes", labels=["stream"])
        for view in self._streams:
            if view.weight is not None:
                weight.add_metric([view.id], view.weight.wanted)
        yield weight

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
