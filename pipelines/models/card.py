"""The card of a model file: origin, licence, checksums, and what the file is worth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from pipelines.detection.onnx import CPU, OnnxDetector
from pipelines.errors import ModelInvalid, ModelNotFound
from pipelines.models.building.build import PRODUCER, footfall_version
from pipelines.models.download import sha256_of

NOT_SCORED = "not scored"
UNKNOWN = "not stated"


@dataclass(frozen=True, slots=True)
class CardScore:
    """One evaluation.

    Attributes:
        scoring_set: name.
        images: how many.
        people: labelled in them.
        ap50: of this file, in [0, 1].
        ap50_before: of the float32 model it was made from; None if it is that model.
    """

    scoring_set: str
    images: int
    people: int
    ap50: float
    ap50_before: float | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All there is to know of a model file.

    Attributes:
        name: of the file, which for a model of the catalogue is its name there.
        sha256: of the file.
        source: where the weights were published, as far as the file tells.
        source_sha256: checksums of the published files, by name.
        licences: one line for each party.
        input: what it takes, in words.
        classes: what it finds.
        precision: ``fp32`` or ``int8``.
        calibration: the images that int8 ranges come from, in words; None for float32.
        scores: empty if it was not scored.
        producer: program and version that wrote it.
    """

    name: str
    sha256: str
    source: str
    source_sha256: Mapping[str, str]
    licences: tuple[str, ...]
    input: str
    classes: tuple[str, ...]
    precision: str
    calibration: str | None
    scores: tuple[CardScore, ...]
    producer: str


def describe(model: Path, calibration: str | None, scores: Sequence[CardScore]) -> ModelCard:
    """The card of a model file, from the file itself and what is known of its making.

    Raises:
        ModelNotFound: there is no such file.
        ModelInvalid: it is no model of ours.
    """
    detector = OnnxDetector(model, providers=[CPU])
    height, width = detector.input_size
    metadata = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    return ModelCard(
        name=model.stem,
        sha256=sha256_of(model),
        source=metadata.get("source", UNKNOWN),
        source_sha256=_json(metadata.get("source_sha256"), {}),
        licences=tuple(_json(metadata.get("licences"), [UNKNOWN])),
        input=f"uint8 [N, {height}, {width}, 3], BGR, letterboxed top left",
        classes=detector.classes,
        precision=metadata.get("precision", UNKNOWN),
        calibration=calibration,
        scores=tuple(scores),
        producer=f"{PRODUCER} {footfall_version()}",
    )


def card_path(model: Path) -> Path:
    """``<name>.card.json`` next to ``<name>.onnx``."""
    return model.with_name(f"{model.stem}.card.json")


def write_card(card: ModelCard, model: Path) -> None:
    """Write the card next to its model, for machines (``.card.json``) and for people (``.md``)."""
    _replace(model.with_name(f"{model.stem}.md"), card_markdown(card))
    content = asdict(card)
    content["scores"] = content["scores"] or NOT_SCORED
    _replace(card_path(model), json.dumps(content, indent=2) + "\n")


def read_card(model: Path) -> ModelCard:
    """The card next to a model.

    Raises:
        ModelNotFound: it has none.
        ModelInvalid: its card cannot be read.
    """
    path = card_path(model)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        scores = content["scores"]
        content["scores"] = () if scores == NOT_SCORED else tuple(CardScore(**score) for score in scores)
        content["licences"] = tuple(content["licences"])
        content["classes"] = tuple(content["classes"])
        return ModelCard(**content)
    except FileNotFoundError as error:
        raise ModelNotFound(f"{model} has no card") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelInvalid(f"{path} is not a model card: {error}") from error


def card_markdown(card: ModelCard) -> str:
    """The card as a page."""
    lines = [
        f"# {card.name}",
        "",
        f"- Source: `{card.source}`",
        *(f"- Licence: {licence}" for licence in card.licences),
        f"- Input: {card.input}",
        f"- Classes: {', '.join(card.classes)}",
        f"- Precision: {card.precision}",
        f"- Calibration: {card.calibration or 'none'}",
        f"- Made by: {card.producer}",
        f"- SHA-256: `{card.sha256}`",
        *(f"- SHA-256 of the source's `{name}`: `{digest}`" for name, digest in card.source_sha256.items()),
        "",
        *_score_table(card.scores),
    ]
    return "\n".join(lines) + "\n"


def _score_table(scores: tuple[CardScore, ...]) -> list[str]:
    """AP50 for each scoring set, or that there is none."""
    if not scores:
        return [f"AP50: {NOT_SCORED}"]
    rows = ["| scored on | images | people | AP50 in float32 | AP50 of this file |", "|---|---|---|---|---|"]
    for score in scores:
        before = score.ap50 if score.ap50_before is None else score.ap50_before
        rows.append(f"| {score.scoring_set} | {score.images} | {score.people} | {before:.3f} | {score.ap50:.3f} |")
    return rows


def _json(text: str | None, otherwise: Any) -> Any:
    """A metadata entry; other programs may have written something else under its key."""
    try:
        value = json.loads(text) if text else otherwise
    except ValueError:
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


def _replace(path: Path, text: str) -> None:
    """Write a file in one step."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)
