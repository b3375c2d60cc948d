"""The service on a machine whose clock can be set, as far as its processes can tell."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chaos.conftest import load, own_cameras, scene, truth
from tests.integration.chaos.deployed import Deployed
from tests.integration.ray_head import RayHead

__all__ = ["load", "own_cameras", "scene", "truth"]


class MachineClock:
    """What the time is on a machine; for this process it stays right.

    Args:
        file: holds the clock's error, for all processes.
        library: made of wall_clock.c, preloaded into all of them.

    Attributes:
        variables: of the environment, for the machine's first process.
    """

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.variables = {
            "LD_PRELOAD": str(library),
            "RAY_LD_PRELOAD_ON_WORKERS": "1",
            "WALL_CLOCK_FILE": str(file),
        }
        file.write_bytes(struct.pack("q", 0))

    def be_off_s(self, seconds: int) -> None:
        """Set it."""
        with self._file.open("r+b") as out:  # the same file: all have it in their memory
            out.write(struct.pack("q", seconds))


@pytest.fixture(scope="package")
def clock(tmp_path_factory: pytest.TempPathFactory) -> MachineClock:
    """Without a C compiler tests are skipped, but fail in CI."""
    compiler = shutil.which("cc")
    if compiler is None:
        reason = "no C compiler is installed: apt-get install gcc libc6-dev"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("clock")
    library = folder / "wall_clock.so"
    source = Path(__file__).parent / "wall_clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
    return MachineClock(folder / "off_s", library)


@pytest.fixture(scope="package")
def deployed(clock: MachineClock, tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Deployed]:
    with RayHead.started(tmp_path_factory.mktemp("ray"), **clock.variables) as head:
        service = Deployed(head, tmp_path_factory.mktemp("clocks"), model_path)
        service.deploy()
        service.wait_ready()
        yield service
