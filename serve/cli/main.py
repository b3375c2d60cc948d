"""``footfall``: everything from the command line.

Each command is imported when it is called: all of them together take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from serve import logs
from serve.cli import terminal


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a command is.

    Attributes:
        module: of this package.
        name: in there, of a function, or of a `typer.Typer` with commands of its own.
        summary: for the list of all commands; one line.
    """

    module: str
    name: str
    summary: str


COMMANDS = {
    "demo": _Entry("service", "demo_command", "The whole service on this machine, with four simulated cameras."),
    "up": _Entry("service", "up_command", "Run the service until Ctrl-C."),
    "analyze": _Entry("recordings", "analyze_command", "Analyse one recording: tracks, counts, heatmap."),
    "evaluate": _Entry("recordings", "evaluate_command", "Score tracking and counting against a known truth."),
    "bench": _Entry("bench", "bench_command", "Measure how many frames a second this machine does."),
    "simulate": _Entry("simulate", "simulate_command", "Simulated people with exact truth, as files or a camera."),
    "settings": _Entry("settings_reference", "settings_command", "Print the settings in force, without secrets."),
    "models": _Entry("models", "app", "The model catalogue: fetch, build, quantise, score."),
    "events": _Entry("events", "app", "What has happened in front of the cameras, one by one."),
    "hard-frames": _Entry("hard_frames", "app", "Pictures in which the detector was unsure, for people to label."),
    "doctor": _Entry("doctor", "doctor_command", "What works on this machine, and what to do about the rest."),
    "tokens": _Entry("tokens", "app", "Make, list and revoke tokens for the API."),
    "credentials": _Entry("credentials", "app", "The key that stored passwords are encrypted with."),
}


class _OnDemand(TyperGroup):
    """The commands above. What a context or a command is, is typer's own matter, and another one by its version."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = getattr(import_module(f"serve.cli.{entry.module}"), entry.name)
        if isinstance(found, typer.Typer):
            group = get_group(found)  # also of a single command
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, epilog=_epilog() if cmd_name == "up" else None)(found)
        return get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def _epilog() -> str:
    from serve.cli.settings_reference import epilog

    return epilog()


app = typer.Typer(
    name="footfall",
    cls=_OnDemand,
    help="Streaming video analytics: cameras in, people counts and heatmaps out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
