"""The Serve graph with real RTSP cameras: add, change, delete, kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.integration.conftest import kill_replica, replica_pids, view_of, wait_frames, wait_state
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
DEAD_URL = "rtsp://viewer:s3cret@127.0.0.1:9/nobody"


def put(api: httpx.Client, stream: str, url: str, **more: Any) -> httpx.Response:
    return api.put(f"/api/v1/streams/{stream}", json={"source": {"type": "rtsp", "url": url}, **more})


@pytest.fixture
def six(api: httpx.Client, cameras: CameraServer, clip: Path) -> list[str]:
    """Five cameras that run, and one that is dead."""
    geometry = json.loads((clip / "geometry.json").read_text())
    names = [f"cam{number}" for number in range(5)]
    for name in names:
        assert put(api, name, cameras.url(name), geometry=geometry).status_code == 201
    assert put(api, "dead", DEAD_URL).status_code == 201
    for name in names:
        wait_frames(api, name, 12)
    return names


def test_five_cameras_run_while_a_dead_one_says_why_it_does_not(api: httpx.Client, six: list[str]) -> None:
    dead = wait_state(api, "dead", "reconnecting")
    assert dead["error_code"] == "source-unreachable"
    assert "nobody answers" in dead["error"]
    before = {name: view_of(api, name)["frames"] for name in six}
    for name in six:
        view = wait_frames(api, name, before[name] + 12)
        assert view["error"] is None
        assert view["fps_processed"] > 0
        assert view["reconnects"] == 0


def test_no_answer_holds_a_password(api: httpx.Client, six: list[str]) -> None:
    for path in ("/api/v1/streams", "/api/v1/streams/cam0", "/api/v1/streams/dead", "/metrics"):
        text = api.get(path).text
        assert "s3cret" not in text
        assert "cam0" in text or "dead" in text


def test_the_same_registration_again_disturbs_nobody(api: httpx.Client, six: list[str], cameras: CameraServer) -> None:
    before = view_of(api, "cam0")
    assert put(api, "cam0", cameras.url("cam0")).status_code == 200
    shown = view_of(api, "cam0")["source"]["url"]
    assert put(api, "cam0", shown).status_code == 200  # a client may send back what it was shown
    after = wait_frames(api, "cam0", before["frames"] + 12)
    assert after["epoch"] == before["epoch"]
    assert after["geometry"]["lines"] == before["geometry"]["lines"]


def test_a_camera_is_deleted_and_another_added_while_the_rest_run_on(
    api: httpx.Client, six: list[str], cameras: CameraServer
) -> None:
    others = [name for name in six if name != "cam1"]
    before = {name: view_of(api, name) for name in others}
    assert api.delete("/api/v1/streams/cam1").status_code == 204
    assert api.get("/api/v1/streams/cam1").status_code == 404
    assert 'stream="cam1"' not in api.get("/metrics").text
    assert put(api, "cam5", cameras.url("cam5")).status_code == 201
    wait_frames(api, "cam5", 12)
    for name in others:
        after = wait_frames(api, name, before[name]["frames"] + 12)
        assert after["epoch"] == before[name]["epoch"]
        assert after["reconnects"] == 0


def test_a_changed_rate_takes_effect_and_is_a_planned_move(api: httpx.Client, six: list[str]) -> None:
    before = view_of(api, "cam2")
    answer = api.patch("/api/v1/streams/cam2", json={"analysis_fps": 2})
    assert answer.status_code == 200
    after = wait_until(
        lambda: (v := view_of(api, "cam2"))["epoch"] > before["epoch"] and 1.5 < v["fps_processed"] < 2.6 and v,
        20,
        "cam2 at 2 frames a second",
    )
    assert after["analysis_fps"] == 2


def test_a_stream_switched_off_stops_and_comes_back(api: httpx.Client, six: list[str]) -> None:
    api.patch("/api/v1/streams/cam3", json={"enabled": False})
    stopped = wait_state(api, "cam3", "stopped")
    assert stopped["reader"] is None
    assert api.get("/api/v1/streams/cam3/snapshot.jpg").status_code == 503
    api.patch("/api/v1/streams/cam3", json={"enabled": True})
    wait_frames(api, "cam3", 5)


def test_a_stream_is_deleted_while_it_connects(api: httpx.Client) -> None:
    for number in range(5):
        assert put(api, f"gone{number}", DEAD_URL).status_code == 201
        assert api.delete(f"/api/v1/streams/gone{number}").status_code == 204
    assert api.get("/api/v1/streams").json() == []


def test_geometry_drawn_while_the_stream_runs_counts_from_the_next_frame(
    api: httpx.Client, six: list[str], clip: Path
) -> None:
    before = view_of(api, "cam4")
    everything = {"id": "all", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    answer = api.put("/api/v1/streams/cam4/geometry", json={"zones": [everything], "version": 1})
    assert answer.status_code == 200
    assert answer.json()["version"] == 2
    late = api.put("/api/v1/streams/cam4/geometry", json={"zones": [], "version": 1})
    assert late.status_code == 409

    def counted() -> bool:
        total = api.get("/api/v1/streams/cam4/counts", params={"bucket": "1d"}).json()["total"]
        return bool(total["zones"].get("all", {}).get("person_seconds"))

    wait_until(counted, 20, "person-seconds in the new zone")
    assert view_of(api, "cam4")["epoch"] == before["epoch"]


def test_pictures_counts_and_heatmaps_come_out(api: httpx.Client, six: list[str]) -> None:
    picture = api.get("/api/v1/streams/cam0/snapshot.jpg")
    assert picture.status_code == 200
    assert picture.content[:3] == b"\xff\xd8\xff"

    def seen() -> bool:
        total = api.get("/api/v1/streams/cam0/counts", params={"bucket": "1h"}).json()["total"]
        return bool(total["people"]["person_seconds"] > 5)

    wait_until(seen, 30, "five person-seconds")
    heat = api.get("/api/v1/streams/cam0/heatmap").json()
    assert heat["unit"] == "person-seconds"
    assert (len(heat["grid"]), len(heat["grid"][0])) == (36, 64)
    assert heat["total"] == pytest.approx(sum(map(sum, heat["grid"])), abs=0.5)
    image = api.get("/api/v1/streams/cam0/heatmap", params={"format": "png", "measure": "visits"})
    assert image.content[:8] == b"\x89PNG\r\n\x1a\n"
    table = api.get("/api/v1/streams/cam0/counts", params={"bucket": "1m", "format": "csv"}).text
    assert table.startswith("start,end,coverage,people.mean")


def test_a_killed_reader_is_replaced_and_its_streams_go_on(api: httpx.Client, six: list[str]) -> None:
    epochs = {name: view_of(api, name)["epoch"] for name in six}
    killed = kill_replica("StreamReader")
    for name in six:
        wait_until(lambda name=name: view_of(api, name)["epoch"] > epochs[name], 40, f"a new epoch of {name}")
        wait_frames(api, name, 5, timeout_s=40)
    assert killed not in replica_pids("StreamReader")


def test_a_killed_registry_comes_back_and_no_stream_moves(api: httpx.Client, six: list[str]) -> None:
    epochs = {name: view_of(api, name)["epoch"] for name in six}
    killed = kill_replica("Registry")
    wait_until(lambda: replica_pids("Registry") not in ([], [killed]), 40, "a new registry")

    def running() -> bool:
        answer = api.get("/api/v1/streams")
        states = {v["id"]: (v["state"], v["epoch"]) for v in answer.json()} if answer.status_code == 200 else {}
        return all(states.get(name) == ("running", epochs[name]) for name in six)

    wait_until(running, 40, "all streams as they were")


def test_a_frozen_camera_is_seen_and_comes_back(api: httpx.Client, six: list[str], cameras: CameraServer) -> None:
    before = view_of(api, "cam1")
    cameras.freeze("cam0", True)
    try:
        silent = wait_state(api, "cam0", "reconnecting")
        assert silent["error_code"] in ("source-stalled", "source-unreachable")
    finally:
        cameras.freeze("cam0", False)
    view = wait_frames(api, "cam0", silent["frames"] + 12)
    assert view["reconnects"] >= 1
    assert view["error"] is None
    assert view_of(api, "cam1")["reconnects"] == before["reconnects"]


def test_a_wrong_password_is_told_in_plain_words_and_without_it(api: httpx.Client, cameras: CameraServer) -> None:
    wrong = cameras.url("cam0").replace("s3cret", "guessed")
    put(api, "locked", wrong)
    view = wait_state(api, "locked", "reconnecting")
    assert view["error_code"] == "source-unauthorized"
    assert "guessed" not in api.get("/api/v1/streams").text
    assert put(api, "locked", cameras.url("cam0")).status_code == 200
    wait_frames(api, "locked", 5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_streams_at_once_are_taken_and_those_beyond_capacity_say_so(
    api: httpx.Client, cameras: CameraServer
) -> None:
    for number in range(200):
        url = cameras.url(f"cam{number % 6}") if number < 20 else DEAD_URL
        assert put(api, f"many{number:03}", url).status_code == 201

    def settled() -> bool:
        views = api.get("/api/v1/streams").json()
        owned = sum(view["reader"] is not None for view in views)
        full = sum(view["error_code"] == "no-reader" for view in views)
        running = sum(view["state"] == "running" for view in views)
        return (owned, full, running) == (64, 136, 20)

    wait_until(settled, 120, "64 streams with the reader, 20 of them running, 136 waiting")
    for number in range(200):
        assert api.delete(f"/api/v1/streams/many{number:03}").status_code == 204
