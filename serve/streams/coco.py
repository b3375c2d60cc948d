"""Frames to be labelled as a COCO data set (https://cocodataset.org/#format-data): pictures and annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serve.streams.hard_frame_folder import HardFrame, SeenBox

ANNOTATIONS = "annotations.json"
IMAGES = "images"
PERSON = {"id": 1, "name": "person", "supercategory": "person"}


def export_coco(frames: Iterable[HardFrame], folder: Path) -> int:
    """Write a data set; its annotations are what the model saw, to begin with.

    Args:
        frames: with their pictures.
        folder: made if need be; holds ``annotations.json`` and ``images``.

    Returns:
        How many frames it has.

    Raises:
        OSError: the folder cannot be written.
    """
    pictures = folder / IMAGES
    pictures.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, start=1):
        captured = datetime.fromtimestamp(frame.time_s, UTC)
        name = f"{frame.stream}-{captured:%Y%m%dT%H%M%S}-{captured.microsecond:06d}.jpg"
        (pictures / name).write_bytes(frame.jpeg)
        images.append(
            {
                "id": number,
                "file_name": f"{IMAGES}/{name}",
                "width": frame.width,
                "height": frame.height,
                "date_captured": captured.isoformat(timespec="milliseconds"),
                "stream": frame.stream,
                "model": frame.model,
            }
        )
        annotations += [_annotation(box, number, len(annotations) + place) for place, box in enumerate(frame.boxes, 1)]
    document = {
        "info": {"description": "Frames in which a detector of Footfall was unsure; boxes are its own, to be checked."},
        "licenses": [],
        "categories": [PERSON],
        "images": images,
        "annotations": annotations,
    }
    (folder / ANNOTATIONS).write_text(json.dumps(document, indent=1))
    return len(images)


def _annotation(box: SeenBox, image: int, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": PERSON["id"],
        "bbox": [box.x, box.y, box.width, box.height],
        "area": round(box.width * box.height, 1),
        "iscrowd": 0,
        "score": box.score,
    }
