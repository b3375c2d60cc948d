from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from pipelines.batching.batch_detector import BATCH_SIZES, ThreadedDetector, batch_size
from pipelines.batching.collector import BatchCollector
from pipelines.batching.flights import FrameInWork
from pipelines.batching.mailbox import Mailbox, WaitingFrame
from pipelines.errors import DetectorUnavailable
from pipelines.types import Detections, FrameStamp, ImageBatch
from tests.fakes import Collected, FakeDetector, brightness_as_box, picture
from tests.waiting import wait_until

NEVER = threading.Event()
Make = Callable[..., BatchCollector]


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector(brightness_as_box)


@pytest.fixture
def make(detector: FakeDetector) -> Iterator[Make]:
    """Makes collectors, and ends them."""
    made: list[BatchCollector] = []

    def collector(workers: int = 1, begin: bool = True, **options: float) -> BatchCollector:
        made.append(BatchCollector(ThreadedDetector(detector, workers), **({"retry_s": 0.02} | options)))  # type: ignore
        if begin:
            made[-1].start()
        return made[-1]

    yield collector
    detector.gate.set()
    for one in made:
        one.stop()


def send(mailbox: Mailbox, *values: int, gap: bool = False) -> None:
    for value in values:
        mailbox.offer(picture(value), FrameStamp(value, value * 0.1, gap), NEVER)


@pytest.mark.parametrize(
    ("ready", "largest", "size"), [(0, 8, 0), (1, 8, 1), (3, 8, 2), (7, 8, 4), (9, 8, 8), (40, 16, 16), (7, 6, 4)]
)
def test_a_batch_has_the_largest_fixed_size_that_is_filled(ready: int, largest: int, size: int) -> None:
    assert batch_size(ready, largest) == size


def test_what_is_in_work_is_changed_by_nobody_while_others_look_at_it(make: Make, detector: FakeDetector) -> None:
    class Guarded(deque[FrameInWork]):
        """Refuses whoever does not hold the lock under which it is looked at; his thread would end."""

        def append(self, item: FrameInWork) -> None:
            assert collector._changed._is_owned()  # type: ignore[attr-defined]
            super().append(item)

    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    collector._streams["file"].order = Guarded()
    send(mailbox, *range(10))
    assert collector.remove("file")
    assert len(consumer.frames) == 10


def test_every_frame_gets_its_own_answer_in_order(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(workers=3), Collected()
    mailbox = collector.add("file", consumer, live=False)
    send(mailbox, *range(200))
    assert collector.remove("file")
    assert consumer.indices == list(range(200))
    assert [d.scores.tolist() for d in consumer.detections] == [[float(value)] for value in range(200)]
    assert mailbox.skipped == 0
    assert collector.statistics.frames == 200
    assert collector.statistics.batches == len(detector.sizes)


def test_detections_come_in_pixels_of_the_source(make: Make) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    mailbox.offer(picture(1, (64, 96)), FrameStamp(0, 0.0), NEVER)
    assert collector.remove("file")
    assert consumer.detections[0].boxes.tolist() == [[0, 0, 20, 40]]


def test_only_a_few_fixed_sizes_ever_reach_the_detector(make: Make, detector: FakeDetector) -> None:
    collector, consumers = make(workers=2), [Collected() for _ in range(7)]
    mailboxes = [collector.add(f"cam{n}", consumer, live=True) for n, consumer in enumerate(consumers)]
    cameras = [threading.Thread(target=send, args=(mailbox, *range(1, 250))) for mailbox in mailboxes]
    for camera in cameras:
        camera.start()
    for camera in cameras:
        camera.join(20)
    assert all(collector.remove(f"cam{n}") for n in range(7))
    assert set(detector.sizes) <= set(BATCH_SIZES)
    for mailbox, consumer in zip(mailboxes, consumers, strict=True):
        assert mailbox.skipped + len(consumer.frames) == 249
        assert consumer.indices == sorted(consumer.indices)


def test_frames_that_come_while_the_detector_is_busy_go_together(make: Make, detector: FakeDetector) -> None:
    collector = make()
    mailboxes = [collector.add(f"cam{n}", Collected(), live=True) for n in range(8)]
    detector.gate.clear()
    for mailbox in mailboxes[:2]:  # one is computed, one may wait for its turn
        send(mailbox, 1)
        wait_until(lambda sent=mailbox: len(sent) == 0, 5, "a batch of one under way")
    for mailbox in mailboxes:
        send(mailbox, 2)
    detector.gate.set()
    wait_until(lambda: collector.statistics.frames == 10, 5, "all answers")
    assert detector.sizes == [1, 1, 8]


def test_an_idle_detector_waits_for_a_fuller_batch_no_longer_than_told(make: Make, detector: FakeDetector) -> None:
    collector = make(max_wait_s=0.3, max_batch=4)
    mailbox = collector.add("file", Collected(), live=False, capacity=8)
    begun = time.monotonic()
    send(mailbox, 1, 2)
    wait_until(lambda: collector.statistics.frames == 2, 5, "the answer", every_s=0.01)
    assert 0.2 < time.monotonic() - begun < 2
    send(mailbox, 1, 2, 3, 4)
    wait_until(lambda: collector.statistics.frames == 6, 5, "the answer")
    assert detector.sizes == [2, 4]


def test_streams_that_may_not_skip_share_the_room_of_a_batch(make: Make) -> None:
    """Hundreds of cameras of a topic would hold thousands of pictures."""
    collector = make(max_batch=16)
    rooms = [collector.add(f"topic{number}", Collected(), live=False).capacity for number in range(20)]
    assert rooms[:4] == [16, 8, 5, 4]
    assert set(rooms[8:]) == {2}
    assert collector.add("camera", Collected(), live=True).capacity == 1


def test_a_stream_with_much_waiting_does_not_starve_the_others(make: Make, detector: FakeDetector) -> None:
    collector = make(max_batch=4, begin=False)
    order: list[str] = []

    class Noted(Collected):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def consume(self, frame: object, detections: Detections) -> None:
            order.append(self.name)

    greedy = collector.add("greedy", Noted("greedy"), live=False, capacity=40)
    others = [collector.add(f"cam{n}", Noted(f"cam{n}"), live=True) for n in range(5)]
    send(greedy, *range(40))
    for mailbox in others:
        send(mailbox, 1)
    collector.start()
    wait_until(lambda: len(order) == 45, 5, "all answers")
    assert {f"cam{n}" for n in range(5)} <= set(order[:8])  # two batches of four


def test_cameras_take_turns_when_batches_are_smaller_than_their_number(make: Make) -> None:
    collector = make(max_batch=2, begin=False)
    consumers = [Collected() for _ in range(3)]
    for number, consumer in enumerate(consumers):
        send(collector.add(f"file{number}", consumer, live=False, capacity=20), *range(20))
    seen_early: list[int] = []
    consumers[0].when = lambda frame: seen_early.append(len(consumers[2].frames))
    collector.start()
    wait_until(lambda: all(len(consumer.frames) == 20 for consumer in consumers), 5, "all answers")
    assert seen_early[10] > 3


def test_live_frames_of_a_failed_batch_are_counted_and_the_next_are_analysed(
    make: Make, detector: FakeDetector
) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("cam", consumer, live=True)
    detector.failing = DetectorUnavailable("away")
    send(mailbox, 1)
    wait_until(lambda: mailbox.skipped == 1, 5, "the lost frame")
    assert collector.failures == 2  # with the others of its batch, and once more by itself
    detector.failing = None
    send(mailbox, 2)
    wait_until(lambda: consumer.indices == [2], 5, "the next frame")
    assert collector.failures == 0
    assert collector.remove("cam")


def test_the_mark_of_a_gap_survives_a_failed_batch(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("cam", consumer, live=True)
    detector.failing = RuntimeError("broken")
    send(mailbox, 1, gap=True)
    wait_until(lambda: mailbox.skipped == 1, 5, "the lost frame")
    detector.failing = None
    send(mailbox, 2)
    wait_until(lambda: len(consumer.frames) == 1, 5, "the next frame")
    assert consumer.frames[0].stamp.gap


def test_recorded_frames_of_a_failed_batch_are_tried_again_in_order(make: Make, detector: FakeDetector) -> None:
    collector, consumer, viewer = make(), Collected(), Collected()
    recording = collector.add("file", consumer, live=False)
    camera = collector.add("cam", viewer, live=True)
    detector.gate.clear()
    send(recording, 0)
    send(recording, 1)
    wait_until(lambda: len(recording) == 0, 5, "batches under way")
    send(recording, *range(2, 7))
    send(camera, 100)
    detector.failing = DetectorUnavailable("away")
    detector.gate.set()
    wait_until(lambda: collector.failures >= 3, 5, "some attempts")
    detector.failing = None
    assert collector.remove("file")
    assert collector.remove("cam")
    assert consumer.indices == list(range(7))
    assert [d.scores[0] for d in consumer.detections] == list(range(7))
    assert recording.skipped == 0
    assert set(detector.sizes) <= set(BATCH_SIZES)


def test_frames_of_a_failed_batch_are_tried_one_by_one(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(begin=False, max_batch=4), Collected()
    recording = collector.add("file", consumer, live=False)
    cameras = [collector.add(f"cam{n}", Collected(), live=True) for n in range(1)]
    send(recording, 1, 2, 3)
    send(cameras[0], 100)
    detector.failing = DetectorUnavailable("away")
    collector.start()
    wait_until(lambda: collector.failures >= 2, 5, "some attempts")
    detector.failing = None
    assert collector.remove("file")
    assert consumer.indices == [1, 2, 3]
    assert [d.scores[0] for d in consumer.detections] == [1, 2, 3]
    assert set(detector.sizes[1:]) == {1}
    assert cameras[0].skipped == 1


def test_a_detector_that_fails_at_one_batch_size_starves_nobody(make: Make, detector: FakeDetector) -> None:
    """A backlog that fills every batch, and batches of that size that always fail."""
    detector.failing_with = lambda batch: len(batch) == 8
    collector, reader, viewer = make(begin=False, workers=2), Collected(), Collected()
    topic = collector.add("topic", reader, live=False)
    camera = collector.add("cam", viewer, live=True)
    backlog = threading.Thread(target=send, args=(topic, *range(200)))
    backlog.start()
    wait_until(lambda: len(topic) == 8, 5, "a backlog that fills a batch")
    collector.start()
    for value in range(200, 220):
        send(camera, value)
        wait_until(lambda expected=value: expected in viewer.indices, 5, "the live frame")
    backlog.join(10)
    assert collector.remove("topic")
    assert 8 in detector.sizes
    assert reader.indices == list(range(200))
    assert viewer.indices == list(range(200, 220))
    assert collector.healthy


def test_an_answer_that_never_comes_holds_up_its_own_camera_alone_and_not_for_ever(
    make: Make, detector: FakeDetector
) -> None:
    collector, stuck, fine = make(workers=3, deadline_s=0.3), Collected(), Collected()
    first, second = collector.add("stuck", stuck, live=True), collector.add("fine", fine, live=True)
    detector.gated = lambda batch: bool(batch[0, 0, 0, 0] == 1)
    detector.gate.clear()
    send(first, 1)
    wait_until(lambda: len(first) == 0, 5, "the batch that hangs")
    for value in range(100, 110):
        send(second, value)
        wait_until(lambda expected=value: expected in fine.indices, 5, "frames beside it")
    wait_until(lambda: first.skipped == 1, 5, "the end of the wait")
    send(first, 2)
    wait_until(lambda: stuck.indices == [2], 5, "the next frame of the same camera")
    detector.gate.set()
    assert collector.remove("stuck")
    assert stuck.indices == [2]  # the late answer is nobody's


def test_recorded_frames_wait_for_an_earlier_one_of_the_same_camera(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(workers=3, deadline_s=0.3), Collected()
    mailbox = collector.add("file", consumer, live=False)
    detector.gated = lambda batch: bool(batch[0, 0, 0, 0] == 1)
    detector.gate.clear()
    send(mailbox, 1)
    wait_until(lambda: len(mailbox) == 0, 5, "the batch that hangs")
    send(mailbox, 2)
    wait_until(lambda: collector.statistics.frames == 1, 5, "the answer to the second")
    assert consumer.indices == []
    detector.gate.set()
    assert collector.remove("file")
    assert consumer.indices == [1, 2]
    assert [d.scores[0] for d in consumer.detections] == [1, 2]


def test_a_recorded_frame_that_no_detector_takes_is_given_up_and_counted(make: Make, detector: FakeDetector) -> None:
    detector.failing_with = lambda batch: bool((batch[:, 0, 0, 0] == 5).any())
    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    send(mailbox, *range(4, 12))
    assert collector.remove("file")
    assert consumer.indices == [4, *range(6, 12)]
    assert mailbox.skipped == 1


def test_recorded_frames_are_kept_however_long_the_detector_is_down(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    detector.failing = DetectorUnavailable("away")
    send(mailbox, 1, 2, 3)
    wait_until(lambda: collector.failures > 12, 10, "many attempts")
    detector.failing = None
    assert collector.remove("file")
    assert consumer.indices == [1, 2, 3]


def test_a_detector_that_does_nothing_right_for_long_is_not_healthy(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(stalled_s=0.2), Collected()
    mailbox = collector.add("cam", consumer, live=True)
    detector.failing = RuntimeError("out of memory")
    assert collector.healthy

    def unhealthy() -> bool:
        send(mailbox, 1)
        return not collector.healthy

    wait_until(unhealthy, 5, "bad health")
    detector.failing = None
    send(mailbox, 2)
    wait_until(lambda: 2 in consumer.indices, 5, "a frame")
    assert collector.healthy


def test_who_waits_for_room_is_not_woken_by_the_frames_of_others(make: Make, detector: FakeDetector) -> None:
    """Else a hundred senders that wait wake up for every frame, to go to sleep again."""
    woken: list[str] = []

    class Noted(threading.Condition):
        def notify_all(self) -> None:
            woken.append("room")
            super().notify_all()

    collector, consumer = make(), Collected()
    blocked, running = collector.add("blocked", Collected(), live=False), collector.add("cam", consumer, live=True)
    blocked._changed = Noted()
    for value in range(20):
        send(running, value)
        wait_until(lambda expected=value: expected in consumer.indices, 5, "the frame")
    assert woken == []
    send(blocked, 1)
    assert collector.remove("blocked")
    assert woken


def test_a_paused_camera_gives_no_frames_and_can_be_removed(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    mailbox.pause(True)
    send(mailbox, 1, 2)
    assert len(mailbox) == 0
    mailbox.pause(False)
    wait_until(lambda: consumer.indices == [1, 2], 5, "what waited")
    mailbox.pause(True)
    send(mailbox, 3)
    assert collector.remove("file", timeout_s=5)
    assert consumer.indices == [1, 2]


def test_a_detector_with_too_few_answers_has_failed(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("file", consumer, live=False)
    whole = detector.detect
    detector.detect = lambda batch: whole(batch)[1:]  # type: ignore[method-assign]
    send(mailbox, 1)
    wait_until(lambda: collector.failures >= 2, 5, "failures")
    detector.detect = whole  # type: ignore[method-assign]
    assert collector.remove("file")
    assert consumer.indices == [1]


def test_a_detector_that_refuses_a_batch_has_failed_too(make: Make) -> None:
    class Refusing(ThreadedDetector):
        refusing = True

        def submit(self, batch: ImageBatch):  # type: ignore[no-untyped-def]
            if self.refusing:
                raise RuntimeError("no more threads")
            return super().submit(batch)

    threaded = Refusing(FakeDetector())
    collector, consumer = BatchCollector(threaded, retry_s=0.02), Collected()
    collector.start()
    mailbox = collector.add("file", consumer, live=False)
    send(mailbox, 1)
    wait_until(lambda: collector.failures >= 2, 5, "failures")
    threaded.refusing = False
    assert collector.remove("file")
    assert consumer.indices == [1]
    collector.stop()


def test_failures_are_logged_at_most_every_few_seconds(
    make: Make, detector: FakeDetector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("pipelines"), "propagate", True)
    collector, consumer = make(), Collected()
    mailbox = collector.add("cam", consumer, live=True)
    detector.failing = RuntimeError("broken")
    with caplog.at_level(logging.WARNING, "pipelines.batching.collector"):
        for value in range(30):
            send(mailbox, value)
            wait_until(lambda expected=value: mailbox.skipped > expected, 5, "the lost frame", every_s=0.001)
    assert len(caplog.records) == 1


def test_a_bug_in_one_streams_consumer_does_not_touch_the_others(make: Make) -> None:
    collector, broken, fine = make(), Collected(), Collected()
    broken.failing = ZeroDivisionError("a bug")
    first, second = collector.add("broken", broken, live=False), collector.add("fine", fine, live=False)
    for value in range(10):
        send(first, value)
        send(second, value)
    assert collector.remove("broken")
    assert collector.remove("fine")
    assert fine.indices == broken.indices == list(range(10))


def test_a_stream_is_removed_only_after_its_frames_in_flight(make: Make, detector: FakeDetector) -> None:
    collector, consumer = make(), Collected()
    mailbox = collector.add("cam", consumer, live=True)
    detector.gate.clear()
    send(mailbox, 1)
    wait_until(lambda: len(mailbox) == 0, 5, "a batch under way")
    send(mailbox, 2)
    removed: list[bool] = []
    remover = threading.Thread(target=lambda: removed.append(collector.remove("cam")))
    remover.start()
    assert not removed
    detector.gate.set()
    remover.join(5)
    assert removed == [True]
    assert consumer.indices == [1, 2]
    send(mailbox, 3)
    assert len(mailbox) == 0


def test_removal_gives_up_in_time_and_leaves_the_others_alone(make: Make, detector: FakeDetector) -> None:
    collector, other = make(workers=2), Collected()
    stuck, running = collector.add("stuck", Collected(), live=True), collector.add("other", other, live=True)
    detector.gate.clear()
    send(stuck, 1)
    wait_until(lambda: len(stuck) == 0, 5, "a batch under way")
    begun = time.monotonic()
    assert collector.remove("stuck", timeout_s=0.1) is False
    assert time.monotonic() - begun < 2
    detector.gate.set()
    send(running, 7)
    wait_until(lambda: other.indices == [7], 5, "the other stream")
    assert collector.remove("never added")


def test_stopping_is_idempotent_and_bounded_even_if_the_detector_hangs(make: Make, detector: FakeDetector) -> None:
    collector = make()
    mailbox = collector.add("cam", Collected(), live=True)
    detector.gate.clear()
    send(mailbox, 1)
    wait_until(lambda: detector.sizes == [1], 5, "a batch under way")
    begun = time.monotonic()
    collector.stop()
    collector.stop()
    assert time.monotonic() - begun < 3
    assert detector.closed >= 1


def test_a_collector_that_never_began_can_be_stopped(make: Make, detector: FakeDetector) -> None:
    make(begin=False).stop()
    assert detector.closed == 1


def test_what_waits_for_a_place_in_a_batch_is_told_with_the_age_of_the_oldest(make: Make) -> None:
    collector = make(begin=False)
    mailboxes = [collector.add(name, Collected(), live=False, capacity=3) for name in ("one", "two")]
    assert (collector.queue().frames, collector.queue().oldest_s) == (0, 0.0)
    send(mailboxes[0], 1, 2)
    oldest_s = mailboxes[0].oldest_s
    send(mailboxes[1], 3)
    assert oldest_s is not None
    queue, passed_s = collector.queue(), time.monotonic() - oldest_s
    assert queue.frames == 3
    assert 0 <= queue.oldest_s <= passed_s


def test_what_a_camera_computes_between_two_frames_is_decoding(make: Make) -> None:
    collector = make(begin=False)
    mailbox = collector.add("camera", Collected(), live=True)
    send(mailbox, 1)
    assert collector.stages.totals()["decode"] == (0, 0.0)
    until_s = time.thread_time() + 0.02
    while time.thread_time() < until_s:
        pass
    send(mailbox, 2)
    frames, seconds = collector.stages.totals()["decode"]
    assert frames == 1
    assert seconds >= 0.02


def test_what_a_cameras_frames_cost_is_told_for_each_camera(make: Make, detector: FakeDetector) -> None:
    def burn(frame: WaitingFrame) -> None:
        until_s = time.thread_time() + 0.005
        while time.thread_time() < until_s:
            pass

    collector, dear, cheap = make(), Collected(), Collected()
    dear.when = burn
    mailboxes = [collector.add(name, consumer, live=False) for name, consumer in (("dear", dear), ("cheap", cheap))]
    for mailbox in mailboxes:
        send(mailbox, *range(10))
    assert collector.remove("dear")
    assert collector.remove("cheap")
    assert mailboxes[0].cpu_s > 0.05
    assert 0 < mailboxes[1].cpu_s < mailboxes[0].cpu_s
