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
        "rtsp://camera/live?api-key=hunter2",
        "rtsp://camera/live?pw=hunter2",
        "rtsp://camera/live?loginuse=admin&loginpas=hunter2",
        "rtsp://camera/live?sig=hunter2&expires=1",
        "rtsp://camera/live?x=hunter2",
        "rtsp://camera/live?hunter2",
        "rtsp://camera/live?hunter2=1",
        "rtsp://camera/live?channel=1;pw=hunter2",
        "rtsp://camera/live?stream=hun.ter2hunter2",
        "rtsp://camera/live?p%61ss=hunter2",
        "rtsp://camera/live#hunter2",
        "rtsp://camera/user=admin_password=tlJhunter2_channel=1",
        "rtsp://camera/user%3Dadmin_password%3Dhunter2",
        "rtsp://camera/admin/hunter2/ch1",
        "rtsp://camera/live/user/hunter2",
        "rtsp://camera/admin:hunter2/ch1",
        "rtsp://camera/qhunter2X9/ch1",
        "rtsp://admin%40hunter2@camera/",
        "rtsp://admin:p?hunter2@camera/",
        "rtsp://admin:p#hunter2@camera/a?b=c",
        "postgresql+psycopg://footfall:hunter2@db/footfall",
    ],
)
@pytest.mark.parametrize("text", ["{}", "cannot open '{}': timed out", "({}) refused", "[Errno 111] {}\nnext line"])
def test_no_password_is_left(text: str, url: str) -> None:
    shown = redact(text.format(url))
    assert "hunter2" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://u:p@10.0.0.1:554/a/b?c=1", "rtsp://***@10.0.0.1:554/a/b?c=***"),
        ("rtsp://cam/live?password=x&channel=2", "rtsp://cam/live?password=***&channel=2"),
        ("rtsp://cam:554/Streaming/Channels/101", None),
        ("rtsp://cam/cam/realmonitor?channel=1&subtype=0", None),
        ("rtsp://cam/axis-media/media.amp?videocodec=h264&resolution=640x480", None),
        ("rtsp://cam/h264Preview_01_main", None),
        ("rtsp://[fd00::1]:8554/side-door", None),
        ("rtsp://cam/11", None),
        ("rtsp://cam/live/ch00_0", None),
        ("rtsp://cam/MediaInput/h264/stream_1", None),
        ("rtsp://cam/tlJwpbo6", "rtsp://cam/***"),
        ("rtsp://cam/4f9c2b7e81d04a6f", "rtsp://cam/***"),
        ("SSL://u:p@broker:9092", "SSL://***@broker:9092"),
        ("SASL_PLAINTEXT://u:p@broker:9092", "SASL_PLAINTEXT://***@broker:9092"),
    ],
)
def test_what_is_known_to_be_harmless_stays_readable(url: str, shown: str | None) -> None:
    assert redact(url) == (shown or url)
    assert redact(f"'{url}': no answer") == f"'{shown or url}': no answer"
    assert redact(redact(url)) == redact(url)


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
