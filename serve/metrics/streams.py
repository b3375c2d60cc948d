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
    "analysed": "Frames in which people were looked for",
    "skipped": "Sampled frames that a newer one replaced",
    "corrupt": "Decoded frames with missing parts",
    "reconnects": "Broken connections",
    "rows_lost": "Minutes that neither database nor disk could keep",
    "source_cpu_s": "CPU seconds for receiving, decoding and scaling",
    "analysis_cpu_s": "CPU seconds from there on, as far as the reader spent them itself",
}
_READER_GAUGES = {
    "capacity": "CPU cores that the reader takes streams for",
    "wanted": "CPU cores that its streams want",
}


def _name(key: str) -> str:
    """Of a series, with its unit."""
    return f"footfall_stream_{key.removesuffix('_s')}_seconds" if key.endswith("_s") else f"footfall_stream_{key}"


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
        moves = CounterMetricFamily(
            "footfall_stream_moves",
            "Streams that were taken from a reader: lost, leaving, or for balance",
            labels=["why"],
        )
        for why, count in self._overview.moves.items():
            moves.add_metric([why], count)
        yield moves
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
        yield from self._weights()
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

    def _store_up(self) -> float:
        return float(self._overview.store_error is None)
