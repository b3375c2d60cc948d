"""The real parts: one service for the whole package, cameras, a broker, a browser; none runs beside the unit tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from footfall import Client
from footfall.types import StreamAnswer
from pipelines.simulator.recording import write_recording
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from serve.api.page import STATIC
from serve.launch.service import Service, client
from serve.settings import Settings, load
from tests.integration.brokers import ApacheKafka, Broker, NoidaBroker, fetch_jars, free_port
from tests.waiting import wait_until

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHARTS = (STATIC / "vendor" / "uPlot.iife.min.js").is_file()
Shoot = Callable[[str], None]


class Complaints:
    """What the browser complains about: uncaught errors, and everything that is logged as one.

    Attributes:
        expected: patterns of complaints that belong to a test, such as the refusal that it provokes.
    """

    def __init__(self) -> None:
        self.expected: list[str] = [] if CHARTS else ["vendor/"]
        self.found: list[str] = []

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.found.append(f"uncaught: {error}"))
        page.on("console", self._on_console)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"{message.text} ({message.location.get('url', '')})")

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.found if not any(re.search(pattern, text) for pattern in self.expected)]


@pytest.fixture(scope="session")
def clip(test_cache: Path) -> Path:
    """Folder of a short scene with its truth: 20 s, 640x360, 12 frames a second."""
    folder = test_cache / "clips" / "short-1"
    if not (folder / "truth.json").is_file():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FOOTFALL_CACHE", str(test_cache))
            scene = Scene(Camera(640, 360), people=5, seconds=20, fps=12, seed=501, max_overlap=0.15)
            write_recording(scene, folder)
    return folder


@pytest.fixture(scope="package")
def cameras(clip: Path) -> Iterator[CameraServer]:
    """Six simulated cameras that ask for a password, all showing the same scene."""
    names = [f"cam{number}" for number in range(6)]
    with CameraServer(dict.fromkeys(names, clip / "video.mp4"), user="viewer", password="s3cret") as server:
        yield server


@pytest.fixture(scope="package")
def broker(test_cache: Path) -> Iterator[Broker]:
    """Apache Kafka; on a machine without Maven a broker from PyPI, which says so, and fails in CI."""
    jars = fetch_jars(test_cache)
    if jars is None:
        if os.environ.get("CI"):
            pytest.fail("Maven and Java are needed for Apache Kafka")
        print("\nno Maven or Java: the Kafka tests run on the broker of the PyPI package noida-db")  # noqa: T201
    with ApacheKafka(jars) if jars is not None else NoidaBroker() as running:
        yield running


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium of the system; without it tests are skipped, but fail in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def service_settings(folder: Path, model: Path, **sections: Any) -> Settings:
    """Settings of a service for tests: a free port, no dashboard, checkpoints every half second."""
    values: dict[str, Any] = {
        "data_dir": str(folder),
        "api": {"port": free_port(), "wrong_tokens_per_minute": 1_000_000},
        "detector": {"model": str(model), "placement": "inline"},
        "reader": {"capacity": 2, "checkpoint_s": 0.5, "open_timeout_s": 3, "read_timeout_s": 2, "stall_timeout_s": 3},
        "ray": {"dashboard": False, "object_store_bytes": 200 << 20},
        "monitoring": {"alerts": {"camera-down": {"hold_s": 5}}},
        "log_format": "text",
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return load(None, **values)


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Settings:
    return service_settings(tmp_path_factory.mktemp("service"), model_path)


@pytest.fixture(scope="package")
def service(settings: Settings) -> Iterator[Service]:
    """The whole service in a Ray cluster of its own, once for all tests that do not change it."""
    with Service(settings) as running:
        yield running


@pytest.fixture
def api(service: Service, settings: Settings) -> Iterator[Client]:
    """A client; streams that a test leaves behind are removed after it."""
    del service
    with client(settings) as made:
        yield made
        for view in made.streams():
            made.delete_stream(view["id"], purge=True)


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(browser: Browser, service: Service, complaints: Complaints, patience: None) -> Iterator[Page]:
    """A fresh tab; the test fails if the browser complains about anything."""
    del patience
    context = browser.new_context(
        base_url=service.url,
        viewport={"width": 1400, "height": 900},
        timezone_id="Europe/Berlin",
        accept_downloads=True,
    )
    context.set_default_timeout(20_000)
    tab = context.new_page()
    complaints.listen(tab)
    yield tab
    context.close()
    assert complaints.unexpected == []


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("FOOTFALL_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def shoot(page: Page, screenshots: Path) -> Shoot:
    def keep(name: str) -> None:
        page.screenshot(path=screenshots / f"{name}.png")

    return keep


@pytest.fixture(scope="module")
def patience() -> Iterator[None]:
    """What the page shows may take its time."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def admin_token(service: Service, settings: Settings) -> Iterator[str]:
    """A token, made in the running service: until it is revoked again, after the module, everybody needs one."""
    with client(settings) as made:
        token = made.create_token({"name": "tests", "scope": "admin"})["token"]
    with Client(service.url, token=token) as made:
        yield token
        for view in made.streams():
            made.delete_stream(view["id"], purge=True)
        others = [known["name"] for known in made.tokens() if known["name"] != "tests"]
        for name in [*others, "tests"]:
            made.revoke_token(name)


def wait_state(api: Client, stream: str, state: str, timeout_s: float = 20.0) -> StreamAnswer:
    """The stream, once it is in a state."""

    def reached() -> StreamAnswer | None:
        view = api.get_stream(stream)
        return view if view["state"] == state else None

    try:
        return wait_until(reached, timeout_s, f"{stream} to be {state}")  # type: ignore[return-value]
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {api.get_stream(stream)}") from None


def wait_frames(api: Client, stream: str, frames: int = 1, timeout_s: float = 20.0) -> StreamAnswer:
    """The stream, once it has decoded that many frames since its session began."""

    def reached() -> StreamAnswer | None:
        view = api.get_stream(stream)
        return view if view["frames"] >= frames and view["state"] == "running" else None

    return wait_until(reached, timeout_s, f"{frames} frames of {stream}")  # type: ignore[return-value]


def wait_to_fit(page: Page, width: int) -> None:
    """Until the page is no wider than the window."""
    wait_until(lambda: page.evaluate("document.documentElement.scrollWidth") <= width, 5, f"a fit into {width} pixels")


def replica_pids(name: str) -> list[int]:
    """Processes of the replicas of a deployment, such as ``StreamReader``, in clusters that this process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if line.startswith(f"ray::ServeReplica:footfall:{name}") and _is_ours(int(entry.name)):
                found.append(int(entry.name))
    return found


def _is_ours(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return False
    return False


def kill_replica(name: str) -> int:
    """Kill -9 the one replica of a deployment; returns its process id."""
    pids = replica_pids(name)
    assert len(pids) == 1, f"{len(pids)} replicas of {name}"
    os.kill(pids[0], signal.SIGKILL)
    return pids[0]
