from __future__ import annotations

import av
import av.error
import cv2
import pytest

from pipelines.errors import SourceUnsupported
from pipelines.sources.messages import MessageDecoder, PictureStarts, codec_of
from tests.pipelines.sources.videos import access_units, in_parts, number_of, numbered

AUD = b"\x00\x00\x00\x01\x09\xf0"


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", numbered(number))[1].tobytes()


def test_bytes_tell_their_codec() -> None:
    assert codec_of(jpeg(1)) == "mjpeg"
    assert codec_of(next(access_units(1))) == "h264"
    assert codec_of(b"\x00\x00\x01\x67rest") == "h264"


def test_a_header_tells_before_the_bytes_do() -> None:
    assert codec_of(b"anything", [("width", b"10"), ("codec", b"H264")]) == "h264"
    assert codec_of(b"anything", [("codec", b"JPEG")]) == "mjpeg"
    assert codec_of(jpeg(1), [("codec", None)]) == "mjpeg"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"", []),
        (b"hello", []),
        (b"\x89PNG\r\n", []),
        (jpeg(1), [("codec", b"vp9")]),
        (jpeg(1), [("codec", b"\xff\xfe")]),
    ],
)
def test_other_messages_are_refused_in_plain_words(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(SourceUnsupported, match="messages "):
        codec_of(value, headers)


def test_decoding_may_begin_at_key_frames_only() -> None:
    units = list(access_units(25, gop=10))
    assert begins(units) == dict.fromkeys([0, 10, 20], b"")
    assert begins([AUD + unit for unit in units]) == dict.fromkeys([0, 10, 20], b"")
    assert PictureStarts().begins(jpeg(1), "mjpeg") == b""


def begins(values: list[bytes]) -> dict[int, bytes]:
    """Numbers of the messages at which decoding can begin, and what it needs from before them."""
    starts = PictureStarts()
    found = {number: starts.begins(value, "h264") for number, value in enumerate(values)}
    return {number: needed for number, needed in found.items() if needed is not None}


@pytest.mark.parametrize("repeated", [True, False])
def test_parameter_sets_in_messages_of_their_own_are_remembered_for_the_pictures_that_need_them(repeated: bool) -> None:
    units = list(access_units(25, gop=10))
    apart = [part for number, unit in enumerate(units) for part in in_parts(unit, keep=repeated or number == 0)]
    found = begins(apart)
    assert len(found) == 3
    for number, needed in found.items():
        ((_, picture),) = MessageDecoder().decode(needed + apart[number], "h264", 0)
        assert number_of(picture) in (0, 10, 20)


def test_what_pretends_to_be_a_parameter_set_does_not_grow_a_position() -> None:
    starts = PictureStarts()
    for number in range(100):
        starts.begins(b"\x00\x00\x01\x68" + bytes([number + 1]) * 1000, "h264")
    assert len(starts.begins(b"\x00\x00\x01\x65picture", "h264") or b"") < 5000


@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_every_message_gives_its_own_picture_at_once(codec: str) -> None:
    decoder = MessageDecoder()
    values = [jpeg(n) for n in range(30)] if codec == "mjpeg" else list(access_units(30))
    for number, value in enumerate(values):
        ((tag, picture),) = decoder.decode(value, codec, 1000 + number)
        assert (tag, number_of(picture)) == (1000 + number, number)


def test_a_damaged_jpeg_does_not_spoil_the_next() -> None:
    decoder = MessageDecoder()
    with pytest.raises(av.error.FFmpegError):
        decoder.decode(jpeg(1)[:200], "mjpeg", 1)
    assert [number_of(picture) for _, picture in decoder.decode(jpeg(2), "mjpeg", 2)] == [2]


def test_an_empty_message_is_damaged_and_not_the_end_of_the_camera() -> None:
    decoder = MessageDecoder()
    with pytest.raises(av.error.InvalidDataError):
        decoder.decode(b"", "mjpeg", 1)
    assert [number_of(picture) for _, picture in decoder.decode(jpeg(2), "mjpeg", 2)] == [2]


def test_a_stream_that_is_joined_between_key_frames_is_clear_from_the_next_one_on() -> None:
    decoder, seen = MessageDecoder(), {}
    for number, unit in enumerate(access_units(25, gop=10)):
        if number < 5:
            continue
        try:
            seen.update(decoder.decode(unit, "h264", number))
        except av.error.InvalidDataError:
            assert number < 10
    assert [number_of(seen[number]) for number in range(10, 25)] == list(range(10, 25))


def test_a_camera_may_change_its_codec() -> None:
    decoder = MessageDecoder()
    first, second = list(access_units(2))
    assert [number_of(p) for _, p in decoder.decode(first, "h264", 0)] == [0]
    assert [number_of(p) for _, p in decoder.decode(jpeg(7), "mjpeg", 1)] == [7]
    assert decoder.codec == "mjpeg"
    with pytest.raises(av.error.InvalidDataError):  # a fresh decoder has no key frame yet
        decoder.decode(second, "h264", 2)
