"""Scoring sets from labelled data on disk: MOTChallenge recordings and COCO folders."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.errors import ModelError
from pipelines.evaluation.detection import LabelledImage, ScoringSet
from pipelines.evaluation.images import read_image, read_recording
from pipelines.types import Float32Array

PEDESTRIAN = 1
"""Class number of walking people in MOTChallenge files."""


def mot_scoring_set(folder: Path, *, step: int = 1, name: str | None = None) -> ScoringSet:
    """A recording ``video.mp4`` with its ``gt.txt``.

    Rows are ``frame, id, x, y, w, h, conf, class, visibility`` with frames counted from 1 (Leal-Taixé et al.,
    arXiv:1504.01942). Rows with ``conf`` 0 or another class than pedestrian become ignore regions.

    Args:
        folder: with both files.
        step: use every so many frames.
        name: for reports; by default the folder's.

    Raises:
        ModelError: a file is missing or not of this form.
    """
    people, ignored = _read_mot(folder / "gt.txt")
    video = folder / "video.mp4"
    if not video.is_file():
        raise ModelError(f"there is no recording at {video}")

    def images() -> Iterator[LabelledImage]:
        for index, image in read_recording(video, step):
            yield LabelledImage(image, _corners(people[index + 1]), _corners(ignored[index + 1]))

    thinned = f", 1 frame in {step}" if step > 1 else ""
    return ScoringSet(name or f"{folder.name}{thinned}", images)


def coco_scoring_set(annotations: Path, *, images_folder: Path | None = None, name: str | None = None) -> ScoringSet:
    """Photos with COCO annotations. Boxes with ``iscrowd`` become ignore regions.

    Args:
        annotations: the JSON file.
        images_folder: by default ``images`` next to it.
        name: for reports; by default the name of the file's folder.

    Raises:
        ModelError: the file is missing or not of this form.
    """
    folder = images_folder or annotations.parent / "images"
    try:
        document = json.loads(annotations.read_text())
        person = next(entry["id"] for entry in document["categories"] if entry["name"] == "person")
        files = {entry["id"]: folder / entry["file_name"] for entry in document["images"]}
        people: defaultdict[int, list[list[float]]] = defaultdict(list)
        ignored: defaultdict[int, list[list[float]]] = defaultdict(list)
        for entry in document["annotations"]:
            if entry["category_id"] == person:
                (ignored if entry.get("iscrowd") else people)[entry["image_id"]].append(entry["bbox"])
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise ModelError(f"{annotations} is not a COCO annotation file with people: {error}") from error

    def images() -> Iterator[LabelledImage]:
        for key, path in files.items():
            yield LabelledImage(read_image(path), _corners(people[key]), _corners(ignored[key]))

    return ScoringSet(name or annotations.parent.name, images)


def find_scoring_sets(folder: Path | None, images_each: int = 160) -> list[ScoringSet]:
    """Scoring sets in the folders of a data folder, by name.

    Args:
        folder: of folders, each with ``video.mp4`` and ``gt.txt``, or with ``annotations.json`` and ``images``.
        images_each: recordings are thinned out to about so many frames.

    Raises:
        ModelError: the folder does not exist, or a file in it is not of its form.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise ModelError(f"there is no data folder at {folder}")
    found = []
    for entry in sorted(folder.iterdir()):
        if (entry / "video.mp4").is_file() and (entry / "gt.txt").is_file():
            last = max(max(boxes, default=0) for boxes in _read_mot(entry / "gt.txt"))
            found.append(mot_scoring_set(entry, step=max(1, round(last / images_each))))
        elif (entry / "annotations.json").is_file():
            found.append(coco_scoring_set(entry / "annotations.json"))
    return found


def _read_mot(path: Path) -> tuple[defaultdict[int, list[list[float]]], defaultdict[int, list[list[float]]]]:
    """Boxes x, y, w, h of people and of ignore regions, by frame number from 1."""
    people: defaultdict[int, list[list[float]]] = defaultdict(list)
    ignored: defaultdict[int, list[list[float]]] = defaultdict(list)
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
        for row in rows:
            counts = row[6] != 0 and (len(row) < 8 or row[7] == PEDESTRIAN)
            (people if counts else ignored)[int(row[0])].append(row[2:6].tolist())
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path} is not a MOTChallenge ground truth file: {error}") from error
    return people, ignored


def _corners(boxes: list[list[float]]) -> Float32Array:
    """Boxes x, y, w, h to x1, y1, x2, y2, ``[N, 4]``."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array
