"""RTSP cameras over TCP, UDP or TLS."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.errors import SourceDisconnected, SourceStalled, SourceUnreachable, SourceUnsupported
from pipelines.redaction import redact
from pipelines.sources.base import Position, Reached, SourceFrame, SourceLimits
from pipelines.sources.clock import CaptureClock
from pipelines.sources.ffmpeg import translate
from pipelines.types import StreamInfo

Transport = Literal["tcp", "udp"]
LATEST_PACKETS = 32
"""Of which a picture may still come: decoders hold back a few."""


class RtspSource:
    """One connection to one RTSP camera.

    Args:
        url: ``rtsp://`` or ``rtsps://``, with user and password if it needs them.
        transport: TCP unless the camera cannot; UDP loses packets where TCP only delays them.
        limits: how long to wait.
        verify_tls: check the certificate of an ``rtsps`` camera; most cameras sign their own.
        wall_clock: for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: Transport = "tcp",
        limits: SourceLimits | None = None,
        verify_tls: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._transport = transport
        self._limits = limits or SourceLimits()
        self._verify_tls = verify_tls
        self._wall_clock = wall_clock
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None

    def connect(self, resume: Position | None = None) -> StreamInfo:
        del resume  # what a camera has sent is gone
        options = {
            "timeout": str(int(self._limits.read_s * 1e6)),
            # Enough to find the size of the picture; FFmpeg's defaults spend two seconds on it.
            "analyzeduration": "100000",
            "probesize": "100000",
            "fflags": "nobuffer",
            # Sound would keep a connection alive whose video has died.
            "allowed_media_types": "video",
        }
        if self._url.startswith("rtsps:"):
            options["tls_verify"] = "1" if self._verify_tls else "0"
        else:
            options["rtsp_transport"] = self._transport
        url = self._checked()
        try:
            container = av.open(url, options=options, timeout=(self._limits.open_s, self._limits.read_s))
        except av.error.InvalidDataError as error:
            # An RTSP server that says nothing for too long ends here too; a fresh attempt may well succeed.
            raise SourceUnreachable(f"{redact(self._url)} does not answer like an RTSP camera") from error
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise translate(error, self._url, opening=True) from error
        self._container = container
        if not container.streams.video:
            raise SourceUnsupported(f"{redact(self._url)} sends no video")
        stream = self._stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        rate = stream.average_rate
        context = stream.codec_context
        return StreamInfo(context.name, context.width, context.height, float(rate) if rate else None)

    def _checked(self) -> str:
        """The URL with an address that was looked at in place of the name, which may mean another one in a moment.

        A certificate holds the name, so a camera whose certificate is checked keeps it.

        Raises:
            SourceNotAllowed: the camera is in no network that this service may reach.
        """
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        address = self._limits.reach.addresses(host)[0]
        if address == host or (self._verify_tls and parts.scheme == "rtsps"):
            return self._url
        user, at, place = parts.netloc.rpartition("@")
        port = place[place.rindex(":") :] if parts.port is not None else ""
        shown = f"[{address}]" if ":" in address else address
        return urlunsplit(parts._replace(netloc=f"{user}{at}{shown}{port}"))

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        container, stream = self._container, self._stream
        if container is None or stream is None:
            raise RuntimeError("connect() comes first")
        clock = CaptureClock()
        heard = time.monotonic()
        fingerprints: dict[int, int] = {}
        try:
            for packet in container.demux(stream):
                if stop.is_set():
                    return
                if packet.pts is not None:
                    fingerprints[packet.pts] = zlib.crc32(packet)
                try:
                    decoded = packet.decode()
                except av.error.InvalidDataError:  # noise, or a stream that was joined between two key frames
                    decoded = []
                for video_frame in decoded:
                    yield self._stamped(video_frame, clock, fingerprints)
                    heard = time.monotonic()
                if time.monotonic() - heard > self._limits.stall_s:
                    raise SourceStalled(f"{redact(self._url)} sends packets but no picture that can be decoded")
        except (av.error.FFmpegError, OSError) as error:
            raise translate(error, self._url, opening=False) from error
        if not stop.is_set():
            # A killed server looks like the end of a file; a camera has no end.
            raise SourceDisconnected(f"{redact(self._url)} closed the connection")

    def _stamped(self, video_frame: av.VideoFrame, clock: CaptureClock, fingerprints: dict[int, int]) -> SourceFrame:
        assert self._container is not None
        start_us = self._container.start_time_realtime
        stream_s = (
            None
            if video_frame.pts is None or video_frame.time_base is None
            else float(video_frame.pts * video_frame.time_base)
        )
        sender_start_s = start_us / 1e6 if start_us is not None and start_us > 0 else None
        time_s = clock.stamp(stream_s, self._wall_clock(), sender_start_s)
        fingerprint = fingerprints.pop(video_frame.pts, None) if video_frame.pts is not None else None
        for pts in list(fingerprints)[:-LATEST_PACKETS]:  # nothing was decoded from them
            del fingerprints[pts]
        return SourceFrame(video_frame, time_s, corrupt=bool(video_frame.is_corrupt), fingerprint=fingerprint)

    def reached(self) -> Reached | None:
        return None

    def acknowledge(self, position: Position) -> None:
        """Nothing to do: a camera does not replay."""

    def close(self) -> None:
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            with suppress(av.error.FFmpegError, OSError):
                container.close()
