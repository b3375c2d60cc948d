"""``footfall events``: what has happened, for analysts; asks a running service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from footfall import Client
from footfall.types import EventAnswer
from serve.cli import terminal
from serve.errors import OutputError

app = typer.Typer(
    no_args_is_help=True,
    help="What has happened in front of the cameras, one by one.",
    add_completion=False,
    rich_markup_mode=None,
)
COLUMNS = pa.schema(
    [
        ("sequence", pa.int64()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("type", pa.string()),
        ("stream", pa.string()),
        ("site", pa.string()),
        ("subject", pa.string()),
        ("epoch", pa.int32()),
        ("model", pa.string()),
        ("id", pa.string()),
        # The data of all types.
        ("line", pa.string()),
        ("zone", pa.string()),
        ("direction", pa.string()),
        ("track", pa.int64()),
        ("dwell_s", pa.float64()),
        ("over", pa.bool_()),
        ("people", pa.int32()),
        ("state", pa.string()),
        ("before", pa.string()),
        ("error", pa.string()),
        ("error_code", pa.string()),
        ("alert", pa.string()),
        ("severity", pa.string()),
        ("summary", pa.string()),
        ("rule", pa.string()),
        ("about", pa.string()),
        ("detail", pa.string()),
        ("advice", pa.string()),
        ("sink", pa.string()),
    ]
)
"""Of the file, whatever is in it."""
AT_ONCE = 20_000
"""Events that are in memory at once."""


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
        count = write(service.events(type=kind or (), stream=stream or (), site=site or (), since=since), out)
        terminal.err.print(f"{count:,} events in {out}", markup=False)


def write(events: Iterable[EventAnswer], out: Path) -> int:
    """Write a file, some events at a time; returns how many there are. What breaks off leaves the file as it was.

    Raises:
        OutputError: it cannot be written.
    """
    part, count, coming = out.with_name(f"{out.name}.part"), 0, iter(events)
    try:
        with pq.ParquetWriter(part, COLUMNS) as file:
            while some := list(islice(coming, AT_ONCE)):
                file.write_table(pa.Table.from_pandas(as_table(some), COLUMNS, preserve_index=False))
                count += len(some)
        part.replace(out)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def as_table(events: Sequence[EventAnswer]) -> pd.DataFrame:
    """A row an event; what only other types have is missing in it."""
    rows = [{**event, **event["data"], "sequence": int(event["sequence"])} for event in events]
    table = pd.DataFrame(rows, columns=COLUMNS.names, dtype=object)
    table["time"] = pd.to_datetime(table["time"], utc=True, format="ISO8601")
    return table.astype({"sequence": "int64"})
