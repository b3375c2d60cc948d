"""What clients of a REST API may expect: pages, conditions, HEAD, no parameter that is quietly ignored."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serve.api.models import SourceType, StreamAnswer
from serve.api.report_models import CountsAnswer, HeatmapAnswer
from tests.serve.api.conftest import NOON
from tests.serve.api.test_streams import RTSP, problem_of

STREAMS = "/api/v1/streams"


@pytest.fixture
def shop(api: TestClient) -> TestClient:
    """Seven streams on two sites."""
    for number in range(7):
        body = {"name": f"Camera {number}", "site": "north" if number % 2 else "south", "source": RTSP}
        assert api.put(f"{STREAMS}/cam-{number}", json=body).status_code == 201
    return api


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [view["id"] for view in answer.json()]


def test_pages_follow_one_another_until_all_is_told(shop: TestClient) -> None:
    found, address, pages = [], f"{STREAMS}?limit=3&site=south", 0
    while address:
        answer = shop.get(address)
        assert answer.headers["X-Total-Count"] == "4"
        found += ids(answer)
        link = answer.links.get("next", {}).get("url", "")
        address, pages = str(answer.url.join(link)) if link else "", pages + 1
    assert (found, pages) == (["cam-0", "cam-2", "cam-4", "cam-6"], 2)


def test_a_page_after_a_stream_that_is_gone_goes_on_where_it_stood(shop: TestClient) -> None:
    shop.delete(f"{STREAMS}/cam-3")
    assert ids(shop.get(STREAMS, params={"after": "cam-3", "limit": 2})) == ["cam-4", "cam-5"]


def test_the_link_to_the_next_page_keeps_what_was_asked(shop: TestClient) -> None:
    answer = shop.get(STREAMS, params={"limit": 1, "search": "camera"})
    assert answer.links["next"]["url"] == "?limit=1&search=camera&after=cam-0"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "CAMERA 4"}, ["cam-4"]),
        ({"search": "cam-5"}, ["cam-5"]),
        ({"site": "nowhere"}, []),
        ({"state": "running"}, []),
        ({"state": ["starting", "failed"], "site": "north"}, ["cam-1", "cam-3", "cam-5"]),
        ({"reader": "reader-1"}, []),
    ],
)
def test_streams_are_found_by_what_is_known_of_them(
    shop: TestClient, query: dict[str, Any], expected: list[str]
) -> None:
    assert ids(shop.get(STREAMS, params=query)) == expected


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (STREAMS, {"sate": "running"}),
        (f"{STREAMS}/door", {"verbose": "1"}),
        (f"{STREAMS}/door/counts", {"from": "2026-01-01"}),
        (f"{STREAMS}/door/heatmap", {"mesure": "visits"}),
        ("/api/v1/source-types", {"type": "rtsp"}),
        ("/healthz", {"deep": "1"}),
    ],
)
def test_a_parameter_that_nobody_knows_is_refused(
    api: TestClient, camera: str, path: str, query: dict[str, str]
) -> None:
    problem = problem_of(api.get(path, params=query), 422, "bad-request")
    assert next(iter(query)) in problem["detail"]


def test_a_parameter_that_is_given_twice_is_refused_where_one_counts(shop: TestClient) -> None:
    problem_of(shop.get(f"{STREAMS}?limit=1&limit=3"), 422, "bad-request")
    assert ids(shop.get(f"{STREAMS}?state=starting&state=failed&limit=1")) == ["cam-0"]


@pytest.mark.parametrize("token", ["a-long-token"])
@pytest.mark.parametrize("path", [STREAMS, "/metrics"])
def test_whoever_may_not_ask_does_not_learn_what_could_be_asked(api: TestClient, token: str, path: str) -> None:
    problem = problem_of(api.get(path, params={"bogus": "1"}), 401, "unauthorized")
    assert "limit" not in problem["detail"]


@pytest.mark.parametrize("token", ["a-long-token"])
def test_a_live_connection_with_a_parameter_that_nobody_knows_is_closed(api: TestClient, token: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        api.websocket_connect(
            f"{STREAMS}/door/tracks?pictur=true", headers={"Authorization": f"Bearer {token}"}
        ) as socket,
    ):
        socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (4400, "there is no query parameter 'pictur' here")


def test_a_patch_of_what_must_not_be_there_is_refused(api: TestClient, camera: str) -> None:
    answer = api.patch(f"{STREAMS}/{camera}", json={"name": "x"}, headers={"If-None-Match": "*"})
    problem_of(answer, 412, "precondition-failed")


@pytest.mark.parametrize("path", ["/", "/docs", "/static/docs.html", "/static/index.html", "/static/main.js"])
def test_no_file_of_the_page_comes_without_its_policy(api: TestClient, path: str) -> None:
    assert "frame-ancestors 'none'" in api.get(path).headers["content-security-policy"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 5001}, {"state": "happy"}])
def test_values_out_of_bounds_are_refused(api: TestClient, query: dict[str, Any]) -> None:
    problem_of(api.get(STREAMS, params=query), 422, "invalid")


@pytest.mark.parametrize("path", [STREAMS, f"{STREAMS}/door", f"{STREAMS}/door/counts", "/healthz", "/", "/metrics"])
def test_head_answers_as_get_would_without_the_body(api: TestClient, camera: str, path: str) -> None:
    got, head = api.get(path), api.head(path)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    assert api.head(f"{STREAMS}/nobody").status_code == 404


def test_an_etag_names_what_is_wanted_and_guards_it(api: TestClient, camera: str) -> None:
    path = f"{STREAMS}/{camera}"
    seen = api.get(path).headers["etag"]
    assert api.get(path).headers["etag"] == seen
    mine = api.patch(path, json={"name": "Mine"}, headers={"If-Match": seen})
    assert (mine.status_code, mine.headers["etag"] != seen) == (200, True)
    theirs = api.patch(path, json={"name": "Theirs"}, headers={"If-Match": seen})
    problem_of(theirs, 412, "precondition-failed")
    problem_of(api.delete(path, headers={"If-Match": seen}), 412, "precondition-failed")
    body = {"source": RTSP}
    problem_of(api.put(path, json=body, headers={"If-None-Match": "*"}), 412, "precondition-failed")
    problem_of(api.put(f"{STREAMS}/new", json=body, headers={"If-Match": "*"}), 412, "precondition-failed")
    assert api.put(f"{STREAMS}/new", json=body, headers={"If-None-Match": "*"}).status_code == 201
    both = f'"0-0-0", {mine.headers["etag"]}'
    assert api.delete(path, headers={"If-Match": both}).status_code == 204


def test_geometry_has_an_etag_of_its_own(api: TestClient, camera: str) -> None:
    path = f"{STREAMS}/{camera}/geometry"
    seen = api.get(path).headers["etag"]
    api.patch(f"{STREAMS}/{camera}", json={"name": "New"})
    assert api.get(path).headers["etag"] == seen
    line = {"id": "door", "a": [0.5, 0.1], "b": [0.5, 0.9]}
    drawn = api.put(path, json={"lines": [line]}, headers={"If-Match": seen})
    assert drawn.headers["etag"] != seen
    problem_of(api.put(path, json={}, headers={"If-Match": seen}), 412, "precondition-failed")


@pytest.mark.parametrize("header", ["abc", '"abc', "*, *", '"a" "b"'])
def test_a_condition_that_cannot_be_read_is_refused(api: TestClient, camera: str, header: str) -> None:
    answer = api.patch(f"{STREAMS}/{camera}", json={"name": "x"}, headers={"If-Match": header})
    problem_of(answer, 422, "bad-request")


def test_answers_are_what_the_document_says(api: TestClient, counted: str) -> None:
    window = {"start": NOON, "end": NOON + 180}
    CountsAnswer.model_validate(api.get(f"{STREAMS}/{counted}/counts", params=window).json())
    HeatmapAnswer.model_validate(api.get(f"{STREAMS}/{counted}/heatmap", params=window).json())
    StreamAnswer.model_validate(api.get(f"{STREAMS}/{counted}").json())
    for kind in api.get("/api/v1/source-types").json():
        SourceType.model_validate(kind)


def test_the_document_has_clean_names_security_and_examples(api: TestClient) -> None:
    document = api.get("/api/v1/openapi.json").json()
    schemas = document["components"]["securitySchemes"].values()
    assert {scheme["type"] for scheme in schemas} == {"http"}
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"get", "put", "post", "patch", "delete"}
    }
    assert sum(len(path) for path in document["paths"].values()) == len(operations)  # each has a name of its own
    assert all(name.isidentifier() and "api_v1" not in name for name in operations)
    open_to_all = {name for name, operation in operations.items() if not operation.get("security")}
    assert open_to_all == {"get_health", "get_readiness"}
    for name in ("StreamAnswer", "GeometryAnswer", "CountsAnswer", "HeatmapAnswer", "ProbeAnswer"):
        assert document["components"]["schemas"][name]["example"], name
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (StreamAnswer, "StreamAnswer"),
        (CountsAnswer, "CountsAnswer"),
        (HeatmapAnswer, "HeatmapAnswer"),
    ],
)
def test_examples_keep_to_their_own_schema(api: TestClient, model: Any, schema: str) -> None:
    example = api.get("/api/v1/openapi.json").json()["components"]["schemas"][schema]["example"]
    model.model_validate(example)
