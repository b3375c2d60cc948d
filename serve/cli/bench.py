"""``footfall bench``: how fast this machine is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipelines.models.catalogue import DEFAULT_MODEL
from serve.cli import terminal
from serve.cli.models import pull_shown
from serve.cli.terminal import err, out
from serve.launch.benchmark import default_clip, measure, summarise


def bench_command(
    video: Annotated[Path | None, typer.Option(help="Recording to measure with; a simulated one if absent.")] = None,
    model: Annotated[str, typer.Option(help="Name of a model, or path of an ONNX file.")] = DEFAULT_MODEL,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often to measure each part.")] = 3,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for the service's API.")] = 8009,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Frames a second of a recording and of the whole service, beside the limit of this machine's cores."""
    with terminal.reporting():
        if model == DEFAULT_MODEL and not as_json:
            pull_shown(model)
        with terminal.progress("frames") as report:
            clip = video or default_clip(lambda done, total: report("rendering", done, total))
        if not clip.is_file():
            terminal.fail(f"{clip} does not exist")
        measured = measure(model, clip, rounds, port, lambda line: err.print(line))
        rows = summarise(measured)
        if as_json:
            out.print(json.dumps([asdict(row) for row in rows]))
            return
        table = Table("part", "frames/s (median)", "range", "of the limit")
        for row in rows:
            table.add_row(row.part, f"{row.fps:.1f}", f"{row.slowest:.1f} - {row.fastest:.1f}", f"{row.of_limit:.0%}")
        out.print(table)
        cameras = rows[-1].fps / 6
        out.print(f"The service carries about {cameras:.0f} cameras like this one at 6 analysed frames a second.")
