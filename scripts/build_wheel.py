"""Builds the wheel that needs neither this repository nor Node: the page and the default model are inside.

Twice the same commit gives twice the same bytes: the build backend is locked, all times are that of the commit, and the
model is made anew only if this version of Footfall has not made it yet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipelines.errors import FootfallError
from pipelines.models.building.build import PRODUCER, footfall_version
from pipelines.models.card import card_path
from pipelines.models.catalogue import DEFAULT_MODEL, find_entry
from pipelines.models.pull import PulledModel, pull

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "serve" / "web" / "static" / "vendor"


def make_model(home: Path) -> PulledModel:
    """The default model, as everybody gets it who pulls it.

    Raises:
        FootfallError: it cannot be made, or what is there was made from other weights than those of the catalogue.
    """
    os.environ.pop("FOOTFALL_DATA", None)  # scores on recordings of this machine would stand in everybody's card
    pulled = pull(home=home)
    if pulled.card.producer != f"{PRODUCER} {footfall_version()}":
        pulled = pull(home=home, force=True)
    weights = find_entry(DEFAULT_MODEL).weights
    if pulled.card.source_sha256 != {file.path: file.sha256 for file in weights.files}:
        raise FootfallError(f"{pulled.path} was not made from {weights.origin}")
    return pulled


def fill_bundle(model: Path, folder: Path) -> None:
    """The model and both forms of its card."""
    for file in (model, card_path(model), model.with_suffix(".md")):
        shutil.copy(file, folder)


def commit_time() -> str | None:
    """Seconds since the epoch; None where there is no Git, as inside a container build."""
    try:
        done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def build(out: Path, bundle: Path) -> None:
    """Let the build backend of this environment, which is locked, write the wheel."""
    environment = {**os.environ, "FOOTFALL_BUNDLE": str(bundle)}
    time = commit_time()
    if time is not None:
        environment.setdefault("SOURCE_DATE_EPOCH", time)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=ROOT / "build" / "models", help="model folder to take it from")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the wheel goes")
    arguments = parser.parse_args()
    if not VENDOR.is_dir():
        sys.exit("the page's libraries are not there; `make wheel` fetches them")
    try:
        model = make_model(arguments.models)
    except FootfallError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as bundle:
        fill_bundle(model.path, Path(bundle))
        build(arguments.out.absolute(), Path(bundle))


if __name__ == "__main__":
    main()
