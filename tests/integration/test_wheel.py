"""The wheel on a machine that has Python and nothing else of ours: no repository, no Node, no Make, no cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipelines.models.catalogue import CATALOGUE, DEFAULT_MODEL
from serve.launch.demo import CAMERAS
from tests.conftest import ROOT
from tests.integration.brokers import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
STATIC = ROOT / "serve" / "web" / "static"
BUNDLED = "pipelines/models/bundled"


def page_files() -> set[str]:
    """The page with its libraries, relative to its folder."""
    files = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()}
    return {file for file in files if not Path(file).name.startswith(".")}


def build(out: Path, models: Path) -> Path:
    """What `make wheel` runs, with a model that is there already."""
    command = [sys.executable, "scripts/build_wheel.py", "--models", str(models), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Path:
    if not (STATIC / "vendor").is_dir():
        reason = "the page's libraries are not there: npm ci && npm run vendor in serve/web"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("wheel"), model_path.parent)


class Machine:
    """A home, a working folder and a virtual environment, all of them new.

    Attributes:
        work: the working folder.
    """

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "venv" / "bin"
        self._home = folder / "home"
        self.work = folder / "work"
        for made in (self._home, self.work):
            made.mkdir()

    def install(self, wheel: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(self._bin.parent)], check=True)
        pip = [str(self._bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip.append("--no-compile")  # only what is used gets compiled, when it is
        subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")], check=True)
        subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)

    @property
    def cache(self) -> Path:
        return self._home / ".cache" / "footfall"

    @property
    def environment(self) -> dict[str, str]:
        """All that is set: the path leads to the virtual environment only."""
        return {"PATH": str(self._bin), "HOME": str(self._home), "LANG": "C.UTF-8", "COLUMNS": "200"}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._bin / "footfall"), *arguments],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, *arguments: str, until: str, timeout_s: float) -> Iterator[None]:
        """A command that has said ``until``; Ctrl-C ends it, and it must end well."""
        log = self.work.parent / f"{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self._bin / "footfall"), *arguments],
                cwd=self.work,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:

            def said() -> bool:
                assert process.poll() is None, log.read_text()
                return until in log.read_text()

            wait_until(said, timeout_s, f"`footfall {arguments[0]}` to say {until!r}")
            yield
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
            assert process.wait(60) == 0, log.read_text()
            assert "Traceback" not in log.read_text(), log.read_text()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    made = Machine(tmp_path_factory.mktemp("machine"))
    made.install(wheel)
    return made


def test_the_wheel_holds_the_page_the_model_and_the_licences_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        card = json.loads(archive.read(f"{BUNDLED}/{DEFAULT_MODEL}.card.json"))
        model = archive.read(f"{BUNDLED}/{DEFAULT_MODEL}.onnx")
        notice = archive.read("footfall-0.1.0.dist-info/licenses/NOTICE").decode()
    assert {name.removeprefix("serve/web/static/") for name in names if name.startswith("serve/web/")} == page_files()
    assert {name for name in names if name.startswith(BUNDLED)} == {
        f"{BUNDLED}/{DEFAULT_MODEL}{suffix}" for suffix in (".onnx", ".card.json", ".md")
    }
    assert hashlib.sha256(model).hexdigest() == card["sha256"]
    weights = CATALOGUE[DEFAULT_MODEL].weights
    assert card["source_sha256"] == {file.path: file.sha256 for file in weights.files}
    assert all(digest in notice for digest in card["source_sha256"].values())
    assert {"LICENSE", "NOTICE", "licences/human-models.txt"} == {
        name.partition("/licenses/")[2] for name in names if "/licenses/" in name
    }
    code = {name for name in names if name.startswith(("pipelines/", "analytics/", "serve/", "footfall/"))}
    assert all(".dist-info/" in name for name in names - code)
    of_python = {name for name in code if not name.startswith(("serve/web/", BUNDLED))}
    assert {Path(name).suffix for name in of_python} == {".py", ".mako", ".typed"}


def test_two_builds_have_the_same_bytes(wheel: Path, model_path: Path, tmp_path: Path) -> None:
    assert build(tmp_path, model_path.parent).read_bytes() == wheel.read_bytes()


def test_a_recording_is_analysed_without_pulling_a_model(machine: Machine, clip: Path) -> None:
    assert machine.run("--version").startswith("footfall 0.")
    shutil.copy(clip / "video.mp4", machine.work)
    machine.run("analyze", "video.mp4", "--fps", "4", "--out", "results")
    assert json.loads((machine.work / "results" / "summary.json").read_text())["fps"] > 0
    assert (machine.work / "results" / "tracks.txt").read_text().count("\n") > 20
    assert "came with Footfall" in machine.run("models", "list")
    assert not (machine.cache / "models").exists()


def check_page(url: str) -> None:
    """The page that is served is all there."""
    page = httpx.get(url)
    assert page.status_code == 200
    assert "<html" in page.text
    for file in sorted(page_files()):
        assert httpx.get(f"{url}/static/{file}").status_code == 200, file


@pytest.mark.slow
def test_the_service_runs_and_ends_with_ctrl_c(machine: Machine) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with machine.running("up", "--port", url.rpartition(":")[2], until=f"Footfall is at {url}", timeout_s=100):
        assert httpx.get(f"{url}/readyz").status_code == 200
        check_page(url)


@pytest.mark.timeout(420)
def test_the_demo_runs_and_ends_with_ctrl_c(machine: Machine, test_cache: Path) -> None:
    """Its clips are kept with what else tests keep; drawing them the first time takes a minute or two."""
    kept, drawn = test_cache / "demo", machine.cache / "demo"
    if kept.is_dir():
        shutil.copytree(kept, drawn)
    url = f"http://127.0.0.1:{free_port()}"
    with machine.running("demo", "--port", url.rpartition(":")[2], until=f"Footfall is at {url}", timeout_s=300):

        def states() -> set[str]:
            return {view["state"] for view in httpx.get(f"{url}/api/v1/streams").json()}

        wait_until(lambda: states() == {"running"}, 60, "all cameras to run")
        assert len(httpx.get(f"{url}/api/v1/streams").json()) == len(CAMERAS)
        check_page(url)
    if not kept.is_dir():
        shutil.copytree(drawn, kept)
