"""Trying a source without keeping it: what it is, how fast, what it shows, or why it does not work."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass

from pipelines.batching.letterbox import to_image
from pipelines.errors import SourceError, SourceNotAllowed
from pipelines.sources.base import SourceLimits
from pipelines.types import Image, StreamInfo
from serve.definitions.base import SourceDefinition
from serve.streams.images import encode_jpeg, mosaic, scale_down

SNAPSHOT_SIDE_PX = 1280


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a source turned out to be.

    Attributes:
        ok: whether it can be registered as it is.
        codec: short name.
        width: of the picture, pixels.
        height: of the picture, pixels.
        measured_fps: counted, not declared; None if there were too few frames to tell.
        declared_fps: what the source claims.
        snapshot: the last picture, JPEG as a data URL; too coarse to see who is there, unless that is allowed.
        error: the reason why not, in plain words.
        error_code: the same for machines.
    """

    ok: bool
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    measured_fps: float | None = None
    declared_fps: float | None = None
    snapshot: str | None = None
    error: str | None = None
    error_code: str | None = None


def probe(
    definition: SourceDefinition, seconds: float, limits: SourceLimits, *, people_may_be_shown: bool
) -> ProbeResult:
    """Open a source, watch it for a moment, close it. Blocks for the limits plus ``seconds`` at most.

    People are not found here, so all of the picture is made unrecognisable where people must be.
    """
    try:
        definition.check(limits.reach)
    except SourceNotAllowed as error:
        return ProbeResult(ok=False, error=str(error), error_code=error.code)
    source = definition.for_probe().opener("probe", limits)()
    stop = threading.Event()
    # A quiet topic is no error to its source, but nothing to look at either.
    watchdog = threading.Timer(limits.stall_s + seconds, stop.set)
    watchdog.daemon = True
    try:
        info = source.connect(None)
        watchdog.start()
        begun = time.monotonic()
        times: list[float] = []
        video_frame = None
        for frame in source.frames(stop):
            video_frame = frame.video_frame
            times.append(frame.raw_time_s)
            if time.monotonic() - begun > seconds or len(times) >= 200:
                break
        if video_frame is None:
            return ProbeResult(ok=False, error="no picture came", error_code="source-stalled")
        return _found(info, to_image(video_frame), times, people_may_be_shown)
    except SourceError as error:
        return ProbeResult(ok=False, error=str(error), error_code=error.code)
    finally:
        watchdog.cancel()
        stop.set()
        source.close()


def _found(info: StreamInfo, image: Image, times: list[float], people_may_be_shown: bool) -> ProbeResult:
    small, _ = scale_down(image, SNAPSHOT_SIDE_PX)
    if not people_may_be_shown:
        small = mosaic(small)
    span_s = times[-1] - times[0]
    return ProbeResult(
        ok=True,
        codec=info.codec,
        width=image.shape[1],
        height=image.shape[0],
        measured_fps=round((len(times) - 1) / span_s, 2) if span_s > 0 else None,
        declared_fps=info.declared_fps,
        snapshot="data:image/jpeg;base64," + base64.b64encode(encode_jpeg(small)).decode(),
    )
