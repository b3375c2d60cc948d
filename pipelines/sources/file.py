"""Recordings: every frame is analysed, as fast as possible or at the recording's own speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.errors import SourceNotFound, SourceUnsupported
from pipelines.sources.base import Position, Reached, SourceFrame
from pipelines.sources.ffmpeg import translate
from pipelines.sources.reach import ANYWHERE, Reach
from pipelines.types import StreamInfo

# Containers of video, and nothing that names other files: playlists, lists to concatenate, pictures by pattern.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,h264,hevc,m4v,mjpeg,ivf,mxf,wtv,nut"
)
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}


class FileSource:
    """One pass over one video file.

    Args:
        path: of the file.
        start_s: capture time of its first frame, seconds since the epoch.
        realtime: hold each frame back until it is due, as a camera would.
        reach: folders that it must be in.
    """

    def __init__(self, path: Path, *, start_s: float = 0.0, realtime: bool = False, reach: Reach = ANYWHERE) -> None:
        self._path = path
        self._start_s = start_s
        self._realtime = realtime
        self._reach = reach
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._skip = 0

    def connect(self, resume: Position | None = None) -> StreamInfo:
        try:
            # FFmpeg reads addresses too, if a name looks like one: only what lies on the disk is a file.
            found = self._reach.path(self._path)
            if not found.exists():
                raise SourceNotFound(f"{self._path} does not exist")
            if not found.is_file() and not found.is_dir():  # a pipe would hold us up for ever
                raise SourceUnsupported(f"{self._path} is no regular file")
            container = av.open(str(found), options=OPTIONS)
        except (av.error.FFmpegError, OSError) as error:
            raise translate(error, str(self._path), opening=True) from error
        self._container = container
        if not container.streams.video:
            raise SourceUnsupported(f"{self._path} holds no video")
        stream = self._stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        self._skip = int(resume["frame"]) if resume else 0
        rate = stream.average_rate
        context = stream.codec_context
        return StreamInfo(context.name, context.width, context.height, float(rate) if rate else None)

    @property
    def frame_count(self) -> int | None:
        """Frames as the container counts them, before decoding; None if it does not say."""
        return self._stream.frames or None if self._stream else None

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        container, stream = self._container, self._stream
        if container is None or stream is None:
            raise RuntimeError("connect() comes first")
        period_s = 1.0 / float(stream.average_rate or 25)
        origin_s: float | None = None
        begun = time.monotonic()
        index, last_s, decoded = 0, -period_s, False
        try:
            for video_frame in self._decoded(container, stream):
                if stop.is_set():
                    return
                decoded = True
                stream_s = last_s + period_s if video_frame.time is None else float(video_frame.time)
                origin_s = stream_s if origin_s is None else origin_s
                last_s = stream_s
                index += 1
                # A recording resumes by decoding up to its place: exact with every codec and container.
                if index <= self._skip:
                    begun = time.monotonic() - (stream_s - origin_s)
                    continue
                if self._realtime and stop.wait(max(0.0, begun + stream_s - origin_s - time.monotonic())):
                    return
                yield SourceFrame(
                    video_frame, self._start_s + stream_s - origin_s, {"frame": index}, bool(video_frame.is_corrupt)
                )
        except (av.error.FFmpegError, OSError) as error:
            raise translate(error, str(self._path), opening=not decoded) from error
        if not decoded:
            raise SourceUnsupported(f"{self._path} holds no picture that can be decoded")

    @staticmethod
    def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """All pictures; a damaged packet costs its own pictures only."""
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def reached(self) -> Reached | None:
        return None  # nothing lies between its frames

    def acknowledge(self, position: Position) -> None:
        """Nothing to do: the place is in the checkpoint."""

    def close(self) -> None:
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            container.close()
