"""Video frames as messages: a JPEG or one H.264 access unit (Annex B) each.

Headers are optional: ``codec`` (``jpeg`` or ``h264``), ``width``, ``height``. Without them the bytes tell.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import av
import av.error

from pipelines.errors import SourceUnsupported

JPEG_MAGIC = b"\xff\xd8\xff"
_NAL_START = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_H264_IDR, _H264_SPS = 5, 7
_H264_PICTURES, _H264_SETS = frozenset(range(1, 6)), (7, 8, 13, 15)
MAX_SETS_BYTES = 4096
"""Parameter sets take some dozens of bytes; what is longer is none, and no position is to carry it."""
_CODECS = {"jpeg": "mjpeg", "mjpeg": "mjpeg", "jpg": "mjpeg", "h264": "h264", "avc": "h264"}


def codec_of(value: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> str:
    """FFmpeg's name of a message's codec.

    Raises:
        SourceUnsupported: neither its headers nor its bytes name one that we read.
    """
    for name, content in headers:
        if name == "codec" and content is not None:
            label = content.decode("ascii", "replace").lower()
            if label not in _CODECS:
                raise SourceUnsupported(f"messages have codec {label!r}; jpeg and h264 are read")
            return _CODECS[label]
    if value[:3] == JPEG_MAGIC:
        return "mjpeg"
    if value[:3] == b"\x00\x00\x01" or value[:4] == b"\x00\x00\x00\x01":
        return "h264"
    raise SourceUnsupported("messages are neither JPEG pictures nor H.264 access units in Annex B format")


def _nal_units(value: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and bytes, start code included, of the units that begin in a message's first 4 KiB."""
    begins = [(match.start(), match[1][0] & 31) for match in _NAL_START.finditer(value[:4096])]
    for (begin, kind), (end, _) in itertools.pairwise([*begins, (len(value), 0)]):
        yield kind, value[begin:end]


class PictureStarts:
    """Finds the messages at which decoding can begin, and what a decoder has to be told there first.

    Every JPEG is one; with H.264, an IDR picture, or any picture right behind a parameter set. Some senders put
    parameter sets into messages of their own, and some only before the very first picture: they are remembered.

    Args:
        sets: parameter sets to begin with, as `begins` gave them.
    """

    def __init__(self, sets: bytes = b"") -> None:
        self._sets = dict.fromkeys(unit for _, unit in _nal_units(sets))
        self._fresh = False  # parameter sets came, and no picture yet

    def begins(self, value: bytes, codec: str) -> bytes | None:
        """What earlier messages said that is needed to begin at this one; None if decoding cannot begin here."""
        if codec == "mjpeg":
            return b""
        units = list(_nal_units(value))
        kinds = {kind for kind, _ in units}
        if _H264_SPS in kinds and not self._fresh:
            self._sets.clear()
        earlier = b"".join(self._sets)
        self._sets |= dict.fromkeys(unit for kind, unit in units if kind in _H264_SETS)
        if sum(map(len, self._sets)) > MAX_SETS_BYTES:
            self._sets.clear()
        self._fresh = self._fresh or _H264_SPS in kinds
        if not kinds & _H264_PICTURES:
            return None
        begins, self._fresh = self._fresh or _H264_IDR in kinds, False
        if not begins:
            return None
        return b"" if _H264_SPS in kinds else earlier


@dataclass(slots=True)
class MessageDecoder:
    """Decodes the messages of one camera in order; each picture comes back with the number of its message."""

    codec: str | None = None
    _context: av.VideoCodecContext | None = None

    def decode(self, value: bytes, codec: str, number: int) -> list[tuple[int, av.VideoFrame]]:
        """The pictures that message ``number`` completes, each with the number of the message it came in.

        Raises:
            av.error.InvalidDataError: the message is damaged; the next may be fine.
        """
        if not value:  # to a decoder, the end of everything
            raise av.error.InvalidDataError(0, "the message is empty")
        context = self._context
        if context is None or codec != self.codec:
            created = av.CodecContext.create(codec, "r")
            assert isinstance(created, av.VideoCodecContext)
            context = created
            context.thread_count = 1
            context.options = {"flags": "low_delay"}  # a picture for every message, none held back for reordering
            self._context, self.codec = context, codec
        packet = av.Packet(value)
        packet.pts = packet.dts = number
        return [
            (video_frame.pts if video_frame.pts is not None else number, video_frame)
            for video_frame in context.decode(packet)
        ]
