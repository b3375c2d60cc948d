"""How long a fleet of 1,000 cameras takes to be seen: in a browser, and from the API that it asks.

A real registry and the real API, in one process without Ray; readers are pretended, and tell of running cameras. Writes
benchmarks/results/fleet.json and a table in docs/monitoring.md. Usage: fleet.py. Run by ``make fleet``.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from playwright.async_api import Browser, async_playwright

from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from benchmarks.compare import machine
from benchmarks.registry_load import PretendedReader, register
from benchmarks.tables import put_table
from serve.api.app import make_api
from serve.api.registry_client import RegistryClient
from serve.control.registry import Registry
from serve.settings import load
from tests.integration.brokers import free_port

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "fleet.json"
PAGE = ROOT / "docs" / "monitoring.md"
STREAMS, READERS, ROUNDS = 1000, 20, 7
READY_S = 120.0
CALLS = {
    "streams": "/api/v1/streams?limit=1000",
    "throughput": "/api/v1/monitoring/throughput",
    "drift": "/api/v1/monitoring/drift",
    "metrics": "/metrics",
}


@asynccontextmanager
async def fleet(folder: str) -> AsyncIterator[str]:
    """A service with a thousand running cameras; gives its address."""
    settings = load(None, data_dir=folder, log_level="ERROR", reader={"capacity": 12}, api={"port": free_port()})
    store = DatabaseStore(settings.store_url)
    store.migrate()
    held = register(store, STREAMS, READERS)
    registry = Registry(settings, store)
    app = make_api(cast(RegistryClient, registry), Stores.of(store), settings)
    server = uvicorn.Server(uvicorn.Config(app, port=settings.api.port, log_level="error"))
    readers = [PretendedReader(name, streams, registry) for name, streams in held.items()]
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(run()) for one in readers for run in (one.follow, one.beat)]
    serving = loop.create_task(server.serve())
    address = f"http://127.0.0.1:{settings.api.port}"
    try:
        await _until_running(address)
        yield address
    finally:
        server.should_exit = True
        await serving
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await registry.stop()


async def _until_running(address: str) -> None:
    deadline_s = time.monotonic() + READY_S
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        while True:
            await asyncio.sleep(1.0)
            try:
                states = (await client.get(CALLS["throughput"])).json().get("states", {})
            except httpx.TransportError:
                continue
            if states.get("running") == STREAMS:
                return
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the cameras do not run: {states}")


async def seen_s(browser: Browser, address: str) -> tuple[float, float]:
    """To all cameras in it, seconds: from asking for the page in a new window, and from choosing its view Health."""
    context = await browser.new_context(viewport={"width": 1500, "height": 950})
    try:
        page = await context.new_page()
        await page.goto(f"{address}/#/health", wait_until="commit")
        await page.locator(".mosaic .cell").nth(STREAMS - 1).wait_for(state="attached", timeout=60_000)
        whole_ms = float(await page.evaluate("performance.now()"))  # since it was asked for
        await page.get_by_role("link", name="Events").click()
        await page.locator(".mosaic").wait_for(state="detached")
        begun_ms = float(await page.evaluate("performance.now()"))
        await page.get_by_role("link", name="Health").click()
        await page.locator(".mosaic .cell").nth(STREAMS - 1).wait_for(state="attached", timeout=60_000)
        return whole_ms / 1000, (float(await page.evaluate("performance.now()")) - begun_ms) / 1000
    finally:
        await context.close()


async def measure() -> dict[str, Any]:
    """Medians and the longest, seconds."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    found: dict[str, list[float]] = {name: [] for name in ("page", "view", *CALLS)}
    with tempfile.TemporaryDirectory() as folder:
        async with fleet(folder) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            async with httpx.AsyncClient(base_url=address, timeout=30) as client:
                for _ in range(ROUNDS):
                    for name, seconds in zip(("page", "view"), await seen_s(browser, address), strict=True):
                        found[name].append(seconds)
                    for name, path in CALLS.items():
                        begun_s = time.perf_counter()
                        (await client.get(path)).raise_for_status()
                        found[name].append(time.perf_counter() - begun_s)
            await browser.close()
    return {
        "machine": machine(),
        "streams": STREAMS,
        "rounds": ROUNDS,
        "median_s": {name: round(statistics.median(values), 3) for name, values in found.items()},
        "longest_s": {name: round(max(values), 3) for name, values in found.items()},
    }


def table(found: dict[str, Any]) -> str:
    """For the document."""
    words = {
        "view": "the view Health, from choosing it on the page to a thousand cameras in it (Chromium)",
        "page": "the whole page, from asking for it, with nothing cached",
    }
    words |= {name: f"`GET {path}`" for name, path in CALLS.items()}
    lines = [f"| {found['streams']:,} running cameras, {found['rounds']} rounds | s, median | longest |"]
    lines.append("| --- | ---: | ---: |")
    lines += [f"| {words[name]} | {found['median_s'][name]} | {found['longest_s'][name]} |" for name in words]
    return "\n".join([*lines, "", f"On {found['machine']}; readers are pretended, and share the cores."])


def main() -> None:
    found = asyncio.run(measure())
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    put_table(PAGE, "make fleet", table(found))
    print(table(found))


if __name__ == "__main__":
    main()
