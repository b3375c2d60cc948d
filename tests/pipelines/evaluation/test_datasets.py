from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import ModelError
from pipelines.evaluation.datasets import coco_scoring_set, find_scoring_sets, mot_scoring_set
from pipelines.evaluation.detection import evaluate
from pipelines.evaluation.images import read_images


def write_recording(path: Path, frames: int = 10) -> Path:
    """A recording whose frames grow brighter by 20."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for i in range(frames):
            image = np.full((32, 64, 3), 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def mot_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    folder.mkdir()
    write_recording(folder / "video.mp4")
    rows = ["1,1,10,5,4,8,1,1,1", "1,2,30,5,4,8,0,1,1", "4,1,12,5,4,8,1,1,1", "4,3,1,1,9,9,1,7,1"]
    (folder / "gt.txt").write_text("\n".join(rows))
    return folder


@pytest.fixture
def coco_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "images").mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((20, 30, 3), np.uint8))
    document = {
        "categories": [{"id": 7, "name": "person"}, {"id": 8, "name": "dog"}],
        "images": [{"id": 3, "file_name": "a.png"}],
        "annotations": [
            {"image_id": 3, "category_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"image_id": 3, "category_id": 7, "bbox": [5, 5, 10, 10], "iscrowd": 1},
            {"image_id": 3, "category_id": 8, "bbox": [0, 0, 9, 9], "iscrowd": 0},
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def test_mot_frames_count_from_one_and_marked_rows_are_ignored(mot_folder: Path) -> None:
    images = list(mot_scoring_set(mot_folder, step=3).images())
    assert [round(float(image.image.mean()) / 20) for image in images] == [0, 3, 6, 9]
    assert images[0].people.tolist() == [[10, 5, 14, 13]]
    assert images[0].ignored.tolist() == [[30, 5, 34, 13]]
    assert images[1].people.tolist() == [[12, 5, 16, 13]]
    assert images[1].ignored.tolist() == [[1, 1, 10, 10]]
    assert images[2].people.shape == (0, 4)


def test_a_scoring_set_can_be_read_twice(mot_folder: Path) -> None:
    scoring = mot_scoring_set(mot_folder)
    assert len(list(scoring.images())) == len(list(scoring.images())) == 10


def test_the_name_says_which_frames_are_used(mot_folder: Path) -> None:
    assert mot_scoring_set(mot_folder, step=5).name == "clip, 1 frame in 5"
    assert mot_scoring_set(mot_folder).name == "clip"


def test_coco_crowds_are_ignored_and_other_classes_left_out(coco_folder: Path) -> None:
    (image,) = coco_scoring_set(coco_folder / "annotations.json").images()
    assert image.people.tolist() == [[1, 2, 4, 6]]
    assert image.ignored.tolist() == [[5, 5, 15, 15]]


def test_sets_in_a_data_folder_are_found_by_their_files(mot_folder: Path, coco_folder: Path) -> None:
    (mot_folder.parent / "else").mkdir()
    assert [one.name for one in find_scoring_sets(mot_folder.parent, images_each=2)] == [
        "clip, 1 frame in 2",
        "photos",
    ]
    assert find_scoring_sets(None) == []


def test_a_missing_data_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no data folder"):
        find_scoring_sets(tmp_path / "gone")


def test_files_of_another_form_are_refused(mot_folder: Path, coco_folder: Path) -> None:
    (mot_folder / "gt.txt").write_text("not,numbers\n")
    with pytest.raises(ModelError, match="not a MOTChallenge"):
        mot_scoring_set(mot_folder)
    (coco_folder / "annotations.json").write_text('{"categories": []}')
    with pytest.raises(ModelError, match="not a COCO"):
        coco_scoring_set(coco_folder / "annotations.json")


def test_images_come_from_photos_folders_and_recordings_in_equal_shares(mot_folder: Path, coco_folder: Path) -> None:
    photo = coco_folder / "images" / "a.png"
    images = list(read_images([photo, coco_folder / "images", mot_folder / "video.mp4"], limit=15))
    assert [image.shape[:2] for image in images] == [(20, 30)] * 2 + [(32, 64)] * 5


@pytest.mark.parametrize("name", ["gone.mp4", "empty"])
def test_a_path_without_images_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="there are no images"):
        list(read_images([tmp_path / name], limit=4))


@pytest.mark.parametrize("name", ["broken.mp4", "broken.png"])
def test_a_broken_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="can be read"):
        list(read_images([tmp_path / name], limit=4))


def test_the_default_model_finds_people_on_a_real_campus(model_path: Path, data_dir: Path) -> None:
    detector = OnnxDetector(model_path, score_floor=0.02)
    assert evaluate(detector, mot_scoring_set(data_dir / "pets09_s2l1_vtest", step=25)).ap50 > 0.85


def test_int8_loses_little_on_real_data(model_path: Path, data_dir: Path) -> None:
    float32 = OnnxDetector(model_path.with_name("nanodet-g-fp32.onnx"), score_floor=0.02)
    int8 = OnnxDetector(model_path, score_floor=0.02)
    for scoring in (
        mot_scoring_set(data_dir / "pets09_s2l1_vtest", step=10),
        coco_scoring_set(data_dir / "detection" / "annotations.json"),
    ):
        assert evaluate(int8, scoring).ap50 > evaluate(float32, scoring).ap50 - 0.03
