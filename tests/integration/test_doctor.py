"""The doctor, beside a service that runs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from footfall import Client
from footfall.types import RtspDefinition
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.bundle import write_bundle
from serve.launch.examination import Wanted, examine
from serve.monitoring.findings import Finding, State
from serve.settings import Settings
from tests.integration.brokers import Broker
from tests.integration.conftest import wait_state

pytestmark = pytest.mark.integration


def found(settings: Settings, wanted: Wanted) -> dict[str, Finding]:
    return {one.subject: one for one in examine(settings, wanted)}


def test_a_service_is_examined_with_its_streams(api: Client, settings: Settings, cameras: CameraServer) -> None:
    good: RtspDefinition = {"type": "rtsp", "url": cameras.url("cam0")}
    dead: RtspDefinition = {"type": "rtsp", "url": "rtsp://viewer:s3cret@127.0.0.1:9/nobody"}
    api.put_stream("door", {"source": good})
    api.put_stream("dead", {"source": dead})
    wait_state(api, "door", "running")
    wait_state(api, "dead", "reconnecting")
    seen = found(settings, Wanted())
    assert seen["service"].state is State.OK
    assert seen["database"].state is State.OK
    assert "1 of 2" in seen["streams"].detail
    assert seen["stream dead"].state is State.WARNING
    assert "s3cret" not in str(seen)


def test_a_camera_is_tried_from_here(settings: Settings, cameras: CameraServer) -> None:
    good = cameras.url("cam1")
    wrong = good.replace("s3cret", "wr0ng-password")
    seen = list(examine(settings, Wanted(cameras=(good, wrong))))[-2:]
    assert [one.state for one in seen] == [State.OK, State.FAILED]
    assert "h264, 640x360" in seen[0].detail
    assert "password" in seen[1].advice
    assert "s3cret" not in str(seen)
    assert "wr0ng" not in str(seen)


def test_a_broker_is_tried_from_here(settings: Settings, broker: Broker) -> None:
    seen = list(examine(settings, Wanted(brokers=(broker.address,))))[-1]
    assert seen.state is State.OK
    assert seen.detail.endswith("topics")


def test_a_bundle_of_a_running_service_holds_no_password(
    api: Client, settings: Settings, cameras: CameraServer, tmp_path: Path
) -> None:
    source: RtspDefinition = {"type": "rtsp", "url": cameras.url("cam2")}
    api.put_stream("hall", {"source": source})
    wait_state(api, "hall", "running")
    file = tmp_path / "bundle.zip"
    write_bundle(file, settings, [])
    with zipfile.ZipFile(file) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert [stream["id"] for stream in json.loads(texts["streams.json"])] == ["hall"]
    assert json.loads(texts["readers.json"])
    assert "footfall_stream" in texts["metrics.txt"]
    assert any(name.startswith("logs/") for name in texts)
    key, token = settings.key_file.read_text().strip(), (settings.data_dir / "ray-token").read_text().strip()
    everything = "".join(texts.values())
    for secret in ("s3cret", key, token):
        assert secret not in everything
