"""Streams, geometry and probing: what is taken, and how each kind of bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.control.sealing import Sealing
from tests.serve.api.conftest import BrokenStore

RTSP = {"type": "rtsp", "url": "rtsp://192.0.2.1/stream"}


def problem_of(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem, once it is sure that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:footfall:problem:{code}"
    assert body["status"] == status
    assert body["detail"]
    return body


def test_registering_is_idempotent_and_says_whether_it_is_new(api: TestClient) -> None:
    body = {"name": "Door", "site": "berlin", "source": RTSP}
    assert api.put("/api/v1/streams/door", json=body).status_code == 201
    again = api.put("/api/v1/streams/door", json=body)
    assert again.status_code == 200
    assert again.json()["name"] == "Door"
    assert [view["id"] for view in api.get("/api/v1/streams").json()] == ["door"]


def test_a_stream_without_a_reader_says_that_it_waits_for_one(api: TestClient, camera: str) -> None:
    view = api.get(f"/api/v1/streams/{camera}").json()
    assert view["state"] == "starting"
    assert view["reader"] is None
    assert view["frame_age_s"] is None


def test_credentials_are_redacted_and_survive_being_sent_back(
    api: TestClient, camera: str, store: BrokenStore, tmp_path: Path
) -> None:
    view = api.get(f"/api/v1/streams/{camera}").json()
    assert view["source"]["url"] == "rtsp://***@192.0.2.1/x"
    assert "s3cret" not in api.get("/api/v1/streams").text
    answer = api.patch(f"/api/v1/streams/{camera}", json={"name": "New", "source": view["source"]})
    assert answer.status_code == 200
    stored = store.get_stream(camera)
    assert stored is not None
    assert "s3cret" not in json.dumps(dict(stored.definition))
    opened = Sealing(tmp_path / "credentials.key").opened(stored)
    assert opened.definition["source"]["url"] == "rtsp://user:s3cret@192.0.2.1/x"
    assert stored.definition["name"] == "New"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "source"),
        ({"source": {"type": "webcam"}}, "source"),
        ({"source": {"type": "rtsp"}}, "source.rtsp.url"),
        ({"source": {"type": "rtsp", "url": "http://192.0.2.1/x"}}, "source.rtsp.url"),
        ({"source": {"type": "rtsp", "url": "rtsp:///nohost"}}, "source.rtsp.url"),
        ({"source": {"type": "rtsp", "url": "rtsp://host:notaport/x"}}, "source.rtsp.url"),
        ({"source": {**RTSP, "transport": "carrier-pigeon"}}, "source.rtsp.transport"),
        ({"source": {"type": "kafka", "brokers": "", "topic": "t"}}, "source.kafka.brokers"),
        ({"source": {"type": "kafka", "brokers": "b:9092", "topic": "no spaces"}}, "source.kafka.topic"),
        ({"source": {"type": "file"}}, "source.file.path"),
        ({"source": {"type": "simulator", "scene": {"colour": "red"}}}, "source.simulator.scene.colour"),
        ({"source": RTSP, "analysis_fps": 0}, "analysis_fps"),
        ({"source": RTSP, "analysis_fps": 1000}, "analysis_fps"),
        ({"source": RTSP, "enabled": "perhaps"}, "enabled"),
        ({"source": RTSP, "naem": "typing error"}, "naem"),
    ],
)
def test_a_bad_definition_is_refused_with_the_field_that_is_wrong(
    api: TestClient, body: dict[str, Any], field: str
) -> None:
    problem = problem_of(api.put("/api/v1/streams/door", json=body), 422, "invalid")
    assert field in [error["field"] for error in problem["errors"]]
    assert api.get("/api/v1/streams").json() == []


@pytest.mark.parametrize("stream", ["-door", "a b", "x" * 65, "dö"])
def test_an_id_that_makes_no_sense_is_refused(api: TestClient, stream: str) -> None:
    problem_of(api.put(f"/api/v1/streams/{stream}", json={"source": RTSP}), 422, "invalid")


def test_a_password_in_bad_input_is_not_echoed(api: TestClient) -> None:
    body = {"source": {"type": "rtsp", "url": "rtsp://user:hunter2@host:notaport/x"}}
    assert "hunter2" not in api.put("/api/v1/streams/door", json=body).text


def test_a_body_that_is_no_json_or_too_large_is_refused(api: TestClient) -> None:
    problem_of(api.put("/api/v1/streams/door", content=b"{not json"), 422, "invalid")
    large = api.put("/api/v1/streams/door", content=b" " * (2 << 20))
    problem_of(large, 413, "too-large")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/streams/nobody"),
        ("PATCH", "/api/v1/streams/nobody"),
        ("DELETE", "/api/v1/streams/nobody"),
        ("GET", "/api/v1/streams/nobody/geometry"),
        ("PUT", "/api/v1/streams/nobody/geometry"),
        ("GET", "/api/v1/streams/nobody/snapshot.jpg"),
        ("GET", "/api/v1/streams/nobody/counts"),
        ("GET", "/api/v1/streams/nobody/heatmap"),
    ],
)
def test_a_stream_that_is_not_there_is_not_found_by_any_call(api: TestClient, method: str, path: str) -> None:
    body = {} if method in ("PATCH", "PUT") else None
    problem_of(api.request(method, path, json=body), 404, "unknown-stream")


def test_unknown_paths_and_methods_are_problems_too(api: TestClient) -> None:
    problem_of(api.get("/api/v1/nothing"), 404, "not-found")
    problem_of(api.post("/api/v1/streams"), 405, "method-not-allowed")


def test_a_patch_changes_what_it_names_and_nothing_else(api: TestClient, camera: str) -> None:
    before = api.get(f"/api/v1/streams/{camera}").json()
    after = api.patch(f"/api/v1/streams/{camera}", json={"enabled": False}).json()
    assert after["state"] == "stopped"
    assert {k: v for k, v in after.items() if before.get(k) != v}.keys() <= {
        "enabled",
        "state",
        "error",
        "error_code",
        "since",
        "since_s",
    }
    problem_of(api.patch(f"/api/v1/streams/{camera}", json={"analysis_fps": -1}), 422, "invalid")
    problem_of(api.patch(f"/api/v1/streams/{camera}", json={"source": None}), 422, "invalid")


def test_deleting_keeps_history_unless_it_is_purged(api: TestClient, counted: str, store: BrokenStore) -> None:
    assert api.delete(f"/api/v1/streams/{counted}").status_code == 204
    assert store.minutes(counted, 0, 2**40)
    assert api.put(f"/api/v1/streams/{counted}", json={"source": RTSP}).status_code == 201
    assert api.delete(f"/api/v1/streams/{counted}", params={"purge": True}).status_code == 204
    assert store.minutes(counted, 0, 2**40) == []


def test_geometry_is_versioned_and_a_lost_race_is_told(api: TestClient, camera: str) -> None:
    line = {"id": "door", "a": [0.5, 0.1], "b": [0.5, 0.9]}
    path = f"/api/v1/streams/{camera}/geometry"
    assert api.get(path).json() == {"lines": [], "zones": [], "homography": None, "version": 1}
    assert api.put(path, json={"lines": [line], "version": 1}).json()["version"] == 2
    assert api.put(path, json={"lines": [line], "version": 2}).json()["version"] == 2  # the same changes nothing
    problem_of(api.put(path, json={"lines": [], "version": 1}), 409, "geometry-conflict")
    assert api.get(path).json()["lines"][0]["in_name"] == "in"


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        ({"lines": [{"id": "a", "a": [0.5, 0.1], "b": [0.5, 0.1]}]}, "same point"),
        ({"lines": [{"id": "a", "a": [0.5, 1.1], "b": [0.5, 0.1]}]}, "from 0 to 1"),
        ({"lines": [{"id": "a b", "a": [0.5, 0.9], "b": [0.5, 0.1]}]}, "lines[0].id"),
        ({"zones": [{"id": "z", "polygon": [[0, 0], [1, 1]]}]}, "3 to"),
        ({"zones": [{"id": "z", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "crosses itself"),
        ({"homography": [[1, 0], [0, 1]]}, "3 rows"),
        ({"lines": [1]}, "an object"),
        ({"lines": [None]}, "an object"),
        ({"lines": [{"id": "a", "a": [10**400, 0], "b": [0.5, 0.1]}]}, "a point"),
        ({"zones": [{"id": "z", "polygon": [[0, 0], [1, 0], [1, 1]], "dwell_min_s": 10**400}]}, "dwell_min_s"),
    ],
)
def test_geometry_that_makes_no_sense_is_refused_in_words(
    api: TestClient, camera: str, geometry: dict[str, Any], says: str
) -> None:
    problem = problem_of(api.put(f"/api/v1/streams/{camera}/geometry", json=geometry), 422, "geometry-invalid")
    assert says in problem["detail"]
    registered = api.put("/api/v1/streams/other", json={"source": RTSP, "geometry": geometry})
    problem_of(registered, 422, "geometry-invalid")


def test_half_a_character_in_a_name_is_refused_and_no_list_is_lost(api: TestClient, camera: str) -> None:
    body = '{"lines": [{"id": "a", "name": "\\ud800", "a": [0.5, 0.9], "b": [0.5, 0.1]}]}'
    answer = api.put(f"/api/v1/streams/{camera}/geometry", content=body, headers={"Content-Type": "application/json"})
    problem_of(answer, 422, "geometry-invalid")
    assert api.get("/api/v1/streams").status_code == 200


def test_putting_a_stream_again_without_geometry_keeps_what_is_drawn(api: TestClient, camera: str) -> None:
    line = {"id": "door", "a": [0.5, 0.1], "b": [0.5, 0.9]}
    api.put(f"/api/v1/streams/{camera}/geometry", json={"lines": [line]})
    api.put(f"/api/v1/streams/{camera}", json={"source": RTSP})
    assert len(api.get(f"/api/v1/streams/{camera}/geometry").json()["lines"]) == 1


def test_a_probe_gives_the_reason_why_not(api: TestClient, tmp_path: Path) -> None:
    def probe(source: dict[str, Any]) -> dict[str, Any]:
        answer = api.post("/api/v1/streams/probe", json={"source": source, "seconds": 0.5})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(b"no video" * 100)
    assert probe({"type": "file", "path": str(tmp_path / "none.mp4")})["error_code"] == "source-not-found"
    assert probe({"type": "file", "path": str(rubbish)})["error_code"] == "source-unsupported"
    refused = probe({"type": "rtsp", "url": "rtsp://u:s3cret@127.0.0.1:9/x"})
    assert refused["error_code"] == "source-unreachable"
    assert "s3cret" not in refused["error"]
    small = {"type": "simulator", "scene": {"people": 1, "seconds": 2, "width": 320, "height": 180}}
    good = probe(small)
    assert good["ok"] is True
    assert (good["width"], good["height"]) == (320, 180)
    assert good["snapshot"].startswith("data:image/jpeg;base64,")
    odd = api.post("/api/v1/streams/probe", json={"source": {**small, "scene": {"width": 321}}})
    assert problem_of(odd, 422, "invalid")["errors"][0]["field"] == "source.simulator.scene.width"


def test_a_database_that_is_away_is_a_503_that_may_be_tried_again(
    api: TestClient, camera: str, store: BrokenStore
) -> None:
    store.away = True
    answer = api.put("/api/v1/streams/new", json={"source": RTSP})
    problem_of(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"]
    problem_of(api.get(f"/api/v1/streams/{camera}/counts"), 503, "store-unavailable")
    assert api.get("/readyz").status_code == 503
    assert api.get("/healthz").status_code == 200
    store.away = False
    assert api.put("/api/v1/streams/new", json={"source": RTSP}).status_code == 201


def test_every_path_is_in_the_openapi_document_with_examples(api: TestClient) -> None:
    document = api.get("/api/v1/openapi.json").json()
    expected = {
        "/api/v1/streams",
        "/api/v1/streams/{stream}",
        "/api/v1/streams/probe",
        "/api/v1/streams/{stream}/geometry",
        "/api/v1/streams/{stream}/snapshot.jpg",
        "/api/v1/streams/{stream}/counts",
        "/api/v1/streams/{stream}/heatmap",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert expected <= document["paths"].keys()
    for schema in ("StreamBody", "GeometryBody", "ProbeBody", "StreamChanges", "Problem"):
        assert document["components"]["schemas"][schema]["example"]
