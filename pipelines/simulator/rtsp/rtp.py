"""Video in RTP packets: NAL units, payload formats, packet headers and sender reports. Nothing here does I/O."""

from __future__ import annotations

import base64
import random
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Protocol

CLOCK_HZ = 90_000
"""Of RTP timestamps of video (RFC 3551)."""

PAYLOAD_TYPE = 96
LARGEST_PAYLOAD = 1400
"""Bytes; with all headers a packet stays below an Ethernet frame."""

NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP starts, to 1970."""

_HEADER = struct.Struct("!BBHII")
_SENDER_REPORT = struct.Struct("!BBHIIIIII")
_DESCRIPTION = struct.Struct("!BBHIBB")
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_FIRST, _LAST = 0x80, 0x40


class PayloadFormat(Protocol):
    """How the NAL units of one codec travel."""

    encoding: str
    """Name in a session description."""

    parameter_sets: tuple[int, ...]
    """Types of the NAL units that a decoder needs before all others, in order."""

    dropped: tuple[int, ...]
    """Types of NAL units that are not sent: delimiters and supplemental information."""

    def nal_type(self, nal: bytes) -> int: ...

    def fragments(self, nal: bytes) -> list[bytes]:
        """Payloads for a NAL unit that is larger than a packet."""
        ...

    def parameters(self, sets: Mapping[int, bytes]) -> str:
        """The codec's part of a session description, given the parameter sets by type."""
        ...


class H264Format:
    """RFC 6184, packetization mode 1."""

    encoding = "H264"
    parameter_sets: tuple[int, ...] = (7, 8)
    dropped: tuple[int, ...] = (6, 9)

    def nal_type(self, nal: bytes) -> int:
        return nal[0] & 0x1F

    def fragments(self, nal: bytes) -> list[bytes]:
        indicator = bytes([nal[0] & 0xE0 | 28])
        return _fragments(indicator, self.nal_type(nal), nal[1:])

    def parameters(self, sets: Mapping[int, bytes]) -> str:
        sprop = ",".join(_base64(sets[kind]) for kind in self.parameter_sets)
        profile = sets[self.parameter_sets[0]][1:4].hex()
        return f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sprop}"


class H265Format:
    """RFC 7798, without DONL fields."""

    encoding = "H265"
    parameter_sets: tuple[int, ...] = (32, 33, 34)
    dropped: tuple[int, ...] = (35, 39, 40)

    def nal_type(self, nal: bytes) -> int:
        return nal[0] >> 1 & 0x3F

    def fragments(self, nal: bytes) -> list[bytes]:
        indicator = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
        return _fragments(indicator, self.nal_type(nal), nal[2:])

    def parameters(self, sets: Mapping[int, bytes]) -> str:
        vps, sps, pps = (_base64(sets[kind]) for kind in self.parameter_sets)
        return f"sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"


FORMATS: Mapping[str, PayloadFormat] = {"h264": H264Format(), "hevc": H265Format()}
"""By FFmpeg's name of the codec."""


def split_nals(stream: bytes) -> list[bytes]:
    """The NAL units of a byte stream with start codes (Annex B)."""
    return [nal for nal in _START_CODE.split(stream) if nal]


def payloads(nals: Sequence[bytes], payload_format: PayloadFormat) -> list[bytes]:
    """The payloads of one access unit, in order."""
    found: list[bytes] = []
    for nal in nals:
        if len(nal) <= LARGEST_PAYLOAD:
            found.append(nal)
        else:
            found.extend(payload_format.fragments(nal))
    return found


class PacketStream:
    """Numbers the packets that one receiver gets from one sender.

    Attributes:
        ssrc: the random identifier of the sender (RFC 3550).
    """

    def __init__(self, rng: random.Random) -> None:
        self.ssrc = rng.getrandbits(32)
        self._sequence = rng.getrandbits(16)
        self._packets = 0
        self._octets = 0

    def packets(self, unit: Sequence[bytes], timestamp: int) -> list[bytes]:
        """RTP packets for the payloads of an access unit; the last one is marked."""
        packets = []
        for number, payload in enumerate(unit, start=1):
            marker = 0x80 if number == len(unit) else 0
            header = _HEADER.pack(0x80, PAYLOAD_TYPE | marker, self._sequence, timestamp & 0xFFFFFFFF, self.ssrc)
            packets.append(header + payload)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._packets += 1
            self._octets += len(payload)
        return packets

    def report(self, time_s: float, timestamp: int) -> bytes:
        """An RTCP sender report: `timestamp` was captured at `time_s`, seconds since 1970."""
        whole = int(time_s)
        counts = self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF
        report = _SENDER_REPORT.pack(
            0x80, 200, 6, self.ssrc, whole + NTP_EPOCH_S, int((time_s - whole) * 2**32), timestamp & 0xFFFFFFFF, *counts
        )
        name = b"camera"
        padding = bytes(-(_DESCRIPTION.size + len(name)) % 4 or 4)
        words = (_DESCRIPTION.size + len(name) + len(padding)) // 4 - 1
        return report + _DESCRIPTION.pack(0x81, 202, words, self.ssrc, 1, len(name)) + name + padding


def _fragments(indicator: bytes, nal_type: int, body: bytes) -> list[bytes]:
    """Fragmentation units: the same header layout in both codecs."""
    size = LARGEST_PAYLOAD - len(indicator) - 1
    found = []
    for start in range(0, len(body), size):
        first = _FIRST if start == 0 else 0
        last = _LAST if start + size >= len(body) else 0
        found.append(indicator + bytes([nal_type | first | last]) + body[start : start + size])
    return found


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
