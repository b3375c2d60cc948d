"""What goes wrong with a real service is told by its cause, to people and to a real Prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from footfall import Client
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.turned import write_turned
from scripts.write_dashboards import DASHBOARDS, FOLDER, document, queries
from serve.launch.service import Service
from serve.settings import Settings
from tests.integration.brokers import free_port
from tests.integration.conftest import wait_frames
from tests.integration.test_page import DEAD_URL, register
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
RULES = FOLDER.parent / "rules.yml"
SOON_S = 60.0
"""Within which people are told of a camera that is turned, once its view is known."""


def needed(command: str) -> str:
    """Path of a command; without it tests are skipped, but fail in CI."""
    found = shutil.which(command)
    if found is None:
        reason = f"{command} is not installed: apt-get install prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Prometheus:
    """A server that asks the service every second.

    Attributes:
        url: of its API.
    """

    def __init__(self, folder: Path, target: str) -> None:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "footfall", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1"
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                needed("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What a query finds now."""
        answer = httpx.get(f"{self.url}/query", params={"query": query}, timeout=10)
        body = answer.json()
        assert body["status"] == "success", f"{query}: {body.get('error')}"
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Names of alerts that fire."""
        groups = httpx.get(f"{self.url}/alerts", timeout=10).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in groups if alert["state"] == "firing"}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


@pytest.fixture
def prometheus(service: Service, settings: Settings, tmp_path: Path) -> Iterator[Prometheus]:
    del service
    made = Prometheus(tmp_path, f"127.0.0.1:{settings.api.port}")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def turning(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CameraServer]:
    """A camera that can be turned."""
    turned = tmp_path_factory.mktemp("turned") / "turned.mp4"
    write_turned(clip / "video.mp4", turned)
    with CameraServer({"hall": clip / "video.mp4"}, turned={"hall": turned}) as server:
        yield server


def test_rules_are_such_that_prometheus_takes_them() -> None:
    checked = subprocess.run([needed("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_dashboards_are_those_that_the_script_writes() -> None:
    import json

    for dashboard in DASHBOARDS:
        file = FOLDER / f"{dashboard.uid.removeprefix('footfall-')}.json"
        assert json.loads(file.read_text()) == document(dashboard), "scripts/write_dashboards.py"


@pytest.mark.slow
def test_a_camera_that_is_turned_is_told_and_every_query_has_an_answer(
    api: Client, settings: Settings, turning: CameraServer, prometheus: Prometheus
) -> None:
    web = httpx.Client(base_url=f"http://127.0.0.1:{settings.api.port}/api/v1", timeout=10)
    register(api, "hall", turning.url("hall"), name="Hall")
    register(api, "dead", DEAD_URL)
    target = {"type": "webhook", "url": "http://127.0.0.1:9/hook"}
    assert web.put("/sinks/till", json={"target": target}).status_code == 201
    try:
        wait_frames(api, "hall", 5)

        def drift() -> dict[str, Any]:
            found: dict[str, Any] = web.get("/monitoring/streams/hall/drift").json()
            return found

        wait_until(lambda: drift()["judges_pictures"], 90, "its pictures to be judged", every_s=0.5)
        known = api.get_stream("hall")["frames"] + 12 * 60
        wait_until(lambda: api.get_stream("hall")["frames"] > known, 120, "another minute of it", every_s=0.5)
        assert drift()["verdicts"] == []
        turning.turn("hall")

        def told() -> set[str]:
            return {alert["rule"] for alert in web.get("/alerts").json() if alert["state"] == "active"}

        wait_until(lambda: {"camera-moved", "camera-down"} <= told(), SOON_S, "people to be told", every_s=0.5)
        assert told() - {"sink-failing"} == {"camera-moved", "camera-down"}
        wait_until(lambda: prometheus.ask("footfall_stream_drift"), 15, "Prometheus to hear of it", every_s=0.5)
        for dashboard in DASHBOARDS:
            for query in queries(dashboard):
                assert prometheus.ask(query.replace("$stream", "hall")), query
        rules = yaml.safe_load(RULES.read_text())["groups"]
        for rule in (rule for group in rules for rule in group["rules"]):
            prometheus.ask(rule["expr"])
            if "record" in rule:
                assert prometheus.ask(rule["record"]), rule["record"]
        wait_until(lambda: "FootfallAlert" in prometheus.firing(), 15, "its own alert to fire", every_s=0.5)
        assert not {"FootfallDown", "FootfallNoReader", "FootfallDatabaseAway"} & prometheus.firing()
        turning.turn("hall", False)
        wait_until(lambda: "camera-moved" not in told(), 90, "the alert to be over", every_s=0.5)
    finally:
        web.delete("/sinks/till")
        turning.turn("hall", False)
