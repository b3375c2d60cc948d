"""A clip as its camera would show it after somebody has knocked against it."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from pipelines.errors import SimulatorError
from pipelines.simulator.recording import VideoWriter

DEGREES, RIGHT = 3.0, 0.06
"""Clockwise, and how far the scene lies to the right, widths."""


def write_turned(clip: Path, target: Path, degrees: float = DEGREES, right: float = RIGHT) -> None:
    """Write a clip of the same size and speed in which the scene lies elsewhere; what comes into sight is mirrored.

    Args:
        clip: a video file.
        target: of the same format, overwritten; complete, or not there.
        degrees: clockwise.
        right: how far the scene is moved, widths.

    Raises:
        SimulatorError: one of them cannot be read or written.
    """
    part = target.with_name(f"part-{target.name}")
    try:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            width, height, rate = stream.codec_context.width, stream.codec_context.height, stream.average_rate
            if rate is None:
                raise SimulatorError(f"cannot turn {clip}: it does not say how fast it is")
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
            matrix[0, 2] += right * width
            with VideoWriter(part, width, height, float(rate)) as video:
                for frame in container.decode(stream):
                    image = frame.to_ndarray(format="bgr24")
                    shown = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
                    video.write(np.asarray(shown, np.uint8))
        part.replace(target)
    except (OSError, av.FFmpegError) as error:
        raise SimulatorError(f"cannot turn {clip}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
