"""``footfall credentials``: the key that passwords of cameras and brokers are encrypted with, in the database."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer

from analytics.storage.database import DatabaseStore
from analytics.storage.sinks import DatabaseSinkStore, SinkRecord
from serve.cli import terminal
from serve.cli.tokens import Config, DataDir, existing, settings_of
from serve.control.sealing import Sealing, Shelf, rotate
from serve.events.opening import sealing_of

app = typer.Typer(
    no_args_is_help=True,
    help="See to the key that passwords of cameras and brokers are encrypted with.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """See to the key that passwords of cameras and brokers are encrypted with."""


@app.command("rotate")
def rotate_command(config: Config = None, data_dir: DataDir = None) -> None:
    """Encrypt all passwords with a new key, and forget the old one.

    A running service goes on counting; for some 20 seconds its API does not answer about streams.
    """
    with terminal.reporting():
        settings = existing(settings_of(config, data_dir))
        store = DatabaseStore(settings.store_url)
        try:
            store.migrate()
            store.lead()  # a registry that runs stands by until this one has been silent for a while
            sinks = DatabaseSinkStore(store)
            shelves: list[Shelf[Any]] = [
                Shelf(Sealing(settings.key_file), store.list_streams, store.put_stream),
                Shelf(sealing_of(settings), sinks.sinks, partial(_change, sinks)),
            ]
            streams, receivers = rotate(shelves, settings.key_file)
        finally:
            store.close()
        found = f"{streams} streams and {receivers} sinks have passwords"
        terminal.out.print(f"{found}; all are encrypted with the new key", markup=False)


def _change(sinks: DatabaseSinkStore, record: SinkRecord) -> None:
    """Unless somebody else has: then it is sealed with the new key already."""
    sinks.change_sink(record.id, record.definition, record.version)
