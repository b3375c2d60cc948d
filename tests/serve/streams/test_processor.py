from __future__ import annotations

import numpy as np

from analytics.counting.observer import StreamObserver
from analytics.geometry import Geometry
from pipelines.batching.letterbox import Letterbox
from pipelines.batching.mailbox import WaitingFrame
from pipelines.tracking.bytetrack import ByteTracker
from pipelines.types import Detections, FrameStamp
from serve.streams.processor import UNSEEN_S, StreamProcessor

BEGIN_S = 1_800_000_000.0
SIZE = (360, 640)
ONE = Detections(np.array([[100, 100, 150, 250]], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int32))


def processor(wall_s: float = BEGIN_S) -> StreamProcessor:
    observer = StreamObserver("cam", 1, Geometry())
    return StreamProcessor(ByteTracker(), observer, clock=lambda: 0.0, wall_clock=lambda: wall_s)


def show(made: StreamProcessor, time_s: float, found: Detections | None = None) -> None:
    slot = np.zeros((4, 4, 3), np.uint8)
    made.consume(
        WaitingFrame(slot, Letterbox(SIZE, (36, 64)), FrameStamp(0, time_s), None), found or Detections.empty()
    )


def test_somebody_was_there_when_he_was_seen_last() -> None:
    made = processor()
    assert made.person_s is None
    show(made, BEGIN_S)
    assert made.person_s == BEGIN_S, "from here on it is known that nobody is there"
    for number in range(4):
        show(made, BEGIN_S + 1 + 0.2 * number, ONE)
    show(made, BEGIN_S + 30)
    assert made.person_s == BEGIN_S + 1.6


def test_time_that_nobody_has_seen_is_no_time_without_people() -> None:
    made = processor()
    show(made, BEGIN_S)
    show(made, BEGIN_S + UNSEEN_S)
    assert made.person_s == BEGIN_S
    show(made, BEGIN_S + UNSEEN_S + 7200)
    assert made.person_s == BEGIN_S + 7200


def test_the_next_epoch_goes_on_from_there() -> None:
    made, heir = processor(), processor()
    show(made, BEGIN_S)
    show(made, BEGIN_S + 50)
    cut = made.cut()
    assert cut is not None
    heir.restore(cut.state)
    assert heir.person_s == BEGIN_S
    show(heir, BEGIN_S + 50 + 3600)
    assert heir.person_s == BEGIN_S + 3600


def test_latency_is_from_capture_to_count() -> None:
    made = processor(wall_s=BEGIN_S + 0.25)
    for number in range(10):
        show(made, BEGIN_S + number * 0.001)
    value = made.latency.quantile(0.5, 0.0)
    assert value is not None
    assert 0.2 <= value <= 0.3
