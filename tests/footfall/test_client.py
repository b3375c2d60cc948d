"""The client against the real API, without a network in between."""

from __future__ import annotations

import httpx
import pytest
from fastapi.testclient import TestClient

from footfall import ApiProblem, Client, Unreachable
from footfall.types import StreamBody, WebhookTarget
from tests.serve.api.conftest import NOON, api, camera, counted, store, token  # noqa: F401 - fixtures
from tests.waiting import wait_until

BODY: StreamBody = {"name": "Door", "source": {"type": "rtsp", "url": "rtsp://user:s3cret@192.0.2.1/x"}}


class Across(httpx.BaseTransport):
    """Hands requests to an application in this process; broken, it reaches nobody."""

    def __init__(self, app: TestClient) -> None:
        self._app = app
        self.broken = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.broken:
            raise httpx.ConnectError("connection refused", request=request)
        answer = self._app.request(
            request.method, str(request.url), headers=dict(request.headers), content=request.read()
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)


@pytest.fixture
def across(api: TestClient) -> Across:  # noqa: F811
    return Across(api)


@pytest.fixture
def client(across: Across, token: str | None) -> Client:  # noqa: F811
    return Client("http://127.0.0.1:8000", token=token, transport=across)


def test_a_stream_from_its_registration_to_its_end(client: Client) -> None:
    made = client.put_stream("door", BODY, only_new=True)
    assert (made["id"], made["state"], made["source"]["url"]) == ("door", "starting", "rtsp://***@192.0.2.1/x")
    seen = client.stream_etag("door")
    assert client.patch_stream("door", {"name": "Gate"}, if_match=seen)["name"] == "Gate"
    with pytest.raises(ApiProblem) as refused:
        client.patch_stream("door", {"name": "Late"}, if_match=seen)
    assert (refused.value.status, refused.value.code) == (412, "precondition-failed")
    drawn = client.put_geometry("door", {"lines": [{"id": "a", "a": [0.5, 0.1], "b": [0.5, 0.9]}]})
    assert client.get_geometry("door") == drawn
    client.delete_stream("door", purge=True)
    with pytest.raises(ApiProblem, match="unknown-stream"):
        client.get_stream("door")


def test_pictures_of_a_view_are_only_where_they_are_allowed(client: Client) -> None:
    client.put_stream("door", BODY)
    assert client.view_pictures("door") == {"allowed": False, "pictures": []}
    with pytest.raises(ApiProblem, match="pictures-not-allowed"):
        client.view_picture("door", "before")


def test_pages_are_one_list(client: Client) -> None:
    for number in range(7):
        client.put_stream(f"cam-{number}", {**BODY, "site": "north" if number % 2 else "south"})
    assert [view["id"] for view in client.streams(page_size=2)] == [f"cam-{n}" for n in range(7)]
    assert [view["id"] for view in client.streams(site="north", state=["starting"], page_size=1)] == [
        "cam-1",
        "cam-3",
        "cam-5",
    ]


def test_numbers_come_typed_and_as_files(client: Client, counted: str) -> None:  # noqa: F811
    window = {"start": float(NOON), "end": float(NOON + 180)}
    report = client.counts(counted, **window, bucket="1m")
    assert report["total"]["lines"]["door"]["in"] == 5
    assert client.counts_file(counted, "csv", **window).startswith(b"start,end,coverage")
    assert client.counts_file(counted, "parquet", **window)[:4] == b"PAR1"
    assert client.heatmap(counted, **window)["total"] == 180.0
    assert client.heatmap_file(counted, "png", **window)[1:4] == b"PNG"


def test_the_source_types_and_the_health_of_the_service(client: Client) -> None:
    assert {kind["type"] for kind in client.source_types()} == {"rtsp", "kafka", "file", "simulator"}
    assert list(client.streams()) == []  # once it has loaded them
    assert client.readiness() == {"status": "not ready", "problems": ["no reader is running"]}
    assert "footfall_readers" in client.metrics()
    assert client.probe({"source": {"type": "file", "path": "/nowhere.mp4"}})["error_code"] == "source-not-allowed"


def test_a_refusal_says_which_fields_are_wrong(client: Client) -> None:
    with pytest.raises(ApiProblem) as refused:
        client.put_stream("door", {"source": {"type": "rtsp", "url": "http://192.0.2.1/x"}})
    assert [error["field"] for error in refused.value.errors] == ["source.rtsp.url"]


@pytest.mark.parametrize("token", ["a-long-token"])
def test_the_token_goes_along_and_a_wrong_one_is_refused(
    client: Client,
    across: Across,
    token: str,  # noqa: F811
) -> None:
    assert list(client.streams()) == []
    with Client("http://127.0.0.1:8000", token="wrong-token", transport=across) as other:
        with pytest.raises(ApiProblem) as refused:
            list(other.streams())
        assert (refused.value.status, refused.value.code) == (401, "unauthorized")
    assert token not in repr(vars(refused.value))


def test_nobody_there_is_an_error_of_its_own(client: Client, across: Across) -> None:
    across.broken = True
    with pytest.raises(Unreachable, match="ConnectError"):
        client.get_stream("door")


@pytest.mark.parametrize("content", [b"<html>502</html>", b"[]", b'{"message": "no"}'])
def test_an_answer_that_is_not_ours_is_a_problem_too(content: bytes) -> None:
    proxy = httpx.MockTransport(lambda request: httpx.Response(502, content=content))
    with Client(transport=proxy) as client, pytest.raises(ApiProblem) as refused:
        client.get_stream("door")
    assert (refused.value.status, refused.value.code) == (502, "no-problem-document")
    strange = httpx.MockTransport(lambda request: httpx.Response(200, content=content))
    with Client(transport=strange) as client, pytest.raises(ApiProblem):
        client.readiness()


@pytest.mark.parametrize("status", [302, 307])
def test_being_sent_elsewhere_is_no_success(status: int) -> None:
    elsewhere = httpx.MockTransport(lambda request: httpx.Response(status, headers={"Location": "/login"}))
    with Client(transport=elsewhere) as client:
        for call in (client.readiness, client.metrics, lambda: client.delete_stream("a")):
            with pytest.raises(ApiProblem):
                call()


def test_an_answer_that_is_no_json_is_a_problem_too() -> None:
    strange = httpx.MockTransport(lambda request: httpx.Response(200, content=b"<html>welcome</html>"))
    with Client(transport=strange) as client:
        for call in (lambda: client.get_stream("a"), lambda: list(client.streams()), lambda: client.stream_etag("a")):
            with pytest.raises(ApiProblem, match="no-problem-document"):
                call()


def test_a_list_that_never_ends_is_not_followed_for_ever() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[], headers={"Link": '<?after=x>; rel="next"'})

    with Client(transport=httpx.MockTransport(answer)) as client:
        assert list(client.streams()) == []


def test_the_password_of_an_address_is_in_no_error() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    client = Client("http://admin:hunter2@h.example", transport=httpx.MockTransport(refuse))
    with client, pytest.raises(Unreachable) as failed:
        client.readiness()
    assert "hunter2" not in str(failed.value)
    assert "h.example" in str(failed.value)


@pytest.mark.parametrize("name", ["..", ".", "", "../../healthz?x=1", "a/b", "a" * 65])
def test_a_name_cannot_lead_to_another_path(name: str) -> None:
    client = Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json={})))
    with client, pytest.raises(ValueError, match="id or name"):
        client.get_stream(name)


@pytest.mark.parametrize("token", ["an-admins-token"])
def test_tokens_are_made_used_and_revoked_and_all_of_it_is_audited(client: Client, across: Across) -> None:
    made = client.create_token({"name": "shop", "scope": "viewer"})
    shop = Client("http://127.0.0.1:8000", token=made["token"], transport=across)
    assert list(shop.streams()) == []
    with pytest.raises(ApiProblem, match="scope operator"):
        shop.put_stream("door", BODY)
    assert [known["name"] for known in client.tokens()] == ["shop"]
    client.revoke_token("shop")
    with pytest.raises(ApiProblem, match="unauthorized"):
        list(shop.streams())
    told = [(entry["caller"], entry["action"], entry["status"]) for entry in client.audit(page_size=1)]
    assert told == [("settings", "revoke_token", 204), ("shop", "put_stream", 403), ("settings", "create_token", 201)]
    with pytest.raises(ValueError, match="letters"):
        client.revoke_token("../streams")


def test_a_sink_from_its_making_to_its_end(client: Client) -> None:
    target: WebhookTarget = {"type": "webhook", "url": "http://127.0.0.1:9/hook"}
    made = client.put_sink("till", {"types": ["footfall.queue.v1"], "target": target}, after=0)
    assert (made["id"], made["place"], made["waiting"]) == ("till", "http://127.0.0.1:9/hook", 0)
    assert [one["id"] for one in client.sinks()] == ["till"]
    assert client.replay_sink("till", since=5.0)["after"] == 0
    assert client.get_sink("till")["error"] is None
    with pytest.raises(ApiProblem) as refused:
        client.test_sink("till")
    assert (refused.value.status, refused.value.code) == (502, "not-delivered")
    assert list(client.dead_letters("till", page_size=1)) == []
    for forgotten in (client.resend_dead_letter, client.delete_dead_letter):
        with pytest.raises(ApiProblem, match="unknown-sink"):
            forgotten("till", 7)
    assert {kind["type"] for kind in client.sink_types()} == {"alertmanager", "kafka", "mqtt", "webhook"}
    client.delete_sink("till")
    assert client.sinks() == []


def test_an_alert_rule_is_changed_and_taken_back(client: Client) -> None:
    wait_until(lambda: _rules_are_known(client), 10, "the rules")
    made = client.put_alert_rule("camera-down", {"hold_s": 90, "enabled": False})
    assert (made["hold_s"], made["enabled"], made["origins"]["hold_s"]) == (90.0, False, "api")
    assert [rule for rule in client.alert_rules() if rule["name"] == "camera-down"] == [made]
    client.delete_alert_rule("camera-down")
    (rule,) = [rule for rule in client.alert_rules() if rule["name"] == "camera-down"]
    assert set(rule["origins"].values()) == {"default"}
    with pytest.raises(ApiProblem, match="unknown-alert-rule"):
        client.put_alert_rule("nobody", {})
    with pytest.raises(ValueError, match="letters"):
        client.delete_alert_rule("../streams")


def _rules_are_known(client: Client) -> bool:
    try:
        return bool(client.alert_rules())
    except ApiProblem:  # the registry has yet to read them
        return False
