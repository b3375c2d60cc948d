from __future__ import annotations

import threading
import time

import pytest

from pipelines.batching.batch_detector import ThreadedDetector
from pipelines.batching.collector import BatchCollector
from pipelines.batching.frame_trace import FrameTrace, TracedFrames
from pipelines.types import FrameStamp
from tests.fakes import Collected, FakeDetector, picture


@pytest.mark.parametrize(("one_in", "chosen"), [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (3, [0, 3, 6])])
def test_the_first_frame_and_then_one_in_so_many_is_followed(one_in: int, chosen: list[int]) -> None:
    frames = TracedFrames(one_in)
    traces = [frames.begin(FrameStamp(number, 0.0)) for number in range(7)]
    assert [trace.stamp.index for trace in traces if trace is not None] == chosen


def test_steps_are_told_by_the_clock_on_the_wall() -> None:
    trace, before_s = FrameTrace(FrameStamp(0, 0.0)), time.time()
    begun_s = time.monotonic()
    trace.add("scale", begun_s)
    trace.add("wait", begun_s + 2, begun_s + 1)  # never negative
    (scale, wait), after_s = trace.steps, time.time()
    assert before_s - 0.1 <= scale.begun_s <= scale.ended_s <= after_s + 0.1
    assert wait.ended_s == wait.begun_s == pytest.approx(scale.begun_s + 2)


def test_a_frame_that_is_followed_is_so_through_its_batch_and_others_are_not() -> None:
    collector, consumer = BatchCollector(ThreadedDetector(FakeDetector(), 1)), Collected()
    mailbox = collector.add("camera", consumer, live=False)
    mailbox.trace = TracedFrames(2).begin
    for number in range(2):
        mailbox.offer(picture(number), FrameStamp(number, number * 0.1), threading.Event())
    collector.start()
    assert collector.remove("camera")
    collector.stop()
    first, second = (frame.trace for frame in consumer.frames)
    assert second is None
    assert first is not None
    assert [step.name for step in first.steps] == ["scale", "wait", "infer"]
    assert all(step.begun_s <= step.ended_s for step in first.steps)
    assert first.steps[1].begun_s <= first.steps[2].begun_s
    assert first.batch in (1, 2)
