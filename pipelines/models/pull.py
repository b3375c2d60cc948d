"""The whole way from a name to a model file that is ready for use: download, build, calibrate, quantise, score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ModelError
from pipelines.models.building.recipes import Progress, make_float32, make_int8, scoring_sets
from pipelines.models.card import ModelCard, read_card
from pipelines.models.catalogue import DEFAULT_MODEL, find_entry, locate, model_home
from pipelines.models.download import sha256_of


@dataclass(frozen=True, slots=True)
class PulledModel:
    """A model on this machine.

    Attributes:
        path: of the ONNX file.
        card: what it is.
        fresh: False if it was there already.
    """

    path: Path
    card: ModelCard
    fresh: bool


def pull(
    name: str = DEFAULT_MODEL,
    *,
    home: Path | None = None,
    calibrate_with: Sequence[Path] = (),
    score_with: Path | None = None,
    force: bool = False,
    accept_any_drop: bool = False,
    progress: Progress | None = None,
) -> PulledModel:
    """Make a model of the catalogue ready for use.

    One that is there already, pulled or bundled, and unharmed, is left as it is. What is made goes to the model folder.

    Args:
        name: of the catalogue.
        home: the model folder; see `pipelines.models.catalogue.model_home`.
        calibrate_with: photos, folders of photos or recordings of one's own, added to the simulated images; with
            them, it is made anew.
        score_with: folder with labelled data; see `pipelines.models.building.recipes.scoring_sets`.
        force: make it anew.
        accept_any_drop: keep an int8 model whatever it lost.
        progress: told of every step, from this thread.

    Raises:
        ModelNotFound: the catalogue has no such model.
        ModelDownloadFailed: the weights could not be fetched.
        ModelError: the int8 model finds people worse than allowed, or a path gives no images.
    """
    entry = find_entry(name)
    located = locate(entry, home)
    present = None if force or calibrate_with else _present_card(located)
    if present is not None:
        return PulledModel(located, present, fresh=False)
    path = model_home(home) / entry.file_name
    scoring = scoring_sets(score_with)
    if entry.made_from is None:
        card = make_float32(
            path, size=entry.input_size, classes=entry.classes, home=home, scoring=scoring, progress=progress
        )
    else:
        base = pull(entry.made_from, home=home, score_with=score_with, force=force, progress=progress)
        card = make_int8(
            base.path,
            path,
            calibrate_with=calibrate_with,
            scoring=scoring,
            accept_any_drop=accept_any_drop,
            progress=progress,
        )
    return PulledModel(path, card, fresh=True)


def _present_card(model: Path) -> ModelCard | None:
    """The card of a model that is there and has not changed since the card was written."""
    if not model.is_file():
        return None
    try:
        card = read_card(model)
    except ModelError:
        return None
    return card if card.sha256 == sha256_of(model) else None
