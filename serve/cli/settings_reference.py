"""``footfall settings``, and docs/settings.md, by ``python -m serve.cli.settings_reference docs/settings.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from serve.cli import terminal
from serve.deployments.reads import LIVE, readers_of
from serve.settings import Settings, load

_HEAD = """# Settings

Written by `make docs` from `serve/settings.py`; do not edit.

A setting stands in the file of `footfall up --config FILE` or in the environment, which wins over the file.
`footfall settings` prints those in force. Unknown names and values out of bounds are refused with a line that names
them.

The `args` of a Serve config take the same names. What is written there wins, and Ray restarts every deployment when any
of it changes. What is not written there is filled in from the environment of each deployment (`runtime_env` in its
`ray_actor_options`, as in `deploy/serve.yaml`), where a change restarts that deployment alone; then from that of the
node, which is the place for secrets; then from that of the head, where the application is built. Folders and files are
as the head has them. The last column tells which deployments read a setting; those of the graph become
options of Serve (`num_replicas`, `num_cpus`, `num_gpus`) or decide which deployments there are. What is marked *live*
changes without a restart, through `user_config` of these deployments ([operations.md](operations.md) shows how).
`footfall up` takes a changed file over on SIGHUP, and restarts the deployments that read what has changed.

| in the file | in the environment | default | bounds | meaning | read by |
| --- | --- | --- | --- | --- | --- |
"""


def settings_command(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
) -> None:
    """Print the settings in force, without secrets, as a YAML file that `footfall up --config` takes."""
    with terminal.reporting():
        document = load(config).model_dump(mode="json", exclude={"database_url": True, "api": {"token"}})
        terminal.out.print(yaml.safe_dump(document, sort_keys=False), end="")


def page() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(f"| {' | '.join(row)} | {_readers(row[0].strip('`'))} |\n" for row in _rows())


def epilog() -> str:
    """Every setting, a line each, for the end of a command's help."""
    # click joins lines, unless a paragraph begins with a backspace.
    lines = [f"{variable.strip('`')}  {meaning}" for _, variable, _, _, meaning in _rows()]
    return "Settings, as environment variables:\n\n\b\n" + "\n".join(lines)


def _rows() -> Iterator[tuple[str, str, str, str, str]]:
    schema = Settings.model_json_schema()
    for name, field in schema["properties"].items():
        section = _section(schema, field)
        if section is None:
            yield _row(name, f"FOOTFALL_{name.upper()}", field)
            continue
        for key, inner in section["properties"].items():
            yield _row(f"{name}.{key}", f"FOOTFALL_{name.upper()}__{key.upper()}", inner)


def _readers(setting: str) -> str:
    if setting in (f"detector.{field}" for field in LIVE):
        return f"{', '.join(readers_of(setting))}, *live*"
    return ", ".join(readers_of(setting)) or ("`footfall up`" if setting.startswith("ray.") else "the graph")


def _section(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any] | None:
    reference = field.get("$ref") or next((part["$ref"] for part in field.get("allOf", ()) if "$ref" in part), None)
    found: dict[str, Any] | None = schema["$defs"][reference.rpartition("/")[2]] if reference else None
    return found


def _row(name: str, variable: str, field: dict[str, Any]) -> tuple[str, str, str, str, str]:
    default = field.get("default")
    shown = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{name}`", f"`{variable}`", f"`{shown}`", _bounds(field), field["description"]


def _bounds(field: dict[str, Any]) -> str:
    kinds = [field, *field.get("anyOf", ())]
    parts = []
    for kind in kinds:
        if "enum" in kind:
            parts.append(", ".join(f"`{value}`" for value in kind["enum"]))
        for key, text in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")):
            if key in kind:
                parts.append(f"{text} {kind[key]:,}")
        if "minLength" in kind:
            parts.append(f"at least {kind['minLength']} characters")
    return "; ".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
