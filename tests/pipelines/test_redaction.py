from __future__ import annotations

import pytest

from pipelines.redaction import HIDDEN, redact, same_but_redacted, without_credentials


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:hunter2@10.0.0.1:554/stream",
        "RTSPS://admin:hunter2@camera/",
        "rtsp://hunter2@camera/",
        "rtsp://admin:hun%2Fter2hunter2@camera/",
        "rtsp://admin:p/hunter2@camera/",
        "rtsp://admin:a@hunter2@camera/",
        "rtsp://admin:it's-hunter2@camera/",
        'rtsp://admin:say"hunter2"@camera/',
        "rtsp://admin:<hunter2>@camera/",
        "rtsp://camera/live?user=admin&password=hunter2",
        "rtsp://camera/live?user=admin&pwd=hunter2&channel=1",
        "rtsp://camera/user=admin_password=hunter2_channel=1_stream=0.sdp",
        "rtsp://camera/user=admin&password=hunter2&channel=1",
        "http://camera/snap?token=hunter2",
        "http://camera/snap?api_key=hunter2",
        "http://camera/snap?apikey=hunter2",
        "postgresql+psycopg://footfall:hunter2@db/footfall",
    ],
)
@pytest.mark.parametrize("text", ["{}", "cannot open '{}': timed out", "({}) refused", "[Errno 111] {}\nnext line"])
def test_no_password_is_left(text: str, url: str) -> None:
    shown = redact(text.format(url))
    assert "hunter2" not in shown
    assert HIDDEN in shown


def test_host_and_path_stay_readable() -> None:
    assert redact("rtsp://u:p@10.0.0.1:554/a/b?c=1") == f"rtsp://{HIDDEN}@10.0.0.1:554/a/b?c=1"
    assert redact("rtsp://cam/live?password=x&channel=2") == f"rtsp://cam/live?password={HIDDEN}&channel=2"


@pytest.mark.parametrize("text", ["", "no url here", "rtsp://10.0.0.1/stream", "mail me@example.com", "key = value"])
def test_what_holds_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    once = redact("rtsp://u:p@cam/live?token=abc")
    assert redact(once) == once


def test_what_was_shown_is_recognised_when_it_comes_back() -> None:
    stored = "rtsp://u:p@cam/live"
    assert same_but_redacted(redact(stored), stored)
    assert not same_but_redacted(f"rtsp://{HIDDEN}@cam/other", stored)
    assert not same_but_redacted(f"rtsp://{HIDDEN}@elsewhere/live", stored)


def test_credentials_can_be_taken_out_of_a_url() -> None:
    assert without_credentials("rtsp://u:p@cam:554/live?x=1") == "rtsp://cam:554/live?x=1"
    assert without_credentials("rtsp://cam/live") == "rtsp://cam/live"
