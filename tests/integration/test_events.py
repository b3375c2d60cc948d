"""Events of the whole service, on their way to others."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from footfall import Client
from footfall.types import StreamBody
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.service import Service
from tests.integration.conftest import kill_replica, wait_frames
from tests.integration.wire import Wire
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
CROSSING = "footfall.crossing.v1"
GEOMETRY: dict[str, Any] = {
    "lines": [{"id": f"line-{tenth}", "a": [tenth / 10, 0.0], "b": [tenth / 10, 1.0]} for tenth in range(2, 9)]
}
"""Whoever walks through the picture has much to tell."""
LISTEN = """(query) => {
    window.heard = [];
    window.source = new EventSource(`/api/v1/events?${query}`);
    window.source.onmessage = ({ data, lastEventId }) => window.heard.push([Number(lastEventId), JSON.parse(data)]);
}"""


@pytest.fixture
def shop(api: Client, cameras: CameraServer) -> str:
    """A camera whose people cross lines all the time."""
    source = {"type": "rtsp", "url": cameras.url("cam0")}
    body = cast(StreamBody, {"source": source, "site": "berlin", "analysis_fps": 6, "geometry": GEOMETRY})
    api.put_stream("shop", body)
    wait_frames(api, "shop", 5)
    return "shop"


def crossings(api: Client, after: int = 0) -> list[tuple[int, str]]:
    """Numbers and ids of the crossings that were told."""
    return [
        (int(event["sequence"]), event["id"]) for event in api.events(type=[CROSSING], stream=["shop"], after=after)
    ]


def counted(api: Client) -> int:
    lines = api.counts("shop", bucket="1h")["total"]["lines"]
    return sum(sum(ways.values()) for ways in lines.values())


def wait_told(api: Client, count: int) -> None:
    wait_until(lambda: len(crossings(api)) >= count, 60, f"{count} crossings", every_s=0.3)


def test_every_crossing_that_is_counted_is_told_though_the_reader_dies(api: Client, shop: str) -> None:
    wait_told(api, 3)
    before = api.get_stream(shop)["epoch"]
    kill_replica("StreamReader")
    wait_until(lambda: api.get_stream(shop)["epoch"] > before, 60, "another epoch")
    wait_told(api, len(crossings(api)) + 3)
    api.patch_stream(shop, {"enabled": False})
    wait_until(lambda: api.get_stream(shop)["state"] == "stopped", 20, "its end")
    told = crossings(api)
    assert len({name for _, name in told}) == len(told) == counted(api)
    event = next(api.events(type=[CROSSING], site=["berlin"]))
    assert (event["specversion"], event["source"], event["stream"]) == ("1.0", "/api/v1/streams/shop", "shop")
    assert event["data"]["direction"] in ("in", "out")
    assert event["model"]


def test_a_browser_that_was_cut_off_has_heard_everything_once_and_in_order(
    api: Client, shop: str, service: Service, browser: Browser
) -> None:
    wait_told(api, 1)
    port = urlsplit(service.url).port
    assert port is not None
    with Wire(port) as wire:
        page = browser.new_page(base_url=f"http://127.0.0.1:{wire.port}")
        page.goto("/")
        page.evaluate(LISTEN, f"type={CROSSING}&stream=shop&after=0")

        def heard() -> list[Any]:
            return cast(list[Any], page.evaluate("window.heard"))

        for _ in range(2):
            count = len(heard())
            wait_until(lambda count=count: len(heard()) >= count + 2, 60, "further events", every_s=0.3)
            wire.cut()
            wait_told(api, len(crossings(api)) + 2)  # nobody hears of them now
            assert page.evaluate("window.source.readyState") != 1
            wire.mend()
        api.patch_stream(shop, {"enabled": False})
        wait_until(lambda: api.get_stream(shop)["state"] == "stopped", 20, "its end")
        told = crossings(api)
        wait_until(lambda: len(heard()) >= len(told), 30, "all of them", every_s=0.3)
        assert [number for number, _ in heard()] == [number for number, _ in told]
        assert [event["id"] for _, event in heard()] == [name for _, name in told]
        page.close()


def test_a_browser_that_is_cut_off_before_the_first_event_hears_of_what_happened_meanwhile(
    api: Client, service: Service, browser: Browser
) -> None:
    """Where it began is told at once: else it would begin again behind the only event that it waits for."""
    port = urlsplit(service.url).port
    assert port is not None
    with Wire(port) as wire:
        page = browser.new_page(base_url=f"http://127.0.0.1:{wire.port}")
        page.goto("/")
        page.evaluate(LISTEN, "type=footfall.stream-state.v1&stream=dead")
        wait_until(lambda: b"\nid: " in wire.newest, 20, "where it begins")
        wire.cut()
        api.put_stream("dead", cast(StreamBody, {"source": {"type": "rtsp", "url": "rtsp://127.0.0.1:9/nobody"}}))
        wait_until(lambda: list(api.events(stream=["dead"])), 30, "an event that nobody hears of")
        wire.mend()
        wait_until(lambda: page.evaluate("window.heard.length") >= 1, 30, "the browser to hear of it", every_s=0.3)
        page.close()


def test_a_camera_that_does_not_answer_is_told(api: Client) -> None:
    source = {"type": "rtsp", "url": "rtsp://viewer:s3cret@127.0.0.1:9/nobody"}
    api.put_stream("dead", cast(StreamBody, {"source": source}))

    def told() -> list[Any]:
        return [event["data"] for event in api.events(type=["footfall.stream-state.v1"], stream=["dead"])]

    (state, *_) = wait_until(told, 30, "its state")  # type: ignore[misc]
    assert (state["state"], state["before"], state["error_code"]) == ("reconnecting", None, "source-unreachable")
    assert "s3cret" not in state["error"]
