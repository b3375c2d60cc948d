from __future__ import annotations

import threading

import av
import cv2
import numpy as np
import pytest

from analytics.counting.lines import Crossing
from analytics.counting.observer import FrameOutcome
from pipelines.batching.letterbox import Letterbox
from pipelines.batching.mailbox import WaitingFrame
from pipelines.types import Detections, FrameStamp, Image, Tracks
from serve.streams.images import BLOCKS, encode_jpeg, pixelate, scale_down
from serve.streams.live import LONGEST_SIDE_PX, LivePublisher
from serve.streams.live_frame import LiveCrossing, LiveTrack
from serve.streams.processor import ProcessedFrame
from tests.fakes import picture


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)


def detail(area: Image) -> float:
    """Energy in what is finer than a face: the mean squared difference of neighbouring pixels."""
    grey = area.astype(np.float64).mean(axis=2)
    return float((np.diff(grey, axis=0) ** 2).mean() + (np.diff(grey, axis=1) ** 2).mean())


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_people_lose_their_detail_and_everything_else_keeps_it() -> None:
    original = noise(400, 600)
    blurred = pixelate(original.copy(), boxes((100, 100, 220, 340)))
    assert detail(blurred[100:340, 100:220]) < detail(original[100:340, 100:220]) / 50
    untouched = np.ones((400, 600), bool)
    untouched[60:380, 80:240] = False  # the box with its margin
    assert np.array_equal(blurred[untouched], original[untouched])
    assert not np.array_equal(blurred[72:100, 100:220], original[72:100, 100:220])


def test_a_person_is_a_few_blocks_wide_however_near_the_camera() -> None:
    for width in (30, 120, 400):
        blurred = pixelate(noise(900, 600), boxes((50, 50, 50 + width, 50 + 2 * width)), margin=0.0)
        row = blurred[50 + width, 50 : 50 + width].astype(int)
        changes = (np.abs(np.diff(row, axis=0)).sum(axis=1) > 0).sum()
        assert changes <= BLOCKS


@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, 40, 90),
        (580, 380, 700, 500),
        (-10, -10, 700, 500),
        (10, 10, 10, 10),
        (700, 500, 800, 600),
        (50, 50, 40, 40),
        (10, 10, 11, 300),
    ],
)
def test_boxes_at_and_beyond_the_edge_do_no_harm(box: tuple[float, float, float, float]) -> None:
    blurred = pixelate(noise(400, 600), boxes(box))
    assert blurred.shape == (400, 600, 3)


def test_pictures_are_scaled_down_but_never_up() -> None:
    small, scale = scale_down(noise(100, 200), 50)
    assert (small.shape, scale) == ((25, 50, 3), 0.25)
    original = noise(30, 40)
    same, scale = scale_down(original, 50)
    assert scale == 1.0
    assert np.array_equal(same, original)
    same[:] = 0
    assert original.any()  # a copy: what is drawn on it must not reach the frame


def test_jpegs_can_be_read_again() -> None:
    image = np.full((60, 80, 3), (10, 120, 240), np.uint8)
    back = cv2.imdecode(np.frombuffer(encode_jpeg(image), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert back[30, 40].tolist() == pytest.approx([10, 120, 240], abs=5)


# -- what a reader sends to those who look


def processed(
    size: tuple[int, int] = (200, 400), image: Image | None = None, found: np.ndarray | None = None
) -> ProcessedFrame:

    shown = av.VideoFrame.from_ndarray(image, format="bgr24") if image is not None else picture(90, size)
    waiting = WaitingFrame(np.zeros((1, 1, 3), np.uint8), Letterbox.fit(size, (64, 64)), FrameStamp(7, 12.5), shown)
    tracked = boxes((100, 50, 200, 150))
    detected = tracked if found is None else found
    outcome = FrameOutcome(0.1, 1, (Crossing("door", 3, "in", 12.5),))
    scores = np.full(len(detected), 0.9, np.float32)
    detections = Detections(detected, scores, np.zeros(len(detected), np.int32))
    return ProcessedFrame(waiting, detections, Tracks(np.array([3]), tracked, np.array([0.875], np.float32)), outcome)


def test_only_watched_streams_are_kept_and_only_their_newest_frame() -> None:
    publisher = LivePublisher(lambda stream: True)
    sink = publisher.sink("cam")
    sink(processed())
    assert publisher.render() == []
    publisher.watch(["cam", "other"])
    for _ in range(3):
        sink(processed())
    ((name, message),) = publisher.render()
    assert name == "cam"
    assert message.time_s == 12.5
    assert publisher.render() == []
    sink(processed())
    publisher.watch(["other"])
    assert publisher.render() == []


def test_a_message_tells_boxes_as_shares_of_the_picture() -> None:
    publisher = LivePublisher(lambda stream: True)
    publisher.watch(["cam"])
    publisher.sink("cam")(processed())
    ((_, message),) = publisher.render()
    assert (message.width, message.height) == (400, 200)
    assert message.tracks == (LiveTrack(3, (0.25, 0.25, 0.5, 0.75), 0.875),)
    assert message.crossings == (LiveCrossing("door", 3, "in"),)


@pytest.mark.parametrize("size", [(200, 400), (1500, 3000)])
def test_people_are_unrecognisable_in_what_leaves_even_if_only_doubtfully_seen(size: tuple[int, int]) -> None:
    image = noise(*size)
    scale = size[1] / 400
    doubtful = boxes((250 * scale, 20 * scale, 350 * scale, 180 * scale))
    shown = {}
    for blur in (True, False):
        publisher = LivePublisher(lambda stream, blur=blur: blur)
        publisher.watch(["cam"])
        publisher.sink("cam")(processed(size, image, doubtful))
        ((_, message),) = publisher.render()
        shown[blur] = cv2.imdecode(np.frombuffer(message.jpeg, np.uint8), cv2.IMREAD_COLOR)
    blurred, clear = np.asarray(shown[True], np.uint8), np.asarray(shown[False], np.uint8)
    assert max(blurred.shape) == min(LONGEST_SIDE_PX, size[1])
    ratio = blurred.shape[1] / 400
    y, x = slice(round(22 * ratio), round(178 * ratio)), slice(round(252 * ratio), round(348 * ratio))
    assert detail(blurred[y, x]) < detail(clear[y, x]) / 10


def test_frames_without_a_picture_are_not_sent() -> None:
    publisher = LivePublisher(lambda stream: True)
    publisher.watch(["cam"])
    frame = processed()
    bare = WaitingFrame(frame.frame.slot, frame.frame.letterbox, frame.frame.stamp, None)
    publisher.sink("cam")(ProcessedFrame(bare, frame.detections, frame.tracks, frame.outcome))
    assert publisher.render() == []


def test_rendering_and_taking_frames_may_happen_at_once() -> None:
    publisher, frame = LivePublisher(lambda stream: False), processed()
    publisher.watch([f"cam{n}" for n in range(4)])

    def send(stream: str) -> None:
        sink = publisher.sink(stream)
        for _ in range(300):
            sink(frame)

    senders = [threading.Thread(target=send, args=(f"cam{n}",)) for n in range(4)]
    for sender in senders:
        sender.start()
    rendered = []
    while any(sender.is_alive() for sender in senders):
        rendered += publisher.render()
    assert {name for name, _ in [*rendered, *publisher.render()]} <= {f"cam{n}" for n in range(4)}
