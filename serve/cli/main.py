"""``footfall``: everything from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from serve import logs
from serve.cli import (
    bench,
    credentials,
    events,
    models,
    recordings,
    service,
    settings_reference,
    simulate,
    terminal,
    tokens,
)
from serve.settings import load

app = typer.Typer(
    name="footfall",
    help="Streaming video analytics: cameras in, people counts and heatmaps out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(service.demo_command)
app.command("up", epilog=settings_reference.epilog())(service.up_command)
app.command("analyze")(recordings.analyze_command)
app.command("evaluate")(recordings.evaluate_command)
app.command("bench")(bench.bench_command)
app.command("simulate")(simulate.simulate_command)
app.add_typer(models.app, name="models")
app.add_typer(events.app, name="events")
app.add_typer(tokens.app, name="tokens")
app.add_typer(credentials.app, name="credentials")


@app.command("settings")
def settings_command(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
) -> None:
    """Print the settings in force, without secrets, as a YAML file that `footfall up --config` takes."""
    with terminal.reporting():
        document = load(config).model_dump(mode="json", exclude={"database_url": True, "api": {"token"}})
        terminal.out.print(yaml.safe_dump(document, sort_keys=False), end="")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Streaming video analytics: cameras in, people counts and heatmaps out."""
    if version:
        from importlib.metadata import version as installed

        terminal.out.print(f"footfall {installed('footfall')}")
        raise SystemExit(0)


def main() -> None:
    """Entry point of the console script."""
    logs.configure("WARNING", "text")
    app()


if __name__ == "__main__":
    main()
