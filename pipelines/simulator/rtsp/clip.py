"""A recording as a camera sends it: access units in order, ready to be put into packets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer

from pipelines.errors import SimulatorError
from pipelines.simulator.rtsp.rtp import FORMATS, PayloadFormat, split_nals

FALLBACK_FPS = 15.0


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded frame.

    Attributes:
        nals: NAL units without start codes; a key frame begins with the parameter sets.
        key: a decoder can start here.
    """

    nals: tuple[bytes, ...]
    key: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A video to be played over and over.

    Attributes:
        payload_format: of its codec.
        units: in order of time; the first one is a key frame.
        parameter_sets: NAL units by type.
        fps: frames a second.
    """

    payload_format: PayloadFormat
    units: tuple[AccessUnit, ...]
    parameter_sets: dict[int, bytes]
    fps: float

    @staticmethod
    def load(path: Path, fps: float | None = None) -> Clip:
        """Read a file without decoding it.

        Args:
            path: a container with H.264 or H.265 and no B-frames.
            fps: speed to play at; None for the file's own.

        Raises:
            SimulatorError: the file cannot be read, or is not such a video.
        """
        try:
            with av.open(str(path)) as container:
                return _load(container, path, fps)
        except (OSError, av.FFmpegError) as error:
            raise SimulatorError(f"cannot play {path}: {error.strerror or error}") from error

    def describe(self, host: str, name: str) -> str:
        """Session description (RFC 8866) of a camera that sends this clip."""
        lines = [
            "v=0",
            f"o=- 0 1 IN IP4 {host}",
            f"s={name}",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=control:*",
            "m=video 0 RTP/AVP 96",
            f"a=framerate:{self.fps:g}",
            f"a=rtpmap:96 {self.payload_format.encoding}/90000",
            f"a=fmtp:96 {self.payload_format.parameters(self.parameter_sets)}",
            "a=control:track0",
        ]
        return "\r\n".join(lines) + "\r\n"


def _load(container: InputContainer, path: Path, fps: float | None) -> Clip:
    if not container.streams.video:
        raise SimulatorError(f"cannot play {path}: there is no video in it")
    stream = container.streams.video[0]
    codec = stream.codec_context.name
    if codec not in FORMATS:
        raise SimulatorError(f"cannot play {path}: {codec} is neither h264 nor hevc")
    if stream.codec_context.has_b_frames:
        raise SimulatorError(f"cannot play {path}: it has B-frames; encode it without (-bf 0)")
    payload_format = FORMATS[codec]
    to_start_codes = av.BitStreamFilterContext(f"{codec}_mp4toannexb", stream)
    sets: dict[int, bytes] = {}
    units: list[AccessUnit] = []
    for packet in container.demux(stream):
        for filtered in to_start_codes.filter(packet):
            nals = split_nals(bytes(filtered))
            sets.update(_parameter_sets(nals, payload_format))
            unit = _access_unit(nals, filtered.is_keyframe, sets, payload_format)
            if unit.nals and (units or unit.key):
                units.append(unit)
    if not units or any(kind not in sets for kind in payload_format.parameter_sets):
        raise SimulatorError(f"cannot play {path}: there is no key frame in it")
    return Clip(payload_format, tuple(units), sets, fps or float(stream.average_rate or FALLBACK_FPS))


def _parameter_sets(nals: list[bytes], payload_format: PayloadFormat) -> dict[int, bytes]:
    """Those of the NAL units that are parameter sets, by type."""
    typed = {payload_format.nal_type(nal): nal for nal in nals}
    return {kind: nal for kind, nal in typed.items() if kind in payload_format.parameter_sets}


def _access_unit(nals: list[bytes], key: bool, sets: dict[int, bytes], payload_format: PayloadFormat) -> AccessUnit:
    """The frame's own NAL units, after the parameter sets if it is a key frame."""
    unwanted = (*payload_format.parameter_sets, *payload_format.dropped)
    kept = [nal for nal in nals if payload_format.nal_type(nal) not in unwanted]
    if key and kept:
        kept = [sets[kind] for kind in payload_format.parameter_sets if kind in sets] + kept
    return AccessUnit(tuple(kept), key)
