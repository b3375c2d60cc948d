"""``footfall hard-frames``: pictures in which the detector was unsure, for people to label; on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from serve.cli import terminal
from serve.cli.tokens import DataDir, settings_of
from serve.errors import OutputError, ServiceError
from serve.streams.coco import ANNOTATIONS, export_coco
from serve.streams.hard_frame_folder import HardFrame, HardFrameFolder

app = typer.Typer(
    no_args_is_help=True,
    help="Pictures in which the detector was unsure, kept where `monitoring.hard_frames` is on; of this machine.",
    add_completion=False,
    rich_markup_mode=None,
)
Config = Annotated[Path | None, typer.Option(help="YAML file with settings; says which data directory.")]
Stream = Annotated[list[str] | None, typer.Option(help="Only of this stream; may be given several times.")]


@app.command("list")
def list_command(config: Config = None, data_dir: DataDir = None) -> None:
    """List streams that have some: how many, and when the oldest and the newest were captured."""
    with terminal.reporting():
        folder = _folder(config, data_dir)
        table = Table("stream", "frames", "oldest", "newest", box=None)
        for stream in folder.streams():
            times_s = folder.times(stream)
            if times_s:
                table.add_row(stream, str(len(times_s)), _moment(times_s[0]), _moment(times_s[-1]))
        terminal.out.print(table)


@app.command("export")
def export_command(
    output: Annotated[Path, typer.Option(help="Folder to write: new, or empty.")],
    stream: Stream = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Write a COCO data set: pictures, and as annotations what the detector took for people, to be checked."""
    with terminal.reporting():
        folder = _folder(config, data_dir)
        chosen = _chosen(folder, stream)
        try:
            if output.exists() and any(output.iterdir()):
                raise OutputError(f"{output} is not empty")
            count = export_coco(_frames(folder, chosen), output)
        except OSError as error:
            raise OutputError(f"{output} cannot be written: {error.strerror}") from error
        terminal.err.print(f"{count:,} frames in {output / ANNOTATIONS}", markup=False)


@app.command("delete")
def delete_command(
    stream: Stream = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all streams.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Delete those of some streams, or all. A service that runs and is to keep some goes on keeping new ones."""
    with terminal.reporting():
        if bool(stream) == everything:
            raise ValueError("say --stream ID, or --all")
        folder = _folder(config, data_dir)
        for name in _chosen(folder, stream):
            number = len(folder.times(name))
            folder.delete(name)
            if folder.times(name):
                raise OutputError(f"frames of {name} cannot be deleted")
            terminal.out.print(f"{name}: {number:,} deleted", markup=False)


def _folder(config: Path | None, data_dir: Path | None) -> HardFrameFolder:
    """Raises ServiceError if there is no such data directory: a mistyped one must not look like an empty one."""
    settings = settings_of(config, data_dir)
    if not settings.data_dir.expanduser().is_dir():
        raise ServiceError(f"there is no folder {settings.data_dir}: say --data-dir or --config")
    return HardFrameFolder(settings.hard_frames_dir)


def _chosen(folder: HardFrameFolder, wanted: Sequence[str] | None) -> list[str]:
    """The streams that were named, or all. Raises ServiceError if one of them has none."""
    known = folder.streams()
    missing = sorted(set(wanted or ()) - set(known))
    if missing:
        raise ServiceError(f"there are no frames of {', '.join(missing)}")
    return sorted(set(wanted)) if wanted else known


def _frames(folder: HardFrameFolder, streams: Sequence[str]) -> Iterator[HardFrame]:
    return chain.from_iterable(folder.frames(stream) for stream in streams)


def _moment(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
