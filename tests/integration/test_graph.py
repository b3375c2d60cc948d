"""The Serve graph with real RTSP cameras: add, change, delete, kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from footfall import ApiProblem, Client
from footfall.types import StreamAnswer, StreamBody, ZoneBody
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.service import Service
from serve.settings import Settings
from tests.integration.conftest import kill_replica, replica_pids, wait_frames, wait_state
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
DEAD_URL = "rtsp://viewer:s3cret@127.0.0.1:9/nobody"


def put(api: Client, stream: str, url: str, *, only_new: bool = True, **more: Any) -> StreamAnswer:
    body = cast(StreamBody, {"source": {"type": "rtsp", "url": url}, **more})
    return api.put_stream(stream, body, only_new=only_new)


@pytest.fixture
def six(api: Client, cameras: CameraServer, clip: Path) -> list[str]:
    """Five cameras that run, and one that is dead."""
    geometry = json.loads((clip / "geometry.json").read_text())
    names = [f"cam{number}" for number in range(5)]
    for name in names:
        put(api, name, cameras.url(name), geometry=geometry)
    put(api, "dead", DEAD_URL)
    for name in names:
        wait_frames(api, name, 12)
    return names


def test_five_cameras_run_while_a_dead_one_says_why_it_does_not(api: Client, six: list[str]) -> None:
    dead = wait_state(api, "dead", "reconnecting")
    assert dead["error_code"] == "source-unreachable"
    assert "nobody answers" in dead["error"]
    before = {name: api.get_stream(name)["frames"] for name in six}
    for name in six:
        view = wait_frames(api, name, before[name] + 12)
        assert view["error_code"] in (None, "overloaded")  # this machine may be busy
        assert view["fps_processed"] > 0
        assert view["reconnects"] == 0


def test_no_answer_holds_a_password(api: Client, six: list[str]) -> None:
    for answer in (list(api.streams()), api.get_stream("cam0"), api.get_stream("dead"), api.metrics()):
        text = str(answer)
        assert "s3cret" not in text
        assert "cam0" in text or "dead" in text


def test_the_same_registration_again_disturbs_nobody(api: Client, six: list[str], cameras: CameraServer) -> None:
    before = api.get_stream("cam0")
    put(api, "cam0", cameras.url("cam0"), only_new=False)
    shown = api.get_stream("cam0")["source"]["url"]
    put(api, "cam0", shown, only_new=False)  # a client may send back what it was shown
    after = wait_frames(api, "cam0", before["frames"] + 12)
    assert after["epoch"] == before["epoch"]
    assert after["geometry"]["lines"] == before["geometry"]["lines"]


def test_a_camera_is_deleted_and_another_added_while_the_rest_run_on(
    api: Client, six: list[str], cameras: CameraServer
) -> None:
    others = [name for name in six if name != "cam1"]
    before = {name: api.get_stream(name) for name in others}
    api.delete_stream("cam1")
    with pytest.raises(ApiProblem, match="unknown-stream"):
        api.get_stream("cam1")
    assert 'stream="cam1"' not in api.metrics()
    put(api, "cam5", cameras.url("cam5"))
    wait_frames(api, "cam5", 12)
    for name in others:
        after = wait_frames(api, name, before[name]["frames"] + 12)
        assert after["epoch"] == before[name]["epoch"]
        assert after["reconnects"] == 0


def test_a_changed_rate_takes_effect_and_is_a_planned_move(api: Client, six: list[str]) -> None:
    before = api.get_stream("cam2")
    api.patch_stream("cam2", {"analysis_fps": 2})
    after = wait_until(
        lambda: (v := api.get_stream("cam2"))["epoch"] > before["epoch"] and 1.5 < v["fps_processed"] < 2.6 and v,
        20,
        "cam2 at 2 frames a second",
    )
    assert after["analysis_fps"] == 2


def test_a_stream_switched_off_stops_and_comes_back(api: Client, six: list[str]) -> None:
    api.patch_stream("cam3", {"enabled": False})
    stopped = wait_state(api, "cam3", "stopped")
    assert stopped["reader"] is None
    with pytest.raises(ApiProblem, match="not-ready"):
        api.snapshot("cam3")
    api.patch_stream("cam3", {"enabled": True})
    wait_frames(api, "cam3", 5)


def test_a_stream_is_deleted_while_it_connects(api: Client) -> None:
    for number in range(5):
        put(api, f"gone{number}", DEAD_URL)
        api.delete_stream(f"gone{number}")
    assert list(api.streams()) == []


def test_geometry_drawn_while_the_stream_runs_counts_from_the_next_frame(
    api: Client, six: list[str], clip: Path
) -> None:
    before = api.get_stream("cam4")
    everything: ZoneBody = {"id": "all", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    assert api.put_geometry("cam4", {"zones": [everything], "version": 1})["version"] == 2
    with pytest.raises(ApiProblem, match="geometry-conflict"):
        api.put_geometry("cam4", {"zones": [], "version": 1})

    def counted() -> bool:
        zones = api.counts("cam4", bucket="1d")["total"]["zones"]
        return "all" in zones and zones["all"]["person_seconds"] > 0

    wait_until(counted, 20, "person-seconds in the new zone")
    assert api.get_stream("cam4")["epoch"] == before["epoch"]


def test_pictures_counts_and_heatmaps_come_out(api: Client, six: list[str]) -> None:
    assert api.snapshot("cam0")[:3] == b"\xff\xd8\xff"

    def seen() -> bool:
        return api.counts("cam0", bucket="1h")["total"]["people"]["person_seconds"] > 5

    wait_until(seen, 30, "five person-seconds")
    heat = api.heatmap("cam0")
    assert heat["unit"] == "person-seconds"
    assert (len(heat["grid"]), len(heat["grid"][0])) == (36, 64)
    assert heat["total"] == pytest.approx(sum(map(sum, heat["grid"])), abs=0.5)
    assert api.heatmap_file("cam0", "png", measure="visits")[:8] == b"\x89PNG\r\n\x1a\n"
    assert api.counts_file("cam0", "csv", bucket="1m").startswith(b"start,end,coverage,analysed_fps,people.mean")


def test_other_thresholds_and_models_are_taken_over_and_restart_nothing(
    service: Service, settings: Settings, api: Client, cameras: CameraServer, model_path: Path
) -> None:
    def detecting(**section: Any) -> Settings:
        detector = settings.detector.model_copy(update=section)
        return settings.model_copy(update={"detector": detector})

    def people_s() -> float:
        return api.counts("cam0", bucket="1d")["total"]["people"]["person_seconds"]

    def nobody() -> bool:
        found_s, covered_s = people_s(), api.heatmap("cam0")["covered_s"]
        wait_until(lambda: api.heatmap("cam0")["covered_s"] > covered_s + 1.5, 20, "1.5 s of the camera")
        return people_s() == found_s

    put(api, "cam0", cameras.url("cam0"))
    wait_frames(api, "cam0", 12)
    epoch = api.get_stream("cam0")["epoch"]
    deployments = ("Api", "Registry", "Live", "StreamReader")
    pids = {name: replica_pids(name) for name in deployments}
    service.update(detecting(score_threshold=0.99))
    wait_until(nobody, 20, "nobody to be counted any more")
    service.update(detecting(model=str(model_path.with_name("nanodet-g-fp32.onnx"))))
    found_s = people_s()
    wait_until(lambda: people_s() > found_s + 1, 20, "people, found by another model")
    service.update(settings)
    assert {name: replica_pids(name) for name in deployments} == pids
    assert api.get_stream("cam0")["epoch"] == epoch


def test_a_killed_reader_is_replaced_and_its_streams_go_on(api: Client, six: list[str]) -> None:
    epochs = {name: api.get_stream(name)["epoch"] for name in six}
    killed = kill_replica("StreamReader")
    for name in six:
        wait_until(lambda name=name: api.get_stream(name)["epoch"] > epochs[name], 40, f"a new epoch of {name}")
        wait_frames(api, name, 5, timeout_s=40)
    assert killed not in replica_pids("StreamReader")


def test_a_killed_registry_comes_back_and_no_stream_moves(api: Client, six: list[str]) -> None:
    epochs = {name: api.get_stream(name)["epoch"] for name in six}
    killed = kill_replica("Registry")
    wait_until(lambda: replica_pids("Registry") not in ([], [killed]), 40, "a new registry")

    def running() -> bool:
        try:
            states = {view["id"]: (view["state"], view["epoch"]) for view in api.streams()}
        except ApiProblem:
            return False
        return all(states.get(name) == ("running", epochs[name]) for name in six)

    wait_until(running, 40, "all streams as they were")


def test_a_frozen_camera_is_seen_and_comes_back(api: Client, six: list[str], cameras: CameraServer) -> None:
    before = api.get_stream("cam1")
    cameras.freeze("cam0", True)
    try:
        silent = wait_state(api, "cam0", "reconnecting")
        assert silent["error_code"] in ("source-stalled", "source-unreachable")
    finally:
        cameras.freeze("cam0", False)
    view = wait_frames(api, "cam0", silent["frames"] + 12)
    assert view["reconnects"] >= 1
    assert view["error_code"] in (None, "overloaded")
    assert api.get_stream("cam1")["reconnects"] == before["reconnects"]


def test_a_wrong_password_is_told_in_plain_words_and_without_it(api: Client, cameras: CameraServer) -> None:
    wrong = cameras.url("cam0").replace("s3cret", "guessed")
    put(api, "locked", wrong)
    view = wait_state(api, "locked", "reconnecting")
    assert view["error_code"] == "source-unauthorized"
    assert "guessed" not in str(list(api.streams()))
    put(api, "locked", cameras.url("cam0"), only_new=False)
    wait_frames(api, "locked", 5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_streams_at_once_are_taken_and_those_beyond_capacity_say_so(
    api: Client, cameras: CameraServer
) -> None:
    for number in range(200):
        url = cameras.url(f"cam{number % 6}") if number < 20 else DEAD_URL
        put(api, f"many{number:03}", url)

    def settled() -> bool:
        views = list(api.streams())
        owned = sum(view["reader"] is not None for view in views)
        full = sum(view["error_code"] == "no-reader" for view in views)
        running = sum(view["state"] == "running" for view in views)
        return owned + full == 200 and owned >= 30 and full >= 30 and running == 20

    wait_until(settled, 120, "20 streams that run, others with the reader, and as many waiting as it has no room for")
    (reader,) = api.readers()
    assert reader["capacity"] == 2
    assert reader["streams"] >= 30
    for number in range(200):
        api.delete_stream(f"many{number:03}")
