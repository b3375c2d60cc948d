"""``footfall tokens``: who may ask the service; works on its database, whether or not it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from analytics.errors import UnknownToken
from analytics.storage.access import AccessStore, DatabaseAccessStore
from analytics.storage.database import DatabaseStore
from serve.api.credentials import FRESH_S, Scope, new_token
from serve.cli import terminal
from serve.errors import ServiceError
from serve.settings import DATABASE, Settings, load

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke tokens for the API; also while it does not run.",
    add_completion=False,
    rich_markup_mode=None,
)
Config = Annotated[Path | None, typer.Option(help="YAML file with settings; says which database.")]
DataDir = Annotated[Path | None, typer.Option(help="Where the database is; instead of the settings' own.")]


@app.command("create")
def create_command(
    name: Annotated[str, typer.Argument(help="Shown in lists and in the audit log.")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="viewer reads; operator also changes and probes streams; admin also purges and sees to tokens."
        ),
    ],
    days: Annotated[
        float | None, typer.Option(min=0.001, max=3660, help="Expires after this many; none: never.")
    ] = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token and print it. This is the only time that it is shown."""
    with terminal.reporting(), _store(settings_of(config, data_dir)) as store:
        now = time.time()
        record, secret = new_token(name, scope, now, None if days is None else now + days * 86_400)
        store.add_token(record)
        terminal.err.print(f"token {name!r} of scope {scope}; it is not shown again:", markup=False)
        terminal.out.print(secret, markup=False)


@app.command("list")
def list_command(config: Config = None, data_dir: DataDir = None) -> None:
    """List tokens: name, scope, when they were made, when they expire."""
    with terminal.reporting(), _store(existing(settings_of(config, data_dir))) as store:
        table = Table("name", "scope", "created", "expires", box=None)
        for record in store.tokens():
            expires = "never" if record.expires_s is None else _day(record.expires_s)
            table.add_row(record.name, record.scope, _day(record.created_s), expires)
        terminal.out.print(table)


@app.command("revoke")
def revoke_command(
    name: Annotated[str, typer.Argument(help="Of the token.")], config: Config = None, data_dir: DataDir = None
) -> None:
    """Revoke a token; a running service refuses it within seconds."""
    with terminal.reporting():
        settings = existing(settings_of(config, data_dir))
        with _store(settings) as store:
            if not store.revoke_token(name):
                raise UnknownToken(f"there is no token {name!r}")
            terminal.out.print(f"revoked; the service refuses it within {FRESH_S:.0f} s", markup=False)
            if settings.api.token is None and not store.tokens():
                terminal.err.print("it was the last one: this machine is answered without a token now", markup=False)


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    return load(config, **({} if data_dir is None else {"data_dir": str(data_dir)}))


def existing(settings: Settings) -> Settings:
    """The same, if their database is there: where a folder is mistyped, nothing must look as if it had been done.

    Raises:
        ServiceError: it is a file that is not there.
    """
    if settings.database_url is None and not (settings.data_dir.expanduser() / DATABASE).exists():
        raise ServiceError(f"there is no database in {settings.data_dir}: say --data-dir or --config")
    return settings


@contextmanager
def _store(settings: Settings) -> Iterator[AccessStore]:
    """The store of the settings, with its tables."""
    database = DatabaseStore(settings.store_url)
    try:
        database.migrate()
        yield DatabaseAccessStore(database)
    finally:
        database.close()


def _day(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC"
