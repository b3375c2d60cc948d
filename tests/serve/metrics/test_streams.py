"""What Prometheus makes of the figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from analytics.alerts.book import Alert
from analytics.drift.causes import Verdict
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import Waiting
from analytics.storage.sinks import Standing
from pipelines.durations import BOUNDS_S
from pipelines.sources.supervisor import StreamState
from serve.control.entry import StreamEntry
from serve.control.messages import Overview, ReaderFigures, ReaderView
from serve.events.desk import SinkView
from serve.metrics.readers import frame_metrics
from serve.metrics.streams import Scrape, StreamCollector
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus
from tests.serve.api.test_streams import RTSP

STAGES = {"wait": (10, 0.5), "infer": (10, 0.25)}
FIGURES = ReaderFigures(3, 0.25, (1, *(0,) * (len(BOUNDS_S) - 1), 2), 75.0)
READER = ReaderView("node", 2.0, 0.5, 1, False, 0.75, STAGES, (40, 10, 1), FIGURES)


def scrape(entry: StreamEntry, **more: Any) -> dict[str, float]:
    """Series of one stream, by name and labels."""
    scraped = CollectorRegistry()
    view = entry.view(now_s=0.0, silence_s=2.0, readers=1)
    overview = Overview(True, None, {"reader": READER}, 1, {"lost": 3})
    scraped.register(StreamCollector(Scrape([view], overview, **more)))
    lines = (line for line in generate_latest(scraped).decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


DOOR = StreamRecord("door", {"source": RTSP})
COUNTER = 'footfall_stream_frames_total{stream="door"}'


def test_a_registry_that_restarts_resets_no_counter() -> None:
    running = StreamStatus(StreamState.RUNNING, 0.0, frames=81_230, reconnects=2)
    entry = StreamEntry.of(DOOR, 1.0)
    entry.status = running
    before = scrape(entry)
    restarted = StreamEntry.of(DOOR, 1.0)  # knows the stream from the database, and no reader's count yet
    unheard = scrape(restarted)
    restarted.status = replace(running, frames=81_300)
    after = scrape(restarted)
    told = [found[COUNTER] for found in (before, unheard, after) if COUNTER in found]
    assert told == sorted(told) == [81_230, 81_300]
    assert not any("_total" in name and "door" in name for name in unheard)
    assert 'footfall_stream_state{state="starting",stream="door"}' in unheard


def test_what_is_wrong_is_told_by_its_code() -> None:
    entry = StreamEntry.of(DOOR, 1.0)
    entry.status = StreamStatus(StreamState.RUNNING, 0.0)
    assert not any("footfall_stream_error" in name for name in scrape(entry))
    entry.status = replace(entry.status, error="no time", error_code="overloaded")
    assert scrape(entry)['footfall_stream_error{code="overloaded",stream="door"}'] == 1


def test_a_reader_that_begins_anew_begins_at_zero() -> None:
    entry = StreamEntry.of(DOOR, 1.0)
    entry.status = StreamStatus(StreamState.STARTING, 0.0)
    assert scrape(entry)[COUNTER] == 0


def test_what_streams_and_readers_have_to_do_is_told_in_cores_and_cpu_seconds() -> None:
    entry = StreamEntry.of(replace(DOOR, weight=0.25, least_weight=0.1), 1.0)
    entry.status = StreamStatus(StreamState.RUNNING, 0.0, analysed=7, source_cpu_s=1.5, analysis_cpu_s=2.5)
    found = scrape(entry)
    assert found['footfall_stream_weight_cores{stream="door"}'] == 0.25
    assert found['footfall_stream_source_cpu_seconds_total{stream="door"}'] == 1.5
    assert found['footfall_stream_analysis_cpu_seconds_total{stream="door"}'] == 2.5
    assert found['footfall_stream_analysed_total{stream="door"}'] == 7
    assert found['footfall_reader_capacity_cores{reader="reader"}'] == 2.0
    assert found['footfall_reader_wanted_cores{reader="reader"}'] == 0.5
    assert found['footfall_stream_moves_total{why="lost"}'] == 3
    assert 'footfall_stream_weight_cores{stream="door"}' not in scrape(StreamEntry.of(DOOR, 1.0))


def test_how_long_frames_take_is_told_of_each_stream_and_of_each_stage() -> None:
    entry = StreamEntry.of(DOOR, 1.0)
    entry.status = StreamStatus(StreamState.RUNNING, 0.0, latency_s=(0.2, 0.5, None))
    found = scrape(entry)
    latencies = {name: value for name, value in found.items() if name.startswith("footfall_stream_latency_seconds")}
    assert latencies == {
        'footfall_stream_latency_seconds{quantile="0.5",stream="door"}': 0.2,
        'footfall_stream_latency_seconds{quantile="0.95",stream="door"}': 0.5,
    }
    assert found['footfall_stage_seconds_total{reader="reader",stage="wait"}'] == 0.5
    assert found['footfall_stage_frames_total{reader="reader",stage="wait"}'] == 10
    assert found['footfall_batch_frames_total{reader="reader"}'] == 40
    assert found['footfall_batches_total{reader="reader"}'] == 10
    assert found['footfall_batches_failed_total{reader="reader"}'] == 1
    assert found['footfall_reader_disk_free_ratio{reader="reader"}'] == 0.75


def test_what_is_not_as_it_was_is_told_by_its_cause_with_what_it_is_judged_by() -> None:
    entry = StreamEntry.of(DOOR, 1.0)
    report = DriftReport((Verdict("moved", "far", 0.0),), True, False, False, {"luma": 4.5, "people_score": 0.1}, 1)
    entry.status = StreamStatus(StreamState.RUNNING, 0.0, drift=report)
    found = scrape(entry)
    assert found['footfall_stream_drift{cause="moved",stream="door"}'] == 1
    features = [name for name in found if name.startswith("footfall_stream_picture_feature")]
    assert features == ['footfall_stream_picture_feature{feature="luma",stream="door"}']


def test_alerts_are_counted_by_rule_once_they_are_told() -> None:
    def alert(state: Any) -> Alert:
        return Alert(
            "0" * 32, "camera-down", "door", "critical", "", "", state, 0.0, 0.0, None, None, None, False, True
        )

    found = scrape(StreamEntry.of(DOOR, 1.0), alerts=[alert("active"), alert("clearing"), alert("pending")])
    assert found['footfall_alerts{rule="camera-down",severity="critical"}'] == 2


def test_sinks_say_what_waits_for_them() -> None:
    standing = Standing("till", 7, delivered=391, error="refuses")
    found = scrape(StreamEntry.of(DOOR, 1.0), sinks=[SinkView("till", None, 1, False, standing, Waiting(3, 0.0))])
    assert found['footfall_sink_waiting_events{sink="till"}'] == 3
    assert found['footfall_sink_delivered_events_total{sink="till"}'] == 391
    assert found['footfall_sink_failing{sink="till"}'] == 1


def test_requests_are_counted_by_route() -> None:
    found = scrape(StreamEntry.of(DOOR, 1.0), requests={("GET", "/api/v1/streams/{stream}", 404): 5})
    assert found['footfall_http_requests_total{method="GET",route="/api/v1/streams/{stream}",status="404"}'] == 5


def test_the_version_is_told() -> None:
    assert any(name.startswith("footfall_build_info{version=") for name in scrape(StreamEntry.of(DOOR, 1.0)))


def test_broken_connections_are_told_by_what_broke_them() -> None:
    entry = StreamEntry.of(DOOR, 1.0)
    entry.status = StreamStatus(StreamState.RUNNING, 0.0, reconnects=3, reconnects_by={"source-stalled": 3})
    found = scrape(entry)
    assert found['footfall_stream_reconnects_total{reason="source-stalled",stream="door"}'] == 3
    assert found['footfall_stream_reconnects_total{reason="source-disconnected",stream="door"}'] == 0


def test_what_waits_and_how_late_frames_are_counted_is_told_of_each_reader() -> None:
    found = scrape(StreamEntry.of(DOOR, 1.0))
    assert found['footfall_detector_waiting_frames{reader="reader"}'] == 3
    assert found['footfall_detector_oldest_frame_seconds{reader="reader"}'] == 0.25
    buckets = [value for name, value in found.items() if name.startswith("footfall_frame_latency_seconds_bucket")]
    assert len(buckets) == len(BOUNDS_S) + 1
    assert buckets == [1.0] * len(BOUNDS_S) + [3.0]
    assert found['footfall_frame_latency_seconds_bucket{le="0.005",reader="reader"}'] == 1
    assert found['footfall_frame_latency_seconds_count{reader="reader"}'] == 3
    assert found['footfall_frame_latency_seconds_sum{reader="reader"}'] == 75.0


def test_a_reader_of_which_nobody_knows_how_late_it_is_has_no_histogram() -> None:
    (latency,) = (
        one
        for one in frame_metrics({"old": ReaderView("node", 2.0, 0.5, 1, False)})
        if one.name == "footfall_frame_latency_seconds"
    )
    assert latency.samples == []
