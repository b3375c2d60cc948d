from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import ModelInvalid, ModelNotFound
from pipelines.models.card import CardScore, ModelCard, card_path, describe, read_card, write_card
from tests.pipelines.detection.tiny_models import passthrough_model

CARD = ModelCard(
    name="tiny",
    sha256="ab" * 32,
    source="@somebody/models@1.2.3",
    source_sha256={"models/tiny.bin": "cd" * 32},
    licences=("package: MIT", "model: Apache-2.0"),
    input="uint8 [N, 32, 64, 3], BGR, letterboxed top left",
    classes=("person",),
    precision="int8",
    calibration="96 simulated frames",
    scores=(CardScore("some clip", 10, 200, 0.9, 0.91), CardScore("photos", 5, 20, 0.5, 0.6)),
    producer="Footfall 0.1.0",
)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_card(CARD, tmp_path / "tiny.onnx")
    assert read_card(tmp_path / "tiny.onnx") == CARD
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.card.json", "tiny.md"}


def test_a_model_without_scores_says_that_it_was_not_scored(tmp_path: Path) -> None:
    card = replace(CARD, scores=(), precision="fp32", calibration=None)
    write_card(card, tmp_path / "tiny.onnx")
    assert json.loads(card_path(tmp_path / "tiny.onnx").read_text())["scores"] == "not scored"
    assert "AP50: not scored" in (tmp_path / "tiny.md").read_text()
    assert read_card(tmp_path / "tiny.onnx") == card


def test_the_page_has_licences_checksums_and_both_scores(tmp_path: Path) -> None:
    write_card(CARD, tmp_path / "tiny.onnx")
    page = (tmp_path / "tiny.md").read_text()
    assert "- Licence: model: Apache-2.0" in page
    assert "ab" * 32 in page
    assert "cd" * 32 in page
    assert "| some clip | 10 | 200 | 0.910 | 0.900 |" in page


def test_a_model_of_unknown_origin_is_described_as_such(tmp_path: Path) -> None:
    metadata = {"names": "{0: 'person'}", "licences": "GPL", "source_sha256": "[]"}
    card = describe(passthrough_model(tmp_path / "own.onnx", metadata=metadata), None, [])
    assert (card.name, card.source, card.licences, card.source_sha256) == ("own", "not stated", ("not stated",), {})
    assert card.input.startswith("uint8 [N, 32, 64, 3]")


def test_a_missing_card_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        read_card(tmp_path / "tiny.onnx")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"scores": [], "licences": [], "classes": []}'])
def test_a_broken_card_is_invalid(tmp_path: Path, content: str) -> None:
    card_path(tmp_path / "tiny.onnx").write_text(content)
    with pytest.raises(ModelInvalid):
        read_card(tmp_path / "tiny.onnx")
