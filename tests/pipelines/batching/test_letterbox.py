from __future__ import annotations

import av
import numpy as np
import pytest

from pipelines.batching.letterbox import Letterbox, SlotWriter, to_image
from pipelines.types import Detections


@pytest.mark.parametrize(
    ("source", "model", "content"),
    [
        ((1080, 1920), (320, 416), (234, 416)),
        ((576, 768), (320, 416), (312, 416)),
        ((1920, 1080), (320, 416), (320, 180)),
        ((320, 416), (320, 416), (320, 416)),
        ((2, 4000), (320, 416), (2, 416)),
        ((90, 160), (320, 416), (234, 416)),
    ],
)
def test_a_frame_is_scaled_evenly_and_as_large_as_fits(
    source: tuple[int, int], model: tuple[int, int], content: tuple[int, int]
) -> None:
    assert Letterbox.fit(source, model).content_size == content


def test_boxes_come_back_to_the_source() -> None:
    letterbox = Letterbox.fit((1080, 1920), (320, 416))
    whole = np.array([[0, 0, 416, 234]], np.float32)
    found = Detections(whole, np.array([0.9], np.float32), np.zeros(1, np.int32))
    assert letterbox.to_source(found).boxes.tolist() == [[0, 0, 1920, 1080]]
    assert letterbox.to_source(found).boxes.dtype == np.float32


def test_a_mark_in_the_source_is_found_at_its_place_in_the_slot() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[240:288, 320:384] = (0, 0, 255)
    slot = np.full((320, 416, 3), 99, np.uint8)
    letterbox = SlotWriter((320, 416)).write(av.VideoFrame.from_ndarray(image, format="bgr24"), slot)
    rows, columns = np.nonzero(slot[..., 2] > 128)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    found = letterbox.to_source(Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32)))
    assert found.boxes[0] == pytest.approx([320, 240, 384, 288], abs=2.0)


def test_what_the_frame_does_not_cover_is_black_even_in_a_used_slot() -> None:
    writer, slot = SlotWriter((64, 64)), np.full((64, 64, 3), 255, np.uint8)
    for height, width in ((32, 64), (64, 32), (16, 64)):
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8), format="bgr24")
        letterbox = writer.write(frame, slot)
        rows, columns = letterbox.content_size
        assert (slot[:rows, :columns] == 200).all()
        assert not slot[rows:].any()
        assert not slot[:, columns:].any()


def test_colours_of_a_decoded_frame_are_kept() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:] = (200, 60, 30)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
    slot = np.zeros((64, 64, 3), np.uint8)
    SlotWriter((64, 64)).write(frame, slot)
    assert slot[32, 32].tolist() == pytest.approx([200, 60, 30], abs=4)
    assert to_image(frame)[32, 32].tolist() == pytest.approx([200, 60, 30], abs=4)
