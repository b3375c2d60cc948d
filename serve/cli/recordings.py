"""``footfall analyze`` and ``footfall evaluate``: recordings on the desk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from analytics.errors import GeometryError
from analytics.geometry import Geometry
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import FootfallError
from pipelines.evaluation.tracking import TrackingScores, TrackTable, score
from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from serve.cli import terminal
from serve.cli.terminal import out
from serve.streams.recording import Analysis, analyze


def read_geometry(path: Path) -> Geometry:
    """Lines and zones of a file.

    Raises:
        GeometryError: it cannot be read, or makes no sense.
    """
    try:
        return Geometry.parse(json.loads(path.read_text()))
    except OSError as error:
        raise GeometryError(f"geometry file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise GeometryError(f"geometry file {path} is no JSON: {error}") from error


def analyze_command(
    video: Annotated[Path, typer.Argument(help="Any file that FFmpeg reads.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Where results go; made if it is missing.")],
    geometry: Annotated[Path | None, typer.Option(help="JSON with lines and zones.")] = None,
    model: Annotated[str, typer.Option(help="Name of a model, or path of an ONNX file.")] = DEFAULT_MODEL,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="Frames a second to analyse; all if absent.")
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Capture time of the first frame, seconds since the epoch.")
    ] = None,
) -> None:
    """Analyse one recording at full speed: tracks, counts, heatmap."""
    with terminal.reporting():
        drawn = read_geometry(geometry) if geometry else None
        detector = OnnxDetector(resolve(model), threads=1, target_class="person")
        with terminal.progress("frames") as report:
            done = analyze(
                video,
                detector,
                out_dir,
                geometry=drawn,
                fps=fps,
                start_s=start,
                progress=lambda done, total: report(video.name, done, total),
            )
        _print(done, out_dir)


def _print(done: Analysis, out_dir: Path) -> None:
    summary = done.summary
    out.print(
        f"{done.frames} frames ({summary['seconds']:.1f} s of video) in {done.elapsed_s:.1f} s, "
        f"{summary['fps']:.0f} frames/s; {done.tracks} tracks"
    )
    for line, counts in summary["lines"].items():
        out.print(f"line {line}: {counts['in']} in, {counts['out']} out")
    for zone, values in summary["zones"].items():
        out.print(f"zone {zone}: {values['entries']} entries, {values['person_seconds']:.1f} person-seconds")
    out.print(f"results in {out_dir}")


def evaluate_command(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with video.mp4 and gt.txt (MOT); geometry.json and truth.json if any.")
    ],
    model: Annotated[str, typer.Option(help="Name of a model, or path of an ONNX file.")] = DEFAULT_MODEL,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="Frames a second to analyse; all if absent.")
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Keep the results of every folder here.")] = None,
) -> None:
    """Score tracking, and counting where the truth is known, against ground truth."""
    import tempfile

    with terminal.reporting(), tempfile.TemporaryDirectory() as scratch:
        table = Table("sequence", "HOTA", "IDF1", "MOTA", "precision", "recall", "switches", "line error")
        for folder in folders:
            results = (out_dir or Path(scratch)) / folder.name
            scores, line_error = evaluate_folder(folder, results, model, fps)
            error = "-" if line_error is None else str(line_error)
            table.add_row(
                folder.name,
                f"{scores.hota:.3f}",
                f"{scores.idf1:.3f}",
                f"{scores.mota:.3f}",
                f"{scores.precision:.3f}",
                f"{scores.recall:.3f}",
                str(scores.id_switches),
                error,
            )
        out.print(table)


def evaluate_folder(
    folder: Path, results: Path, model: str, fps: float | None = None
) -> tuple[TrackingScores, int | None]:
    """Analyse a folder's video and score it.

    Returns:
        Tracking scores, and by how much the line counts are off in sum; None if the folder has no truth for them.

    Raises:
        FootfallError: a file is missing or cannot be read.
    """
    gt, geometry_file, truth_file = folder / "gt.txt", folder / "geometry.json", folder / "truth.json"
    if not gt.is_file():
        raise FootfallError(f"{folder} has no gt.txt")
    geometry = read_geometry(geometry_file) if geometry_file.is_file() else None
    done = analyze(
        folder / "video.mp4",
        OnnxDetector(resolve(model), threads=1, target_class="person"),
        results,
        geometry=geometry,
        fps=fps,
    )
    truth, ignored = TrackTable.read(gt)
    found, _ = TrackTable.read(results / "tracks.txt")
    if fps is not None:  # frames that were not to be analysed are nobody's miss
        analysed = frozenset(found.frames.tolist())
        truth = truth.only_frames(analysed)
        ignored = ignored.only_frames(analysed)
    line_error = None
    if truth_file.is_file():
        known = json.loads(truth_file.read_text())["lines"]
        counted = done.summary["lines"]
        line_error = sum(
            abs(counts[way] - counted.get(line, {}).get(way, 0))
            for line, counts in known.items()
            for way in ("in", "out")
        )
    return score(truth, found, ignored), line_error
