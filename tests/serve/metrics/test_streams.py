"""What Prometheus makes of the figures."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from analytics.storage.base import StreamRecord
from pipelines.sources.supervisor import StreamState
from serve.control.entry import StreamEntry
from serve.control.messages import Overview, ReaderView
from serve.metrics.streams import StreamCollector
from serve.streams.status import StreamStatus
from tests.serve.api.test_streams import RTSP

READER = ReaderView("node", 2.0, 0.5, 1, leaving=False)


def scrape(entry: StreamEntry) -> dict[str, float]:
    """Series of one stream, by name and labels."""
    scraped = CollectorRegistry()
    view = entry.view(now_s=0.0, silence_s=2.0, readers=1)
    scraped.register(StreamCollector([view], Overview(True, None, {"reader": READER}, 1, {"lost": 3})))
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
