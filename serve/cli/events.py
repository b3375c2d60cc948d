"""``footfall events``: what has happened, for analysts; asks a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from footfall import Client
from footfall.types import EventAnswer
from serve.cli import terminal
from serve.errors import OutputError

app = typer.Typer(no_args_is_help=True, help="What has happened in front of the cameras, one by one.")
COLUMNS = ("sequence", "time", "type", "stream", "site", "subject", "epoch", "model", "id")


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Option(help="File to write: Parquet.")],
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8000",
    token: Annotated[
        str | None, typer.Option(envvar="FOOTFALL_TOKEN", help="A token of scope viewer, if the service needs one.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was captured then or later: ISO 8601. None: all that is kept.")
    ] = None,
    stream: Annotated[list[str] | None, typer.Option(help="Only of this stream; may be given several times.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Only of this site; likewise.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Only of this type, such as footfall.crossing.v1; likewise.")
    ] = None,
) -> None:
    """Write events to a Parquet file, oldest first: a row each, the data of all types in columns of their own."""
    with terminal.reporting(), Client(url, token=token) as service:
        found = list(service.events(type=kind or (), stream=stream or (), site=site or (), since=since))
        try:
            as_table(found).to_parquet(out, index=False)
        except OSError as error:
            raise OutputError(f"{out} cannot be written: {error.strerror}") from error
        terminal.err.print(f"{len(found):,} events in {out}", markup=False)


def as_table(events: list[EventAnswer]) -> pd.DataFrame:
    """A row an event; what only other types have is missing in it."""
    rows: list[dict[str, Any]] = []
    for event in events:
        row = {name: event.get(name) for name in COLUMNS}
        rows.append({**row, "sequence": int(event["sequence"]), **event["data"]})
    table = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
    table["time"] = pd.to_datetime(table["time"], utc=True, format="ISO8601")
    return table
