"""Video frames as messages: a JPEG or one H.264 access unit (Annex B) each.

Headers are optional: ``codec`` (``jpeg`` or ``h264``), ``width``, ``height``. Without them the bytes tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import av
import av.error

from pipelines.errors import SourceUnsupported

JPEG_MAGIC = b"\xff\xd8\xff"
_NAL_START = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_H264_IDR, _H264_SPS = 5, 7
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


def starts_anew(value: bytes, codec: str) -> bool:
    """Whether decoding can begin at this message: every JPEG, and H.264 at an IDR picture or a parameter set."""
    if codec == "mjpeg":
        return True
    return any(match[1][0] & 31 in (_H264_IDR, _H264_SPS) for match in _NAL_START.finditer(value[:4096]))


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
