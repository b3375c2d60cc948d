"""The walls between packages hold: whoever breaks one is told so, and what must run without Ray does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("pipelines", "analytics", "serve", "footfall")
LINT = Path(sysconfig.get_path("scripts")) / "lint-imports"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        python_only = shutil.ignore_patterns("__pycache__", "node_modules", "static", "*.onnx")
        shutil.copytree(ROOT / package, folder / package, ignore=python_only)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def broken_contracts(house: Path) -> list[str]:
    """Names of the contracts that do not hold."""
    environment = {**os.environ, "PYTHONPATH": str(house)}
    done = subprocess.run(
        [LINT, "--no-cache"], cwd=house, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    broken = re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)
    assert done.returncode == bool(broken), done.stdout + done.stderr
    return broken


def test_all_walls_stand(house: Path) -> None:
    assert broken_contracts(house) == []


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("pipelines/rates.py", "import analytics.minutes", "Imports run one way"),
        ("pipelines/rates.py", "import ray", "Ray is known"),
        ("analytics/minutes.py", "import pipelines.boxes", "analytics sees the types and errors"),
        ("analytics/counting/lines.py", "from pipelines.sources.clock import Timeline", "analytics sees the types"),
        ("analytics/counting/lines.py", "import sqlalchemy", "SQL is spoken"),
        ("analytics/reports/queries.py", "import fastapi", "The web framework"),
        ("serve/definitions/rtsp.py", "import ray.serve", "Ray is known"),
        ("serve/streams/worker.py", "from starlette.requests import Request", "The web framework"),
        ("serve/streams/worker.py", "import serve.control.planner", "The floors of serve"),
        ("serve/control/planner.py", "import sqlalchemy", "SQL is spoken"),
        ("serve/deployments/reader.py", "from ray import serve as rayserve", "Ray is known"),
        ("serve/deployments/detector.py", "import serve.deployments.handles", "Ray is known"),
        ("serve/api/streams.py", "import serve.launch.service", "The floors of serve"),
        ("serve/cli/main.py", "import ray", "The command line"),
        ("footfall/client.py", "import sqlalchemy", "The client stands alone"),
        ("serve/streams/worker.py", "import footfall", "The client is for"),
        ("serve/launch/service.py", "import starlette", "Commands and launchers"),
        ("serve/cli/terminal.py", "import fastapi", "Commands and launchers"),
        ("footfall/client.py", "import serve.settings", "The client stands alone"),
        ("serve/newroom.py", "x = 1", "The floors of serve"),
    ],
)
def test_an_import_that_does_not_belong_breaks_its_contract(house: Path, module: str, line: str, contract: str) -> None:
    path = house / module
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + f"\n{line}\n")
    try:
        assert any(name.startswith(contract) for name in broken_contracts(house))
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


@pytest.mark.parametrize(
    "room", ["serve/definitions", "serve/streams", "serve/control", "analytics", "pipelines/sources"]
)
def test_what_the_edge_needs_runs_without_ray_and_without_a_web_framework(room: str) -> None:
    """Not only on paper: the modules are imported where these libraries are missing."""
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    program = f"""
import importlib, sys
for name in ("ray", "fastapi", "starlette"):
    sys.modules[name] = None
for name in {modules!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_whoever_registers_streams_does_not_load_the_renderer() -> None:
    program = "import sys, serve.api.app; print([m for m in sys.modules if m.startswith('pipelines.simulator')])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['pipelines.simulator', 'pipelines.simulator.settings']"
