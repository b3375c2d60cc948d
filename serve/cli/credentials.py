"""``footfall credentials``: the key that passwords of cameras and brokers are encrypted with, in the database."""

from __future__ import annotations

import typer

from analytics.storage.database import DatabaseStore
from serve.cli import terminal
from serve.cli.tokens import Config, DataDir, existing, settings_of
from serve.control.sealing import rotate

app = typer.Typer(no_args_is_help=True, help="See to the key that passwords of cameras and brokers are encrypted with.")


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
            count = rotate(store, settings.key_file)
        finally:
            store.close()
        terminal.out.print(f"{count} streams have passwords; all are encrypted with the new key", markup=False)
