"""The page's view of health, in a real browser, against the real service."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from footfall import Client
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.service import Service
from tests.integration.conftest import Shoot, wait_frames
from tests.integration.test_page import DEAD_URL, register
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
MANY = 1000


def test_a_dead_camera_is_told_with_its_reason_and_somebody_says_that_he_knows(
    page: Page, api: Client, shoot: Shoot
) -> None:
    register(api, "dead", DEAD_URL, name="Back door")
    page.goto("/#/health")
    alert = page.locator(".alert")
    expect(alert).to_have_count(1, timeout=60_000)
    expect(alert).to_contain_text("The camera cannot be reached.")
    expect(alert).to_contain_text("Back door")
    expect(alert).to_contain_text("Nobody answers at rtsp://***@127.0.0.1:9/nobody")
    expect(page.locator('.mosaic .cell[data-condition="bad"]')).to_have_count(1)
    expect(page.get_by_text("still on")).to_be_visible()
    shoot("health")
    page.get_by_role("button", name=re.compile("^I know")).click()
    expect(page.get_by_role("button", name=re.compile("^I know"))).to_be_hidden()
    expect(alert).to_contain_text("Known")
    page.get_by_label("Silence it").select_option("3600")
    expect(alert).to_contain_text("Silenced")
    api.delete_stream("dead")
    expect(alert).to_have_count(0, timeout=30_000)
    expect(page.locator(".alerts + *, .alerts").first).not_to_contain_text("Back door")


@pytest.mark.slow
def test_a_camera_says_how_it_compares_with_its_reference_and_takes_a_new_one(
    page: Page, api: Client, cameras: CameraServer, shoot: Shoot
) -> None:
    register(api, "hall", cameras.url("cam0"), name="Hall")
    wait_frames(api, "hall", 5)
    page.goto("/#/cameras/hall/health")
    expect(page.get_by_text("Pictures are as usual.")).to_be_visible(timeout=90_000)
    expect(page.locator(".trace:visible")).not_to_have_count(0, timeout=70_000)
    shoot("camera-health")
    page.get_by_role("button", name="This is the new view").click()
    page.get_by_role("dialog").get_by_role("button", name="This is the new view").click()
    expect(page.get_by_text("It is learnt anew from now on.")).to_be_visible()

    def version() -> Any:
        return page.request.get("/api/v1/monitoring/streams/hall/drift").json()["version"]

    wait_until(lambda: version() == 2, 15, "the second version of its reference")


def test_a_thousand_cameras_are_seen_at_a_glance(page: Page, service: Service, shoot: Shoot) -> None:
    del service
    now = datetime.now(UTC).isoformat()
    streams = [
        {
            "id": f"cam-{number}",
            "name": "",
            "site": f"Site {number % 7}",
            "enabled": number % 50 != 0,
            "state": "running" if number % 9 else "reconnecting",
            "since": now,
            "error": None,
            "error_code": None,
        }
        for number in range(MANY)
    ]

    def answer(route: Route) -> None:
        route.fulfill(json=streams)

    page.route("**/api/v1/streams?limit=*", answer)
    page.goto("/#/health")
    expect(page.locator(".mosaic .cell")).to_have_count(MANY)
    expect(page.locator(".mosaic section")).to_have_count(7)
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
    box = page.locator(".mosaic").bounding_box()
    assert box is not None
    assert box["height"] < 900, "all of them are in sight at once"
    page.locator(".mosaic .cell").nth(9).hover()
    expect(page.locator(".mosaic-read")).to_contain_text("look at it")
    shoot("fleet")
