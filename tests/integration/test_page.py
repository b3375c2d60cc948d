"""The page, in a real browser, against the real service and a simulated camera."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from footfall import ApiProblem, Client
from footfall.types import StreamBody
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.service import Service, client
from serve.settings import Settings
from tests.integration.conftest import CHARTS, Complaints, Shoot, wait_frames, wait_to_fit
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
DEAD_URL = "rtsp://viewer:s3cret@127.0.0.1:9/nobody"


@pytest.fixture(scope="module")
def http(service: Service, settings: Settings) -> Iterator[Client]:
    del service
    with client(settings) as made:
        yield made
        for view in made.streams():
            made.delete_stream(view["id"], purge=True)


@pytest.fixture(scope="module")
def running_hall(http: Client, cameras: CameraServer) -> str:
    register(http, "hall", cameras.url("cam0"), name="Hall")
    wait_frames(http, "hall", 5)
    return "hall"


@pytest.fixture
def hall(http: Client, running_hall: str) -> str:
    """A camera that runs through all tests of this file, with nothing drawn on it."""
    http.put_geometry(running_hall, {})
    return running_hall


@pytest.fixture
def api(http: Client) -> Iterator[Client]:
    """A client; what a test registers is removed after it, but not the hall."""
    yield http
    for view in http.streams():
        if view["id"] != "hall":
            http.delete_stream(view["id"], purge=True)


def register(api: Client, stream: str, url: str, **more: Any) -> None:
    body = cast(StreamBody, {"source": {"type": "rtsp", "url": url}, **more})
    api.put_stream(stream, body, only_new=True)


def geometry_of(api: Client, stream: str) -> dict[str, Any]:
    return cast(dict[str, Any], api.get_geometry(stream))


def card(page: Page, stream: str) -> Locator:
    return page.locator(f'.card[data-stream="{stream}"]')


def click_at(page: Page, surface: Locator, x: float, y: float) -> None:
    """Click at shares of an element."""
    box = surface.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def drag(page: Page, surface: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = surface.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
    page.mouse.up()


def expect_live_boxes(picture: Locator) -> None:
    """Several frames have been drawn, and there is somebody in the newest."""
    expect(picture).to_have_attribute("data-frames", re.compile(r"^([4-9]|\d\d+)$"))
    expect(picture).to_have_attribute("data-boxes", re.compile(r"^[1-9]"))


def open_editor(page: Page, stream: str) -> Locator:
    page.goto(f"/#/cameras/{stream}/draw")
    expect(page.get_by_alt_text("Snapshot of the camera")).to_be_visible()
    return page.locator(".draw-surface")


def test_a_service_without_cameras_says_what_to_do(page: Page, shoot: Shoot) -> None:
    page.route("**/api/v1/streams?limit=*", lambda route: route.fulfill(json=[]))
    page.goto("/")
    expect(page.get_by_role("heading", name="No camera yet")).to_be_visible()
    shoot("empty")
    page.get_by_role("link", name="Use a simulated one").click()
    expect(page.get_by_role("radio", name="Simulator")).to_be_checked()


def test_a_camera_is_tried_registered_and_seen_live_with_boxes(
    page: Page, api: Client, cameras: CameraServer, shoot: Shoot
) -> None:
    page.goto("/#/add")
    page.get_by_label("Address").fill(cameras.url("cam0"))
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_role("button", name="Try the camera").click()
    expect(page.get_by_text("It works.")).to_be_visible()
    expect(page.get_by_text("h264")).to_be_visible()
    expect(page.get_by_text(re.compile("^640 . 360$"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"^1[0-4](\.\d+)? measured"))).to_be_visible()
    assert [view["id"] for view in api.streams()] in ([], ["hall"])
    page.get_by_label("Name").fill("Fürth, Eingang 1")
    expect(page.get_by_label("Id", exact=True)).to_have_value("furth-eingang-1")
    shoot("tried")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Fürth, Eingang 1")).to_be_visible()
    expect_live_boxes(page.locator(".live .picture"))
    expect(page.locator(".live .picture-people")).to_be_visible()
    view = api.get_stream("furth-eingang-1")
    assert (view["name"], view["analysis_fps"]) == ("Fürth, Eingang 1", 6)

    page.get_by_role("link", name="All cameras").click()
    mine = card(page, "furth-eingang-1")
    expect(mine.locator(".badge")).to_have_text("Running")
    expect(mine.locator('[data-figure="fps_processed"]')).to_have_text(re.compile(r"^[4-7]\.\d/s$"))
    expect_live_boxes(mine.locator(".picture"))
    pixels = page.evaluate(
        """() => {
          const canvas = document.querySelector('.card canvas');
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )
    assert pixels > 1000, "the canvas shows no picture"
    expect(page.locator("#capacity")).to_have_text(re.compile(r"1 reader: cameras want \d+\.\d of \d+\.\d cores"))
    shoot("cameras")


def test_a_line_and_a_zone_are_drawn_saved_and_counted(
    page: Page, api: Client, hall: str, clip: Path, shoot: Shoot
) -> None:
    truth = json.loads((clip / "geometry.json").read_text())
    line, zone = truth["lines"][0], truth["zones"][0]
    before = geometry_of(api, hall)["version"]
    surface = open_editor(page, hall)
    page.get_by_role("button", name="Draw a line").click()
    click_at(page, surface, *line["a"])
    click_at(page, surface, *line["b"])
    page.get_by_label("Name").fill("Door")
    page.get_by_label("With the arrow").fill("enter")
    page.get_by_label("Against it").fill("leave")
    page.get_by_role("button", name="Draw a zone").click()
    for corner in [*zone["polygon"], zone["polygon"][0]]:
        click_at(page, surface, *corner)
    page.get_by_label("Name").last.fill("Till")
    page.get_by_text("Tell as an event").click()
    page.get_by_label("People inside, from").fill("2")
    shoot("drawn")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_disabled()

    saved = geometry_of(api, hall)
    assert saved["version"] == before + 1
    assert {key: saved["lines"][0][key] for key in ("id", "name", "in_name", "out_name")} == {
        "id": "door",
        "name": "Door",
        "in_name": "enter",
        "out_name": "leave",
    }
    assert saved["lines"][0]["a"] == pytest.approx(line["a"], abs=0.005)
    assert saved["lines"][0]["b"] == pytest.approx(line["b"], abs=0.005)
    assert (saved["zones"][0]["id"], saved["zones"][0]["dwell_min_s"]) == ("till", 3)
    assert saved["zones"][0]["limits"]["occupancy"] == {"people": 2, "clear": 1, "hold_s": 5, "cool_down_s": 60}
    assert saved["zones"][0]["polygon"] == [pytest.approx(corner, abs=0.005) for corner in zone["polygon"]]

    page.get_by_role("link", name="Back to the camera").click()
    tile = page.locator('.tile[data-line="door"]')
    expect(tile).to_contain_text("enter")
    wait_until(lambda: crossings(tile), 40, "a crossing on the page, without a reload", every_s=0.3)
    expect(page.locator(".heat")).to_have_attribute("data-total", re.compile(r"^[1-9]"))
    expect(page.get_by_role("img", name=re.compile("^Heatmap, "))).to_be_visible()
    if CHARTS:
        expect(page.locator(".uplot")).to_have_count(3)
        painted = page.evaluate(
            """() => {
              const canvas = document.querySelector('.uplot canvas');
              const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
              return new Set(new Uint32Array(data.buffer)).size;
            }"""
        )
        assert painted > 20, "the chart is empty"
    else:
        expect(page.get_by_text("npm run vendor")).to_be_visible()
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("columnheader", name="Door: enter")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "hall-1m.csv"
    assert "line.door.in" in Path(download.value.path()).read_text().splitlines()[0]
    page.get_by_role("radio", name="Visits").check()
    expect(page.get_by_text("visits per cell")).to_be_visible()
    page.mouse.wheel(0, -3000)
    shoot("camera")


def crossings(tile: Locator) -> int:
    """Sum of both directions as the tile shows them; 0 while it shows none."""
    return sum(int(number) for number in re.findall(r"\d+", " ".join(tile.locator(".tile-number").all_inner_texts())))


def test_without_the_chart_library_the_page_says_so_and_shows_the_rest(
    page: Page, hall: str, complaints: Complaints
) -> None:
    complaints.expected.append("vendor/")
    page.route("**/vendor/*", lambda route: route.fulfill(status=404))
    page.goto(f"/#/cameras/{hall}")
    expect(page.get_by_text("npm run vendor")).to_be_visible()
    expect(page.locator('.tile[data-kind="people"]')).to_be_visible()
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("columnheader", name="People on average")).to_be_visible()


def test_points_are_dragged_and_moved_by_keys_and_changes_are_undone(page: Page, api: Client, hall: str) -> None:
    drawn = {"lines": [{"id": "door", "name": "Door", "a": [0.5, 0.2], "b": [0.5, 0.8]}]}
    api.put_geometry(hall, drawn)
    surface = open_editor(page, hall)
    drag(page, surface, (0.5, 0.2), (0.3, 0.4))
    expect(page.get_by_role("button", name="Door, point A, 30 % from the left, 40 % from the top")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Door, point B")).focus()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_role("button", name="Door, point B, 60 % from the left, 80 % from the top")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Door, point B, 50 % from the left, 80 % from the top")).to_be_visible()
    page.get_by_role("button", name="Turn the arrow").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    saved = geometry_of(api, hall)["lines"][0]
    assert (saved["id"], saved["a"]) == ("door", [0.5, 0.8])
    assert saved["b"] == pytest.approx([0.3, 0.4], abs=0.005)
    page.get_by_role("button", name="Delete Door").click()
    expect(page.get_by_text("Nothing is drawn yet.")).to_be_visible()


def test_a_zone_is_drawn_with_the_keyboard_alone(page: Page, api: Client, hall: str) -> None:
    open_editor(page, hall)
    page.get_by_role("button", name="Draw a zone").press("Enter")
    for keys in (["Enter"], ["Shift+ArrowRight"] * 4 + ["Enter"], ["Shift+ArrowDown"] * 4 + ["Enter", "Enter"]):
        for key in keys:
            page.keyboard.press(key)
    page.keyboard.type("Queue")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    zone = geometry_of(api, hall)["zones"][0]
    assert (zone["id"], zone["polygon"]) == ("queue", [[0.5, 0.5], [0.7, 0.5], [0.7, 0.7]])


def test_a_drawing_that_somebody_else_overtook_is_kept_until_you_choose(
    page: Page, api: Client, hall: str, complaints: Complaints
) -> None:
    complaints.expected.append("status of 409")
    surface = open_editor(page, hall)
    page.get_by_role("button", name="Draw a line").click()
    drag(page, surface, (0.2, 0.3), (0.2, 0.8))
    theirs = {"zones": [{"id": "theirs", "name": "Theirs", "polygon": [[0.6, 0.6], [0.9, 0.6], [0.9, 0.9]]}]}
    api.put_geometry(hall, theirs)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has saved")
    expect(page.get_by_label("Name")).to_have_value("Line 1")
    page.get_by_role("button", name="Load theirs").click()
    expect(page.get_by_label("Name")).to_have_value("Theirs")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_zone_whose_sides_cross_is_not_saved(page: Page, api: Client, hall: str) -> None:
    before = geometry_of(api, hall)
    surface = open_editor(page, hall)
    page.get_by_role("button", name="Draw a zone").click()
    for corner in ((0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8)):
        click_at(page, surface, *corner)
    page.get_by_role("button", name="Close the zone").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("cross each other")
    assert geometry_of(api, hall) == before


def test_a_dead_camera_says_why_when_tried_and_in_its_card(page: Page, api: Client, shoot: Shoot) -> None:
    page.goto("/#/add")
    page.get_by_label("Address").fill(DEAD_URL)
    page.get_by_role("button", name="Try the camera").click()
    expect(page.get_by_text("It does not work")).to_be_visible()
    expect(page.locator(".probe")).to_contain_text("Nobody answers at rtsp://***@127.0.0.1:9/nobody")
    page.get_by_label("Name").fill("Dead")
    page.get_by_role("button", name="Save all the same").click()
    expect(page.get_by_role("heading", name="Dead")).to_be_visible()
    page.get_by_role("link", name="All cameras").click()
    dead = card(page, "dead")
    expect(dead.locator(".badge")).to_have_text("Reconnecting")
    expect(dead.locator(".picture-notice")).to_contain_text("Nobody answers at rtsp://***@127.0.0.1:9/nobody")
    expect(dead.locator(".picture-notice")).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    assert "s3cret" not in page.content()
    shoot("dead")


def test_wrong_input_is_named_next_to_its_field(page: Page, hall: str, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    page.goto("/#/add")
    page.get_by_role("button", name="Try the camera").click()
    address = page.get_by_label("Address")
    expect(address).to_be_focused()
    expect(page.locator('[data-field="source.url"] .field-error')).to_contain_text("is needed")
    address.fill("http://192.0.2.1/")
    page.get_by_role("button", name="Try the camera").click()
    expect(page.locator('[data-field="source.url"] .field-error')).to_contain_text("rtsp://HOST/PATH")
    expect(address).to_have_attribute("aria-invalid", "true")
    address.fill(DEAD_URL)
    page.get_by_label("Name").fill("Hall")
    page.get_by_role("button", name="Try the camera").click()
    page.get_by_role("button", name="Save all the same").click()
    expect(page.locator('[data-field="id"] .field-error')).to_contain_text("a camera with this id already")


def test_settings_are_changed_and_the_hidden_password_is_kept(
    page: Page, api: Client, hall: str, cameras: CameraServer
) -> None:
    page.goto(f"/#/cameras/{hall}/settings")
    expect(page.get_by_label("Address")).to_have_value(re.compile(r"^rtsp://\*\*\*@"))
    page.get_by_label("Name").fill("Great hall")
    page.get_by_label("Frames to analyse a second").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Great hall")).to_be_visible()
    view = api.get_stream(hall)
    assert (view["name"], view["analysis_fps"]) == ("Great hall", 3)
    api.patch_stream("hall", {"name": "Hall", "analysis_fps": 6})
    wait_frames(api, hall, 5)  # the password is still there


def test_a_camera_is_stopped_started_and_deleted_after_a_question(
    page: Page, api: Client, cameras: CameraServer
) -> None:
    register(api, "gate", cameras.url("cam1"), name="Gate")
    page.goto("/#/cameras/gate")
    badge = page.locator(".live .badge")
    expect(badge).to_have_text("Running")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert api.get_stream("gate")["enabled"]
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the camera").click()
    expect(badge).to_have_text("Stopped")
    expect(page.locator(".live .picture-notice")).to_contain_text("Nobody is counted")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(badge).to_have_text("Running")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the camera").click()
    expect(page).to_have_title(re.compile("^Cameras"))
    expect(card(page, "gate")).to_have_count(0)
    with pytest.raises(ApiProblem, match="unknown-stream"):
        api.get_stream("gate")


def test_names_are_shown_as_text_whatever_they_hold(page: Page, api: Client) -> None:
    nasty = "<img src=x onerror=document.title='owned'>"
    line = {"id": "l", "name": nasty, "a": [0.5, 0.1], "b": [0.5, 0.9], "in_name": nasty, "out_name": nasty}
    register(api, "nasty", DEAD_URL, name=nasty, site=nasty, geometry={"lines": [line]})
    for address in ("/#/", "/#/cameras/nasty", "/#/cameras/nasty/draw", "/#/cameras/nasty/settings"):
        page.goto(address)
        expect(page.get_by_text(nasty).or_(page.get_by_label("Site")).first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.title() != "owned"


def test_the_token_is_asked_for_once_and_kept_for_the_tab(page: Page, hall: str, complaints: Complaints) -> None:
    complaints.expected.append("status of 401")

    def guarded(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer correct horse":
            route.continue_()
        else:
            problem = {
                "type": "urn:footfall:problem:unauthorized",
                "title": "Unauthorized",
                "status": 401,
                "detail": "",
            }
            route.fulfill(status=401, content_type="application/problem+json", body=json.dumps(problem))

    page.route("**/api/v1/**", guarded)
    page.goto("/")
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("dialog")).to_contain_text("not accepted")
    page.get_by_role("textbox", name="Token").fill("correct horse")
    page.get_by_role("button", name="Continue").click()
    expect(card(page, hall)).to_be_visible()
    page.reload()
    expect(card(page, hall)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_happens_is_listed_as_it_happens(page: Page, api: Client, hall: str, clip: Path, shoot: Shoot) -> None:
    api.put_geometry(hall, json.loads((clip / "geometry.json").read_text()))
    page.goto("/#/")
    page.get_by_role("link", name="Events").click()
    expect(page.locator(".events [data-type='footfall.crossing.v1']").nth(1)).to_contain_text("Somebody crossed")
    expect(page.get_by_role("status")).to_have_text("Live, with those of the last ten minutes")
    shoot("events")
    page.get_by_label("Which events").select_option("footfall.stream-state.v1")
    expect(page.locator(".events tbody tr").first).to_contain_text("Running")
    assert page.locator(".events [data-type='footfall.crossing.v1']").count() == 0
    page.locator(".events tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_of_fifty_cameras_only_those_in_sight_hold_a_connection(page: Page, api: Client, hall: str) -> None:
    many = [{**api.get_stream(hall), "id": f"cam-{number:02}", "name": f"Camera {number}"} for number in range(50)]
    page.route("**/api/v1/streams?limit=*", lambda route: route.fulfill(json=many))
    opened: set[str] = set()
    page.route_web_socket(re.compile("/tracks"), lambda socket: opened.add(socket.url.split("/")[-2]))
    page.goto("/")
    expect(page.locator(".card")).to_have_count(50)
    wait_until(lambda: page.title() and "cam-00" in opened, 10, "a connection of the first camera")
    assert len(opened) <= 15
    assert "cam-49" not in opened
    card(page, "cam-49").scroll_into_view_if_needed()
    wait_until(lambda: page.title() and "cam-49" in opened, 10, "a connection of the last camera")
    page.get_by_label("Find a camera").fill("camera 7")
    expect(page.locator(".card:visible")).to_have_count(1)


@pytest.mark.skipif(not CHARTS, reason="the viewer is not installed: npm run vendor")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_is_documented_from_here_alone(page: Page, service: Service, scheme: Any, shoot: Shoot) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    page.get_by_role("link", name="API").click()
    operation = page.locator('.opblock[id*="put_stream"]').first
    operation.locator(".opblock-summary-control").click()
    expect(operation).to_contain_text("Register a stream")
    page.get_by_role("button", name="Try it out").click()
    shoot(f"docs-{scheme}")
    page.set_viewport_size({"width": 400, "height": 900})
    wait_to_fit(page, 400)
    page.get_by_role("link", name="Cameras").click()
    expect(page).to_have_title(re.compile("^Cameras"))
    assert [url for url in asked if not url.startswith((service.url, "data:", "blob:"))] == []


def test_without_its_viewer_the_api_page_leads_to_the_document(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("vendor/")
    page.route("**/vendor/*", lambda route: route.fulfill(status=404))
    page.goto("/docs")
    expect(page.get_by_text("The viewer is not installed")).to_be_visible()
    expect(page.get_by_role("link", name="openapi.json")).to_be_visible()


def test_a_form_that_cannot_be_made_says_so_and_is_asked_for_again(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("status of 503")
    refusal = {"type": "urn:footfall:problem:not-ready", "title": "", "status": 503, "detail": "the service restarts"}
    page.route("**/api/v1/source-types", lambda route: route.fulfill(status=503, json=refusal), times=1)
    page.goto("/#/add")
    expect(page.get_by_role("alert")).to_contain_text("The service restarts")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Address")).to_be_visible()


def test_every_kind_of_source_has_the_form_that_the_service_describes(page: Page, api: Client, shoot: Shoot) -> None:
    page.goto("/#/add")
    kinds = api.source_types()
    expect(page.get_by_role("radio")).to_have_count(len(kinds))
    for kind in kinds:
        page.get_by_role("radio", name=kind["title"]).check()
        expect(page.get_by_text(kind["description"])).to_be_visible()
        more = page.get_by_text("More settings")
        if more.count():
            more.click()
        shoot(f"add-{kind['type']}")


def test_a_simulated_camera_is_described_in_its_scene(page: Page) -> None:
    page.goto("/#/add?type=simulator")
    tried: list[Any] = []
    page.on("request", lambda request: tried.append(request.post_data_json) if "/probe" in request.url else None)
    page.get_by_label("People at a time").fill("61")
    page.get_by_role("button", name="Try the camera").click()
    error = page.locator('[data-field="source.scene.people"] .field-error')
    expect(error).to_have_text("A whole number between 0 and 60 is needed.")
    expect(page.get_by_label("People at a time")).to_be_focused()
    page.get_by_label("People at a time").fill("2")
    page.get_by_text("More settings").click()
    page.get_by_label("Width").fill("320")
    page.get_by_label("Height").fill("180")
    page.get_by_role("button", name="Try the camera").click()
    expect(page.get_by_text("It works.")).to_be_visible(timeout=60_000)
    scene = {"seed": 0, "people": 2, "width": 320, "height": 180, "fps": 15, "seconds": 60, "overlap": 0.3}
    assert [body["source"] for body in tried] == [{"type": "simulator", "scene": scene}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(page: Page, hall: str, scheme: Any, screenshots: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    views = {
        "events": "/#/events",
        "cameras": "/#/",
        "camera": f"/#/cameras/{hall}",
        "draw": f"/#/cameras/{hall}/draw",
        "add": "/#/add",
    }
    for name, address in views.items():
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for width, height in ((400, 900), (1400, 900), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            wait_to_fit(page, width)
            page.screenshot(path=screenshots / f"{name}-{width}-{scheme}.png")
