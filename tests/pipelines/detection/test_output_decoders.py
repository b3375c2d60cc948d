from __future__ import annotations

import numpy as np
import pytest

from pipelines.detection.output_decoders import TensorInfo, find_decoder, read_input
from pipelines.errors import ModelInvalid

BOXES = TensorInfo("boxes", "float32", ("batch", 2730, 4))
SCORES = TensorInfo("scores", "float32", ("batch", 2730, 1))


def _image(*shape: int | str | None, dtype: str = "uint8") -> TensorInfo:
    return TensorInfo("images", dtype, shape)


@pytest.mark.parametrize("batch", ["N", None, "batch"])
def test_bytes_with_colours_last_are_accepted(batch: str | None) -> None:
    assert read_input([_image(batch, 320, 416, 3)]) == ("images", (320, 416))


def test_the_name_of_the_input_is_free() -> None:
    assert read_input([TensorInfo("x", "uint8", (None, 64, 32, 3))]) == ("x", (64, 32))


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (_image("N", 3, 320, 416, dtype="float32"), "takes float32, not bytes"),
        (_image("N", 3, 320, 416), "has its colours first, not last"),
        (_image("N", 320, 416, 1), "does not have 3 colours"),
        (_image("N", "h", 416, 3), "leaves its height open"),
        (_image("N", 320, None, 3), "leaves its width open"),
        (_image("N", 320, 400, 3), "has a width of 400, which is not a multiple of 32"),
        (_image("N", 0, 416, 3), "has a height of 0"),
        (_image(1, 320, 416, 3), "takes only batches of 1"),
        (_image(320, 416, 3), "has 3 axes, not 4"),
    ],
)
def test_other_inputs_are_refused_in_plain_words(image: TensorInfo, complaint: str) -> None:
    with pytest.raises(ModelInvalid) as caught:
        read_input([image])
    assert complaint in str(caught.value)
    assert "needed is one input 'uint8 [N, height, width, 3]'" in str(caught.value)


def test_a_second_input_is_refused() -> None:
    with pytest.raises(ModelInvalid, match="the model has 2 inputs"):
        read_input([_image("N", 320, 416, 3), TensorInfo("orig_target_sizes", "int64", ("N", 2))])


def test_decoded_boxes_and_scores_are_recognised_in_any_order() -> None:
    decoder = find_decoder([SCORES, BOXES])
    assert decoder.output_names == ("boxes", "scores")
    assert decoder.class_count == 1
    boxes, scores = decoder.decode([np.zeros((2, 5, 4), np.float32), np.ones((2, 5, 1), np.float32)])
    assert boxes.shape == (2, 5, 4)
    assert scores.shape == (2, 5, 1)


def test_an_open_number_of_classes_is_not_guessed() -> None:
    assert find_decoder([BOXES, TensorInfo("scores", "float32", ("N", 2730, "K"))]).class_count is None


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [BOXES],
        [TensorInfo("output0", "float32", ("batch", 84, 8400))],
        [BOXES, TensorInfo("scores", "float16", ("batch", 2730, 1))],
        [TensorInfo("boxes", "float32", ("batch", 2730, 5)), SCORES],
        [TensorInfo("boxes", "float32", ("batch", 100, 4)), SCORES],
        [TensorInfo("boxes", "float32", (2730, 4)), SCORES],
    ],
)
def test_other_outputs_are_refused_saying_what_was_found_and_what_is_needed(outputs: list[TensorInfo]) -> None:
    with pytest.raises(ModelInvalid) as caught:
        find_decoder(outputs)
    assert all(str(output) in str(caught.value) for output in outputs)
    assert "needed are outputs 'boxes: float32 [N, A, 4]'" in str(caught.value)
