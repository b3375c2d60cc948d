"""Every stream's figures for Prometheus, as one scrape sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pipelines.sources.supervisor import StreamState
from serve.control.messages import Overview, StreamView

_GAUGES = {
    "fps_in": "Decoded frames a second",
    "fps_processed": "Analysed frames a second",
    "frame_age_s": "Seconds since the capture of the newest analysed frame",
    "spooled": "Checkpoints that wait on disk for the database",
    "unsaved_s": "Seconds for which the database has not taken the stream's rows",
}
_COUNTERS = {
    "frames": "Decoded frames",
    "skipped": "Sampled frames that a newer one replaced",
    "corrupt": "Decoded frames with missing parts",
    "reconnects": "Broken connections",
    "rows_lost": "Minutes that neither database nor disk could keep",
}


class StreamCollector:
    """One scrape: made of the streams that are there now.

    Args:
        streams: views of all streams.
        overview: of the registry.
    """

    def __init__(self, streams: Iterable[StreamView], overview: Overview) -> None:
        self._streams = list(streams)
        self._overview = overview

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("footfall_readers", "Readers with a session", len(self._overview.readers))
        yield GaugeMetricFamily("footfall_store_up", "Whether the registry reaches the database", self._store_up())
        state = GaugeMetricFamily(
            "footfall_stream_state", "1 for the state that a stream is in", labels=["stream", "state"]
        )
        for view in self._streams:
            for known in StreamState:
                state.add_metric([view.id, known], float(view.status.state is known))
        yield state
        for key, text in _GAUGES.items():
            gauge = GaugeMetricFamily(
                f"footfall_stream_{key.replace('_s', '_seconds') if key.endswith('_s') else key}",
                text,
                labels=["stream"],
            )
            for view in self._streams:
                value = getattr(view.status, key)
                if value is not None:
                    gauge.add_metric([view.id], value)
            yield gauge
        for key, text in _COUNTERS.items():
            counter = CounterMetricFamily(f"footfall_stream_{key}", text, labels=["stream"])
            # A registry that has just begun has not heard of all streams. A zero in place of what a reader has counted
            # would look as if that had begun anew, and rate() would take all of it for an increase; a gap does no harm.
            for view in self._streams:
                if view.heard:
                    counter.add_metric([view.id], getattr(view.status, key))
            yield counter

    def _store_up(self) -> float:
        return float(self._overview.store_error is None)
