from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ModelNotFound
from pipelines.models import catalogue
from pipelines.models.catalogue import CATALOGUE, COCO_CLASSES, DEFAULT_MODEL, list_models, model_home, resolve


def test_there_are_80_distinct_coco_classes_with_person_first() -> None:
    assert len(set(COCO_CLASSES)) == 80
    assert COCO_CLASSES[0] == "person"


def test_the_default_model_is_int8_and_made_from_a_float32_one() -> None:
    default = CATALOGUE[DEFAULT_MODEL]
    assert default.precision == "int8"
    assert default.made_from is not None
    assert CATALOGUE[default.made_from].precision == "fp32"


def test_a_name_means_the_file_in_the_model_folder(tmp_path: Path) -> None:
    (tmp_path / "nanodet-g.onnx").touch()
    assert resolve("nanodet-g", tmp_path) == tmp_path / "nanodet-g.onnx"


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model as a wheel carries it."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    (folder / "nanodet-g.onnx").touch()
    monkeypatch.setattr(catalogue, "BUNDLED", folder)
    return folder / "nanodet-g.onnx"


def test_a_bundled_model_needs_no_pull(bundled: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    assert resolve("nanodet-g", home) == bundled
    status = {status.entry.name: status for status in list_models(home)}
    assert (status["nanodet-g"].path, status["nanodet-g"].present, status["nanodet-g"].bundled) == (bundled, True, True)
    assert not status["nanodet-g-fp32"].present
    assert not home.exists()


def test_a_pulled_model_wins_over_the_bundled_one(bundled: Path, tmp_path: Path) -> None:
    own = tmp_path / "models" / "nanodet-g.onnx"
    own.parent.mkdir()
    own.touch()
    assert resolve("nanodet-g", own.parent) == own
    assert not next(status for status in list_models(own.parent) if status.path == own).bundled
    own.unlink()
    assert resolve("nanodet-g", own.parent) == bundled


def test_a_path_means_itself(tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    own.touch()
    assert resolve(str(own)) == own
    assert resolve(own) == own


def test_a_file_is_found_without_a_suffix_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").touch()
    assert resolve("weights") == Path("weights")


def test_a_model_that_is_not_pulled_yet_says_how_to_pull_it(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="`footfall models pull nanodet-g-fp32`"):
        resolve("nanodet-g-fp32", tmp_path)


@pytest.mark.parametrize("path", ["gone.onnx", "some/where"])
def test_a_path_to_nothing_is_taken_for_a_path(path: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=f"no model file at {path}"):
        resolve(path, tmp_path)


def test_an_unknown_name_lists_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="'yolo'; known are nanodet-g, nanodet-g-fp32"):
        resolve("yolo", tmp_path)


def test_the_list_says_which_models_are_here(tmp_path: Path) -> None:
    (tmp_path / "nanodet-g.onnx").touch()
    assert {status.entry.name: status.present for status in list_models(tmp_path)} == {
        "nanodet-g": True,
        "nanodet-g-fp32": False,
    }


def test_the_model_folder_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOOTFALL_CACHE", str(tmp_path))
    monkeypatch.delenv("FOOTFALL_MODELS", raising=False)
    assert model_home() == tmp_path / "models"
    monkeypatch.setenv("FOOTFALL_MODELS", str(tmp_path / "weights"))
    assert model_home() == tmp_path / "weights"
    assert model_home(tmp_path / "given") == tmp_path / "given"
