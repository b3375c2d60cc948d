"""``footfall doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from serve.cli import terminal
from serve.cli.terminal import out
from serve.launch.bundle import write_bundle
from serve.launch.examination import Wanted, examine
from serve.monitoring.findings import Finding, State
from serve.settings import Settings, load

SIGNS = {State.OK: "ok", State.WARNING: "warning", State.FAILED: "FAILED", State.SKIPPED: "skipped"}
STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red", State.SKIPPED: "dim"}
WIDTH = max(map(len, SIGNS.values()))


def doctor_command(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings; see docs/settings.md.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Of the service, such as footfall-data/demo.")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Try an RTSP address; may be given again.")] = None,
    kafka: Annotated[str | None, typer.Option(help="Try brokers: HOST:PORT,HOST:PORT.")] = None,
    ntp: Annotated[str | None, typer.Option(help="Compare the clock with a server; none is asked otherwise.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Also write what support needs, without secrets (.zip).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at the machine, the parts, and the service if it runs; say what to do about what does not work.

    Changes nothing. Ends with 1 if something has failed, which a warning has not.
    """
    with terminal.reporting():
        settings = load(config, **({} if data_dir is None else {"data_dir": str(data_dir)}))
        wanted = Wanted(tuple(camera or ()), tuple(kafka.split(",")) if kafka else (), ntp)
        if bundle is not None and bundle.exists():
            terminal.fail(f"{bundle} exists already", terminal.EXIT_USAGE)
        found = _examined(settings, wanted, quiet=as_json)
        if as_json:
            out.print(json.dumps([_document(one) for one in found], indent=1))
        else:
            out.print(_sum(found))
        if bundle is not None:
            write_bundle(bundle, settings, [_document(one) for one in found])
            terminal.err.print(f"{bundle} is for support: look into it before you send it", markup=False)
        if any(one.state is State.FAILED for one in found):
            raise SystemExit(terminal.EXIT_ERROR)


def _examined(settings: Settings, wanted: Wanted, *, quiet: bool) -> list[Finding]:
    found = []
    for one in examine(settings, wanted):
        found.append(one)
        if not quiet:
            _print(one)
    return found


def _print(one: Finding) -> None:
    sign = SIGNS[one.state].ljust(WIDTH)
    out.print(sign, style=STYLES[one.state] if out.is_terminal else None, end="  ")
    out.print(f"{one.subject}: {one.detail}", markup=False)
    if one.advice and one.state is not State.OK:
        out.print(f"{' ' * WIDTH}  {one.advice}", markup=False)


def _sum(found: Iterable[Finding]) -> str:
    states = [one.state for one in found]
    bad, doubtful = states.count(State.FAILED), states.count(State.WARNING)
    if bad:
        return f"\n{bad} of {len(states)} failed"
    return f"\nall works{f', with {doubtful} warnings' if doubtful > 1 else ', with a warning' if doubtful else ''}"


def _document(one: Finding) -> dict[str, Any]:
    return {**asdict(one), "state": one.state.value}
