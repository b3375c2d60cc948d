from __future__ import annotations

import threading

import av
import numpy as np
import pytest

from pipelines.batching.letterbox import Letterbox
from pipelines.batching.mailbox import Mailbox, WaitingFrame
from pipelines.types import FrameStamp, Image
from tests.fakes import SMALL_INPUT, picture
from tests.waiting import wait_until

NEVER = threading.Event()


def mailbox(*, live: bool, capacity: int = 1) -> Mailbox:
    return Mailbox(SMALL_INPUT, live=live, capacity=capacity, arrived=threading.Condition())


def offer(box: Mailbox, *indices: int, gap: bool = False, stop: threading.Event = NEVER) -> None:
    for index in indices:
        box.offer(picture(index), FrameStamp(index, index * 0.1, gap), stop)


def take(box: Mailbox) -> WaitingFrame | None:
    return box.take_into(np.empty((*SMALL_INPUT, 3), np.uint8))


def take_all(box: Mailbox) -> list[WaitingFrame]:
    return list(iter(lambda: take(box), None))


def test_the_newest_live_frame_wins_and_skips_are_counted() -> None:
    box = mailbox(live=True)
    offer(box, *range(10))
    assert box.skipped == 9
    assert [frame.stamp.index for frame in take_all(box)] == [9]
    assert take(box) is None


def test_a_frame_waits_until_the_one_that_replaces_it_is_ready() -> None:
    box, scaling, may_go_on = mailbox(live=True), threading.Event(), threading.Event()
    offer(box, 1)
    write = box._writer.write

    def slow(video_frame: av.VideoFrame, slot: Image) -> Letterbox:
        scaling.set()
        may_go_on.wait(5)
        return write(video_frame, slot)

    box._writer.write = slow  # type: ignore[method-assign]
    sender = threading.Thread(target=offer, args=(box, 2))
    sender.start()
    assert scaling.wait(5)
    assert len(box) == 1  # a batch that counts on a frame of this camera finds one
    may_go_on.set()
    sender.join(5)
    assert [frame.stamp.index for frame in take_all(box)] == [2]


def test_a_larger_live_mailbox_keeps_the_newest_in_order() -> None:
    box = mailbox(live=True, capacity=3)
    offer(box, *range(10))
    assert [frame.stamp.index for frame in take_all(box)] == [7, 8, 9]
    assert box.skipped == 7


def test_pixels_arrive_in_the_batch() -> None:
    box = mailbox(live=False, capacity=4)
    offer(box, 10, 20, 30)
    batch = np.zeros((3, *SMALL_INPUT, 3), np.uint8)
    for image in batch:
        box.take_into(image)
    assert [int(image[5, 5, 0]) for image in batch] == [10, 20, 30]


def test_pixels_are_right_however_long_slots_are_reused() -> None:
    box = mailbox(live=True, capacity=2)
    image = np.zeros((*SMALL_INPUT, 3), np.uint8)
    for value in range(1, 250):
        offer(box, value)
        if value % 3 == 0:
            frame = box.take_into(image)
            assert frame is not None
            assert int(image[0, 0, 0]) == frame.stamp.index


def test_a_recording_waits_and_skips_nothing() -> None:
    box = mailbox(live=False, capacity=2)
    sender = threading.Thread(target=offer, args=(box, *range(20)))
    sender.start()
    wait_until(lambda: len(box) == 2, 5, "a full mailbox")
    taken = []
    while len(taken) < 20:
        wait_until(lambda: len(box) > 0, 5, "the next frame")
        frame = take(box)
        assert frame is not None
        taken.append(frame.stamp.index)
    sender.join(5)
    assert taken == list(range(20))
    assert box.skipped == 0


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_camera_thread_that_waits_for_room_can_be_ended(how: str) -> None:
    box, stop = mailbox(live=False), threading.Event()
    offer(box, 0)
    sender = threading.Thread(target=offer, args=(box, 1), kwargs={"stop": stop})
    sender.start()
    stop.set() if how == "stop" else box.close()
    sender.join(5)
    assert not sender.is_alive()
    assert [frame.stamp.index for frame in take_all(box)] == [0]


def test_the_mark_of_a_gap_survives_the_frame_that_carried_it() -> None:
    box = mailbox(live=True)
    offer(box, 0, gap=True)
    offer(box, 1, 2)
    assert [frame.stamp.gap for frame in take_all(box)] == [True]
    offer(box, 3)
    assert [frame.stamp.gap for frame in take_all(box)] == [False]


def test_the_mark_of_a_gap_survives_a_frame_that_was_lost_on_its_way() -> None:
    box = mailbox(live=True, capacity=3)
    offer(box, 0, gap=True)
    offer(box, 1, 2)
    first, second, third = take_all(box)
    box.lost(first)
    assert box.arrives(second).stamp == FrameStamp(1, 0.1, gap=True)
    assert box.arrives(third).stamp.gap is False
    assert box.skipped == 1


def test_a_closed_mailbox_takes_nothing_more_but_delivers_what_waits() -> None:
    box = mailbox(live=False, capacity=4)
    offer(box, 0, 1)
    box.close()
    offer(box, 2)
    assert [frame.stamp.index for frame in take_all(box)] == [0, 1]


def test_it_is_empty_only_once_every_frame_was_dealt_with() -> None:
    box = mailbox(live=False, capacity=4)
    assert box.wait_empty(0)
    offer(box, 0, 1)
    frames = take_all(box)
    assert not box.wait_empty(0)
    box.finished()
    assert not box.wait_empty(0)
    box.lost(frames[1])
    assert box.wait_empty(0)


def test_a_skipped_frame_is_dealt_with() -> None:
    box = mailbox(live=True)
    offer(box, 0, 1)
    take(box)
    box.finished()
    assert box.wait_empty(0)


def test_pictures_are_kept_only_while_somebody_looks() -> None:
    box = mailbox(live=True)
    offer(box, 0)
    assert [frame.video_frame for frame in take_all(box)] == [None]
    box.keep_video_frames = True
    offer(box, 1)
    (frame,) = take_all(box)
    assert frame.video_frame is not None
    assert frame.video_frame.width == SMALL_INPUT[1]


def test_frames_of_a_new_size_are_fitted_anew() -> None:
    box = mailbox(live=False, capacity=2)
    box.offer(picture(200, (64, 96)), FrameStamp(0, 0.0), NEVER)
    box.offer(picture(200, (96, 64)), FrameStamp(1, 0.1), NEVER)
    image = np.full((*SMALL_INPUT, 3), 7, np.uint8)
    wide, tall = box.take_into(image), box.take_into(image)
    assert wide is not None
    assert tall is not None
    assert wide.letterbox.content_size == (32, 48)
    assert tall.letterbox.source_size == (96, 64)
    assert tall.letterbox.content_size == (32, 22)
    assert (image[:, 22:] == 0).all()
    assert image[5, 5].tolist() == [200, 200, 200]


def test_a_frame_that_cannot_be_scaled_costs_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    box = mailbox(live=True)

    def refuse(video_frame: object, slot: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(box._writer, "write", refuse)
        for _ in range(5):
            with pytest.raises(MemoryError):
                offer(box, 1)
    offer(box, 2)
    assert len(box) == 1


def test_what_waits_in_a_mailbox_that_is_paused_after_it_was_closed_is_not_waited_for() -> None:
    box = mailbox(live=False, capacity=4)
    offer(box, 1)
    box.close()
    box.pause(True)
    assert box.wait_empty(timeout_s=1.0)


def test_who_watches_is_shown_each_picture_without_margins_before_it_can_be_replaced() -> None:
    box, shown = mailbox(live=True), []
    box.on_picture = lambda image, stamp: shown.append((image.shape, int(image[0, 0, 0]), stamp.index))
    for index in range(3):
        box.offer(picture(100 + index, (SMALL_INPUT[0], SMALL_INPUT[1] // 2)), FrameStamp(index, index * 0.1), NEVER)
    assert [index for _, _, index in shown] == [0, 1, 2]
    assert {shape for shape, _, _ in shown} == {(SMALL_INPUT[0], SMALL_INPUT[1] // 2, 3)}
    assert [abs(value - 100 - index) <= 2 for index, (_, value, _) in enumerate(shown)] == [True] * 3
