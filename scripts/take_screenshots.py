"""Takes the pictures of the documents: of Ray's dashboard and the page's Health, of the demo, with Chromium."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, ViewportSize, sync_playwright

from footfall import Client
from pipelines.models.pull import pull
from serve import logs
from serve.launch.demo import CAMERAS, TURNED, Demo
from serve.launch.service import client
from serve.settings import Settings, load

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH, HEIGHT, SCALE = 1500, 950, 0.73
"""Wide enough for all columns of the page Cluster, and scaled down to the width of a document."""
RUNNING_S, SETTLED_S, SHOWN_MS = 120.0, 30.0, 60_000
TOLD_MS = 300_000
"""Until the demo's faults have happened, and people were told."""
DEPLOYMENTS = ("Api", "Deliverer", "Detector", "Live", "Registry", "StreamReader")
TOKEN_COOKIE = "ray-authentication-token"


def settings_in(folder: Path) -> Settings:
    """Of a service that shows something of every kind: two readers, two detectors, Ray's dashboard."""
    return load(
        None,
        data_dir=str(folder),
        detector={"placement": "replicas", "replicas": 2},
        reader={"replicas": 2},
        ray={"dashboard": True, "num_cpus": 8},
        monitoring={"pictures": True},
        log_format="text",
        log_level="WARNING",
    )


def wait_for_cameras(api: Client) -> None:
    """Until every camera of the demo has been seen, and for a while, so that there are numbers to look at."""
    deadline_s = time.monotonic() + RUNNING_S
    pause = threading.Event()
    while any(api.get_stream(camera.id)["fps_processed"] == 0 for camera in CAMERAS):
        if time.monotonic() > deadline_s:
            raise SystemExit("the demo's cameras do not come up")
        pause.wait(0.5)
    pause.wait(SETTLED_S)


def take_dashboard(context: BrowserContext, address: str) -> None:
    """The application with its deployments, and the node with a process for each replica."""
    page = context.new_page()
    page.goto(f"{address}/#/serve/applications/footfall")
    for name in DEPLOYMENTS:
        page.get_by_role("link", name=name, exact=True).wait_for()
    page.screenshot(path=IMAGES / "ray-serve.png", full_page=True)
    page.goto(f"{address}/#/cluster")
    page.get_by_text("127.0.0.1").first.wait_for()  # a single node shows its processes by itself
    for name in DEPLOYMENTS:
        page.get_by_text(f"ray::ServeReplica:footfall:{name}", exact=True).first.wait_for()
    page.screenshot(path=IMAGES / "ray-cluster.png", full_page=True)


def take_health(context: BrowserContext, address: str) -> None:
    """All cameras, with the one that fell silent and the one that was turned; and the latter by itself."""
    page = context.new_page()
    page.set_default_timeout(TOLD_MS)
    page.goto(f"{address}/#/health")
    for text in ("The camera is connected, but sends no pictures.", "The camera looks somewhere else"):
        page.locator(".alert", has_text=text).first.wait_for()
    page.screenshot(path=IMAGES / "health.png", full_page=True)
    page.goto(f"{address}/#/cameras/{TURNED}/health")
    page.get_by_text("the scene lies elsewhere").first.wait_for()
    page.locator(".trace:visible").first.wait_for()
    page.get_by_text("Waiting for the first picture").wait_for(state="hidden")
    page.screenshot(path=IMAGES / "camera-health.png", full_page=True)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        logs.configure(settings.log_level, settings.log_format)
        pull(settings.detector.model)
        demo = Demo(settings)
        demo.prepare(lambda *_: None)
        with demo, sync_playwright() as playwright:
            with client(settings) as api:
                wait_for_cameras(api)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            viewport = ViewportSize(width=WIDTH, height=HEIGHT)
            context = browser.new_context(viewport=viewport, device_scale_factor=SCALE, timezone_id="Etc/UTC")
            context.set_default_timeout(SHOWN_MS)
            address = f"http://127.0.0.1:{settings.ray.dashboard_port}"
            token = (Path(folder) / "ray-token").read_text().strip()
            context.add_cookies([{"name": TOKEN_COOKIE, "value": token, "url": address}])
            take_dashboard(context, address)
            take_health(context, f"http://127.0.0.1:{settings.api.port}")
            browser.close()


if __name__ == "__main__":
    main()
