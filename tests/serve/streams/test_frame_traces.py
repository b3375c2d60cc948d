from __future__ import annotations

import time
from pathlib import Path

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from pipelines.batching.frame_trace import FrameTrace
from pipelines.types import FrameStamp
from serve.streams.frame_traces import MOST_WAITING, FrameTraces
from tests.fakes import MemoryStore, ScriptedSource
from tests.serve.streams.scripted_reader import FRAMES, Reader, script

STEPS = ["scale", "wait", "infer", "track", "count", "store"]


def test_what_was_counted_before_a_checkpoint_is_whole_with_it_and_the_rest_is_not() -> None:
    done: list[FrameTrace] = []
    traces = FrameTraces(1, done.append)
    early, late = (traces.begin(FrameStamp(number, 0.0)) for number in range(2))
    assert early is not None
    assert late is not None
    traces.counted(early)
    cut_s = time.monotonic()
    while time.monotonic() <= cut_s:
        pass
    traces.counted(late)
    traces.stored(cut_s)
    assert [trace.stamp.index for trace in done] == [0]
    assert early.steps[-1].name == "store"
    traces.stored(time.monotonic())
    assert [trace.stamp.index for trace in done] == [0, 1]


def test_what_is_never_stored_is_let_go_of() -> None:
    traces = FrameTraces(1, lambda trace: None)
    for number in range(10 * MOST_WAITING):
        traces.counted(FrameTrace(FrameStamp(number, 0.0)))
    assert len(traces._waiting) == MOST_WAITING


def test_a_frame_is_followed_from_its_picture_to_its_row(tmp_path: Path) -> None:
    done: list[FrameTrace] = []
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    reader = Reader(store, tmp_path, ScriptedSource(script(), live=False))
    reader.worker._traces = FrameTraces(100, done.append)
    reader.start().until_frames(FRAMES).stop()
    assert [trace.stamp.index for trace in done] == list(range(0, FRAMES, 100))
    for trace in done:
        assert [step.name for step in trace.steps] == STEPS
        begins = [step.begun_s for step in trace.steps]
        assert begins == sorted(begins)


def test_a_frame_whose_row_waits_for_the_database_is_whole_once_it_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[FrameTrace] = []
    store = MemoryStore()
    store.put_stream(StreamRecord("cam", {}))
    reader = Reader(store, tmp_path, ScriptedSource(script(), live=False))
    reader.worker._traces = FrameTraces(FRAMES, done.append)
    reader.start().until_frames(FRAMES)
    with monkeypatch.context() as patch:
        patch.setattr(reader.spool, "put", lambda checkpoint: False)
        patch.setattr(store, "checkpoint", _away)
        reader.worker.checkpoint()
        assert done == []
    reader.stop()
    assert [trace.stamp.index for trace in done] == [0]


def _away(*_: object) -> None:
    raise StoreUnavailable("away")
