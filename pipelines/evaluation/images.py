"""Images for a model, from photos and recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from pipelines.batching.letterbox import Letterbox, SlotWriter
from pipelines.errors import ModelError
from pipelines.types import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def letterbox(image: Image, size: tuple[int, int]) -> tuple[Image, Letterbox]:
    """Scale an image as the service scales a frame.

    Args:
        image: BGR.
        size: height and width of the result, pixels.

    Returns:
        The result, and where the image lies in it.
    """
    slot = np.empty((*size, 3), np.uint8)
    placement = SlotWriter(size).write(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "bgr24"), slot)
    return slot, placement


def read_image(path: Path) -> Image:
    """A photo, BGR.

    Raises:
        ModelError: it is missing or no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ModelError(f"{path} is not an image that can be read")
    return np.asarray(image, np.uint8)


def read_recording(path: Path, step: int = 1) -> Iterator[tuple[int, Image]]:
    """Every `step`-th frame of a recording, with its number, counted from 0.

    Raises:
        ModelError: it is missing or no video that can be decoded.
    """
    try:
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index % step == 0:
                    yield index, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise ModelError(f"{path} is not a recording that can be read: {error}") from error


def read_images(paths: Sequence[Path], limit: int) -> Iterator[Image]:
    """Images from photos, folders of photos, and recordings, evenly spread over each.

    Args:
        paths: photos, folders (not searched further down) and recordings.
        limit: of images in all; every path gives an equal share.

    Raises:
        ModelError: a path does not exist or gives no images.
    """
    share = max(1, limit // max(1, len(paths)))
    for path in paths:
        if not path.exists():
            raise ModelError(f"there are no images at {path}: it does not exist")
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
            if not files:
                raise ModelError(f"there are no images at {path}: the folder holds none of {sorted(IMAGE_SUFFIXES)}")
            yield from (read_image(file) for file in files[:: -(-len(files) // share)])
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            yield read_image(path)
        else:
            step = -(-_count_frames(path) // share)
            yield from (image for _, image in read_recording(path, step))


def _count_frames(path: Path) -> int:
    """Frames in a recording, from its packets: what a container declares may be wrong."""
    try:
        with av.open(str(path)) as container:
            return max(1, sum(packet.size > 0 for packet in container.demux(video=0)))
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise ModelError(f"{path} is not a recording that can be read: {error}") from error
