"""Tokens in the real service, and in a real browser; from its first test to its last, everybody needs one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, WebSocket, expect

from footfall import ApiProblem, Client
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.service import Service
from tests.integration.conftest import Complaints, wait_frames
from tests.integration.test_page import CHARTS, card
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def admin(service: Service, admin_token: str) -> Iterator[Client]:
    with Client(service.url, token=admin_token) as made:
        yield made


@pytest.fixture
def hall(admin: Client, cameras: CameraServer) -> Iterator[str]:
    admin.put_stream("hall", {"name": "Hall", "source": {"type": "rtsp", "url": cameras.url("cam0")}})
    wait_frames(admin, "hall", 5)
    yield "hall"
    admin.delete_stream("hall", purge=True)


def give(page: Page, token: str) -> None:
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Continue").click()


def test_the_page_asks_for_a_token_and_its_live_pictures_carry_it(
    page: Page,
    complaints: Complaints,
    hall: str,
    admin_token: str,
) -> None:
    complaints.expected.append("status of 401")
    sockets: list[WebSocket] = []
    received: list[object] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framereceived", lambda data: received.append(data))

    page.on("websocket", opened)
    page.goto("/")
    give(page, "wrong")
    expect(page.get_by_role("dialog")).to_contain_text("not accepted")
    give(page, admin_token)
    expect(card(page, hall)).to_be_visible()
    wait_until(lambda: page.title() and received, 20, "a live frame")
    assert sockets
    assert all(admin_token not in socket.url for socket in sockets)


@pytest.mark.skipif(not CHARTS, reason="the viewer is not installed: npm run vendor")
def test_the_documentation_asks_for_a_token_too(
    page: Page,
    complaints: Complaints,
    admin_token: str,
) -> None:
    complaints.expected.append("status of 401")
    page.goto("/docs")
    give(page, admin_token)
    expect(page.locator('.opblock[id*="put_stream"]').first).to_be_visible()
    expect(page).to_have_title(re.compile("API"))


def test_what_a_token_may_do_is_said_by_its_scope_and_kept_in_the_log(
    service: Service, admin: Client, cameras: CameraServer
) -> None:
    secret = admin.create_token({"name": "looks-only", "scope": "viewer"})["token"]
    with Client(service.url, token=secret) as viewer, Client(service.url) as stranger:
        assert viewer.readiness()["status"] == "ready"
        with pytest.raises(ApiProblem, match="scope operator"):
            viewer.put_stream("mine", {"source": {"type": "rtsp", "url": cameras.url("cam1")}})
        with pytest.raises(ApiProblem, match="unauthorized"):
            stranger.metrics()
        admin.revoke_token("looks-only")
        with pytest.raises(ApiProblem, match="unauthorized"):
            list(viewer.streams())
    newest = [(entry["caller"], entry["action"], entry["status"]) for entry in admin.audit()][:2]
    assert newest == [("tests", "revoke_token", 204), ("looks-only", "put_stream", 403)]
