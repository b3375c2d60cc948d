"""The page's sinks, in a real browser: made in a form, tried, watched while they are away, sent what they refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from footfall import Client
from footfall.types import StreamBody
from serve.events.sinks.webhook import signature
from serve.launch.service import Service
from tests.integration.conftest import Complaints, Shoot, wait_to_fit
from tests.integration.sinks.receivers import HttpReceiver
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
DEAD_URL = "rtsp://127.0.0.1:9/nobody"
SECRET = "whsec_" + "Zm9vdGZhbGwtc2lua3Mt" * 2
REFUSED = "status of 422"
UNDELIVERED = "status of 502"


class Refuser:
    """An HTTP server that says no to everything, until it is told to say something else.

    Attributes:
        status: what it answers with.
        requests: headers and bodies that it got.
    """

    def __init__(self) -> None:
        self.status = 422
        self.requests: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class Sinks:
    """Sinks over REST.

    Args:
        url: of the service.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def list(self) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self._ask("GET", "/sinks"))

    def get(self, sink: str) -> dict[str, Any]:
        return cast(dict[str, Any], self._ask("GET", f"/sinks/{sink}"))

    def put(self, sink: str, url: str, secret: str | None = None, **more: Any) -> None:
        self._ask("PUT", f"/sinks/{sink}", {"target": {"type": "webhook", "url": url, "secret": secret}, **more})

    def delete(self, sink: str) -> None:
        self._ask("DELETE", f"/sinks/{sink}")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def close(self) -> None:
        for sink in self.list():
            self.delete(sink["id"])
        self._http.close()


@pytest.fixture
def sinks(service: Service) -> Iterator[Sinks]:
    """What a test leaves behind is removed after it."""
    made = Sinks(service.url)
    yield made
    made.close()


@pytest.fixture
def page(sinks: Sinks, page: Page) -> Page:
    """Closed before its sinks are removed: it would complain that they are not there."""
    del sinks
    return page


@pytest.fixture
def refuser() -> Iterator[Refuser]:
    with Refuser() as running:
        yield running


def let_things_happen(api: Client, *streams: str) -> None:
    """Register cameras that are not there: that they have no picture is an event each."""
    for stream in streams:
        body = cast(StreamBody, {"source": {"type": "rtsp", "url": DEAD_URL}})
        api.put_stream(stream, body, only_new=True)


def row(page: Page, sink: str) -> Locator:
    return page.locator(f'[data-sink="{sink}"]')


def told(page: Page, sink: str) -> Locator:
    """What came of what somebody asked of it."""
    return row(page, sink).get_by_role("status")


def error_of(page: Page, name: str) -> Locator:
    return page.locator(f'[data-field="{name}"] .field-error')


def test_a_webhook_is_made_tried_and_watched_while_it_is_away(
    page: Page, api: Client, sinks: Sinks, complaints: Complaints, shoot: Shoot
) -> None:
    with HttpReceiver() as receiver:
        page.goto("/#/")
        page.get_by_role("link", name="Sinks", exact=True).click()
        expect(page.get_by_role("heading", name="No sink yet")).to_be_visible()
        shoot("sinks-empty")
        page.get_by_role("link", name="Add a sink").click()
        page.get_by_role("radio", name="Webhook").check()
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("Name").fill("Light over the till")
        expect(page.get_by_label("Id", exact=True)).to_have_value("light-over-the-till")
        shoot("sinks-add")
        page.get_by_role("button", name="Save").click()

        mine = row(page, "light-over-the-till")
        badge = mine.locator(".badge")
        expect(badge).to_have_text("Delivering")
        expect(mine).to_contain_text("All events")
        page.get_by_role("button", name="Send a test: Light over the till").click()
        expect(told(page, "light-over-the-till")).to_have_text(re.compile(r"^Arrived at \d\d:\d\d:\d\d\.$"))
        tests = [event for event in receiver.events() if event["type"] == "footfall.test.v1"]
        assert [event["data"]["sink"] for event in tests] == ["light-over-the-till"]

        complaints.expected.append(UNDELIVERED)
        receiver.kill()
        let_things_happen(api, "gone")
        expect(badge).to_have_text("Not arriving")
        expect(mine.locator(".sink-error")).to_contain_text("127.0.0.1 does not answer")
        expect(mine).to_contain_text(re.compile(r"\d+ waiting for \d+"))
        page.get_by_role("button", name="Send a test").click()
        expect(told(page, "light-over-the-till")).to_contain_text("does not answer")
        expect(page.get_by_role("button", name="Send a test")).to_be_focused()
        shoot("sinks-away")

        receiver.start()
        expect(badge).to_have_text("Delivering", timeout=60_000)
        expect(mine).to_contain_text(re.compile(r"[1-9]\d*, last \d\d:\d\d:\d\d"))
        wait_until(lambda: any(event["type"] != "footfall.test.v1" for event in receiver.events()), 10, "an event")


def test_what_a_sink_refuses_is_sent_again_or_thrown_away(
    page: Page, api: Client, sinks: Sinks, refuser: Refuser, complaints: Complaints, shoot: Shoot
) -> None:
    complaints.expected.append(UNDELIVERED)
    sinks.put("strict", refuser.url, name="Strict")
    let_things_happen(api, "one", "two", "three")
    wait_until(lambda: sinks.get("strict")["dead_letters"] >= 3, 60, "three refused events")
    sinks.put("strict", refuser.url, name="Strict", enabled=False)
    wait_until(lambda: sinks.get("strict")["deliverer"] is None, 20, "nobody to deliver any more")
    count = sinks.get("strict")["dead_letters"]

    page.goto("/#/sinks")
    row(page, "strict").get_by_role("link", name=f"{count} events").click()
    expect(page.get_by_role("heading", name="Refused by Strict")).to_be_visible()
    letters = page.locator("[data-letter]")
    expect(letters).to_have_count(count)
    expect(letters.first).to_contain_text("127.0.0.1 answers 422")
    shoot("sinks-refused")

    letters.first.get_by_role("button", name="Send again").click()
    expect(letters.first.get_by_role("status")).to_have_text("127.0.0.1 answers 422")
    letters.first.get_by_role("button", name="Throw away").click()
    page.get_by_role("button", name="Cancel").click()
    expect(letters).to_have_count(count)
    letters.first.get_by_role("button", name="Throw away").click()
    page.get_by_role("button", name="Throw it away").click()
    expect(letters).to_have_count(count - 1)
    expect(letters.first.get_by_role("button", name="Send again")).to_be_focused()

    page.get_by_role("button", name="Send all again").click()
    outcome = page.locator(".dead-letters > .outcome")
    expect(outcome).to_have_text("0 sent; the next did not arrive. 127.0.0.1 answers 422")
    refuser.status = 204
    letters.first.get_by_role("button", name="Send again").click()
    expect(letters).to_have_count(count - 2)
    page.get_by_role("button", name="Send all again").click()
    expect(outcome).to_contain_text("All are sent")
    expect(page.get_by_text("There are none.")).to_be_visible()
    assert sinks.get("strict")["dead_letters"] == 0


def test_a_sink_is_changed_switched_off_and_removed_and_its_secret_kept(
    page: Page, sinks: Sinks, refuser: Refuser
) -> None:
    refuser.status = 204
    sinks.put("lamp", refuser.url, SECRET, name="Lamp")
    page.goto("/#/sinks")
    page.get_by_role("link", name="Change: Lamp").click()
    expect(page.get_by_label("Secret")).to_have_value("***")
    page.get_by_label("Name").fill("Red lamp")
    page.get_by_label("Queues").check()
    page.get_by_label("Cameras", exact=True).fill("door, till")
    page.get_by_label("Sites", exact=True).fill('"Hamburg, Altona"')
    page.get_by_role("button", name="Save").click()
    expect(row(page, "lamp")).to_contain_text("Red lamp")
    for text in ("Queues", "of door, till", "in Hamburg, Altona"):
        expect(row(page, "lamp")).to_contain_text(text)
    saved = sinks.get("lamp")
    assert (saved["types"], saved["streams"], saved["sites"]) == (
        ["footfall.queue.v1"],
        ["door", "till"],
        ["Hamburg, Altona"],
    )

    page.get_by_role("button", name="Send a test").click()
    expect(told(page, "lamp")).to_contain_text("Arrived")
    headers, body = refuser.requests[-1]
    signed = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == signed

    page.get_by_role("button", name="Switch off").click()
    expect(row(page, "lamp").locator(".badge")).to_have_text("Off")
    expect(page.get_by_role("button", name="Switch on")).to_be_focused()
    assert sinks.get("lamp") | {"enabled": False, "types": ["footfall.queue.v1"]} == sinks.get("lamp")
    page.get_by_role("button", name="Switch on").click()
    expect(row(page, "lamp").locator(".badge")).to_have_text("Delivering")

    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove the sink").click()
    expect(page.get_by_role("heading", name="No sink yet")).to_be_visible()
    expect(page.get_by_role("heading", name="Sinks", exact=True)).to_be_focused()
    assert sinks.list() == []


def test_what_is_wrong_stands_next_to_its_field(
    page: Page, sinks: Sinks, refuser: Refuser, complaints: Complaints
) -> None:
    complaints.expected += [REFUSED, "status of 412"]
    sinks.put("lamp", refuser.url)
    page.goto("/#/sinks/add")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Address")).to_be_focused()
    expect(error_of(page, "target.url")).to_contain_text("is needed")
    expect(error_of(page, "id")).to_contain_text("An id is needed")
    page.get_by_label("Address").fill("ftp://127.0.0.1/")
    page.get_by_label("Name").fill("Lamp")
    page.get_by_label("Cameras", exact=True).fill("two words")
    page.get_by_role("button", name="Save").click()
    expect(error_of(page, "streams")).to_contain_text("These are no ids: two words")
    page.get_by_label("Cameras", exact=True).fill("")
    page.get_by_role("button", name="Save").click()
    expect(error_of(page, "target.url")).to_contain_text("http://HOST/PATH")
    page.get_by_label("Address").fill("http://192.0.2.1/")
    page.get_by_role("button", name="Save").click()
    expect(error_of(page, "id")).to_have_text("There is a sink with this id already.")
    assert [sink["place"] for sink in sinks.list()] == [refuser.url]


def test_a_change_that_somebody_else_overtook_is_not_saved(
    page: Page, sinks: Sinks, refuser: Refuser, complaints: Complaints
) -> None:
    complaints.expected.append("status of 412")
    sinks.put("lamp", refuser.url, name="Lamp")
    page.goto("/#/sinks/lamp/settings")
    page.get_by_label("Name").fill("Mine")
    sinks.put("lamp", refuser.url, name="Theirs")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed this sink")
    expect(page.get_by_label("Name")).to_have_value("Mine")
    page.get_by_role("button", name="Load theirs").click()
    expect(page.get_by_label("Name")).to_have_value("Theirs")


def test_a_sink_of_the_settings_cannot_be_changed_here(page: Page, sinks: Sinks, refuser: Refuser) -> None:
    sinks.put("lamp", refuser.url)
    theirs = sinks.get("lamp") | {"by_settings": True}
    page.route("**/api/v1/sinks", lambda route: route.fulfill(json=[theirs]))
    page.route("**/api/v1/sinks/lamp", lambda route: route.fulfill(json=theirs))
    page.goto("/#/sinks")
    expect(row(page, "lamp")).to_contain_text("can only be changed there")
    expect(page.get_by_role("button", name="Send a test")).to_be_visible()
    for name in ("Switch off", "Remove"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/#/sinks/lamp/settings")
    expect(page.get_by_text("can only be changed there")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(
    page: Page, sinks: Sinks, refuser: Refuser, scheme: Any, shoot: Shoot
) -> None:
    page.emulate_media(color_scheme=scheme)
    event = {"id": "1", "type": "footfall.crossing.v1", "stream": "door", "time": "2026-03-01T09:00:00Z"}
    event["data"] = {"line": "door" * 16, "direction": "in"}  # type: ignore[assignment]
    letters = [{"number": 1, "at": "2026-03-01T09:00:01Z", "error": "a" * 200, "event": event}]
    page.route("**/dead-letters?*", lambda route: route.fulfill(json=letters))
    sinks.put("lamp" * 16, f"{refuser.url}/{'x' * 200}", name="n" * 200, sites=["s" * 200])
    views = {
        "sinks": "/#/sinks",
        "sinks-add": "/#/sinks/add",
        "sinks-change": f"/#/sinks/{'lamp' * 16}/settings",
        "sinks-refused": f"/#/sinks/{'lamp' * 16}/dead-letters",
    }
    for name, address in views.items():
        page.goto(address)
        expect(page.locator("[data-sink], [data-letter], form").first).to_be_visible()
        for width in (390, 1100, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            wait_to_fit(page, width)
            shoot(f"{name}-{width}-{scheme}")
