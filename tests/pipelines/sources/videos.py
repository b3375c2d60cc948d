"""Small videos whose frames tell their own number."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipelines.types import Image

WIDTH, HEIGHT = 160, 96
BITS = 10
CLOCK = 1000
"""Ticks a second of the videos' time stamps."""


def numbered(number: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Image:
    """An image with ``number`` written on it in black and white blocks, over noise: no packet holds a whole picture."""
    image = np.full((*size, 3), 90, np.uint8)
    lower = image[size[0] // 2 :]
    lower[:] = np.random.default_rng(number).integers(0, 255, (*lower.shape[:2], 1), np.uint8)
    block = size[1] // BITS
    for bit in range(BITS):
        image[size[0] // 4 : size[0] // 2, bit * block : (bit + 1) * block] = 235 if number >> bit & 1 else 16
    return image


def number_of(frame: av.VideoFrame) -> int:
    """The number on a frame."""
    image = frame.to_ndarray(format="gray")
    block = frame.width // BITS
    row = image[frame.height * 3 // 8]
    return sum(1 << bit for bit in range(BITS) if row[bit * block + block // 2] > 128)


def write_video(
    path: Path,
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    gop: int = 10,
    bframes: int = 0,
    audio_only: bool = False,
) -> Path:
    """Numbered frames at the given times."""
    with av.open(str(path), "w") as container:
        if audio_only:
            _write_silence(container)
            return path
        stream = container.add_stream(codec, rate=25, options={"preset": "ultrafast", "bf": str(bframes)})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = gop
        stream.codec_context.time_base = Fraction(1, CLOCK)
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="bgr24")
            frame.pts, frame.time_base = round(time_s * CLOCK), Fraction(1, CLOCK)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _write_silence(container: av.container.OutputContainer) -> None:
    stream = container.add_stream("aac", rate=8000)
    assert isinstance(stream, av.AudioStream)
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 8000
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def access_units(count: int, gop: int = 10) -> Iterator[bytes]:
    """H.264 access units in Annex B format, a numbered picture each."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.gop_size = Fraction(1, 25), gop
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
    for number in range(count):
        for packet in encoder.encode(av.VideoFrame.from_ndarray(numbered(number), format="bgr24")):
            yield bytes(packet)


def in_parts(unit: bytes, *, keep: bool = True) -> Iterator[bytes]:
    """An access unit as some senders cut it: parameter sets one by one, then the rest; or without them."""
    marks = [match.start() for match in re.finditer(rb"\x00\x00\x01|\x00\x00\x00\x01", unit)]
    units = [unit[begin:end] for begin, end in itertools.pairwise([*marks, len(unit)])]
    sets = [part for part in units if part[part.index(1) + 1] & 31 in (7, 8)]
    if keep:
        yield from sets
    yield b"".join(part for part in units if part not in sets)
