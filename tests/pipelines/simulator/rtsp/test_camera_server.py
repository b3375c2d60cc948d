from __future__ import annotations

import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
import trustme
from av.container import InputContainer

from pipelines.errors import SimulatorError
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.rtsp.messages import AuthScheme
from pipelines.simulator.turned import write_turned

DEADLINE_S = 15.0
FPS = 25
CLIP_FRAMES = 10


@contextmanager
def watch(url: str, transport: str = "tcp", read_s: float = 5.0, **options: str) -> Iterator[InputContainer]:
    quick = {"rtsp_transport": transport, "analyzeduration": "100000", "probesize": "100000", **options}
    with av.open(url, options=quick, timeout=(5.0, read_s)) as container:
        yield container


def decode(container: InputContainer, frames: int) -> list[av.VideoFrame]:
    return list(itertools.islice(container.decode(video=0), frames))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition has not come true"
        threading.Event().wait(0.005)


@pytest.fixture
def server(h264_clip: Path) -> Iterator[CameraServer]:
    with CameraServer({"cam1": h264_clip, "cam2": h264_clip}) as running:
        yield running


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_arrive_over_either_transport(transport: str, server: CameraServer) -> None:
    with watch(server.url("cam1"), transport) as container:
        frames = decode(container, 5)
        assert container.streams.video[0].codec_context.name == "h264"
    assert [(frame.width, frame.height) for frame in frames] == [(160, 90)] * 5
    assert not any(frame.is_corrupt for frame in frames)


def test_an_h265_clip_is_played(h265_clip: Path) -> None:
    with CameraServer({"cam1": h265_clip}) as server, watch(server.url("cam1")) as container:
        frames = decode(container, 5)
        assert container.streams.video[0].codec_context.name == "hevc"
    assert len(frames) == 5


def test_timestamps_go_on_evenly_when_the_clip_starts_over(server: CameraServer) -> None:
    with watch(server.url("cam1")) as container:
        frames = decode(container, 30)
    stamps = [frame.pts for frame in frames if frame.pts is not None]
    assert len(stamps) > 2 * CLIP_FRAMES
    assert {later - earlier for earlier, later in itertools.pairwise(stamps)} == {90_000 // FPS}


def test_sender_reports_tell_the_cameras_clock(server: CameraServer) -> None:
    with watch(server.url("cam1")) as container:
        decode(container, 5)
        started = container.start_time_realtime
    assert started is not None
    assert abs(started / 1e6 - time.time()) < 5


def test_many_clients_may_watch_and_are_counted(server: CameraServer) -> None:
    with watch(server.url("cam1")) as one, watch(server.url("cam1")) as other, watch(server.url("cam2")) as third:
        assert all(len(decode(container, 3)) == 3 for container in (one, other, third))
        assert (server.watchers("cam1"), server.watchers("cam2")) == (2, 1)
    wait_until(lambda: server.watchers("cam1") == 0 and server.watchers("cam2") == 0)


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_only_the_right_password_opens(auth: AuthScheme, h264_clip: Path) -> None:
    with CameraServer({"cam1": h264_clip}, user="me", password="p@ss:w/rd", auth=auth) as server:
        with watch(server.url("cam1")) as container:
            assert len(decode(container, 1)) == 1
        wrong = server.url("cam1").replace("me:", "you:")
        for url in (wrong, server.url("cam1", credentials=False)):
            with pytest.raises(av.error.HTTPUnauthorizedError), watch(url):
                pass


def test_an_unknown_camera_is_not_found(server: CameraServer) -> None:
    with pytest.raises(av.error.HTTPNotFoundError), watch(server.url("nothing")):
        pass


def test_a_transport_that_is_not_offered_is_refused(h264_clip: Path) -> None:
    with CameraServer({"cam1": h264_clip}, transports=["tcp"]) as server:
        with pytest.raises((av.FFmpegError, OSError)), watch(server.url("cam1"), "udp"):
            pass
        with watch(server.url("cam1"), "tcp") as container:
            assert len(decode(container, 1)) == 1


def test_tls_is_spoken_with_a_certificate_of_the_given_authority(h264_clip: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with CameraServer({"cam1": h264_clip}, ssl_context=context) as server:
        assert server.url("cam1").startswith("rtsps://")
        with watch(server.url("cam1"), tls_verify="1", ca_file=str(tmp_path / "ca.pem")) as container:
            assert len(decode(container, 3)) == 3


def test_a_frozen_camera_stays_connected_and_silent_until_it_goes_on(server: CameraServer) -> None:
    with watch(server.url("cam1"), read_s=0.4) as container:
        decode(container, 2)
        server.freeze("cam1")
        with pytest.raises((av.error.ExitError, av.error.TimeoutError)):
            decode(container, 1000)
        assert server.watchers("cam1") == 1
    server.freeze("cam1", frozen=False)
    with watch(server.url("cam1")) as container:
        assert len(decode(container, 2)) == 2


def test_a_camera_that_is_turned_shows_its_other_clip_without_a_break(h264_clip: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    write_turned(h264_clip, turned, degrees=180.0, right=0.0)

    def upper_is_brighter(frame: av.VideoFrame) -> bool:
        grey = frame.to_ndarray(format="gray")
        return bool(grey[: grey.shape[0] // 2].mean() > grey[grey.shape[0] // 2 :].mean())

    with CameraServer({"cam1": h264_clip}, turned={"cam1": turned}) as server, watch(server.url("cam1")) as container:
        frames = container.decode(video=0)
        usual = upper_is_brighter(next(frames))
        seen = []
        for wanted in (True, False):
            server.turn("cam1", wanted)
            shown = itertools.takewhile(
                lambda frame, wanted=wanted: (upper_is_brighter(frame) != usual) != wanted, frames
            )
            seen += list(itertools.islice(shown, 10 * CLIP_FRAMES))
        assert len(seen) < 4 * CLIP_FRAMES, "it begins with the next key frame"
        assert not any(frame.is_corrupt for frame in seen)


def test_a_camera_without_another_clip_cannot_be_turned(server: CameraServer) -> None:
    with pytest.raises(ValueError, match="no clip of cam1"):
        server.turn("cam1")


def test_a_kick_ends_the_stream_and_the_client_may_come_back(server: CameraServer) -> None:
    with watch(server.url("cam1")) as container:
        decode(container, 2)
        server.kick()
        assert len(decode(container, 1000)) < 1000
    with watch(server.url("cam1")) as container:
        assert len(decode(container, 2)) == 2


def test_lost_packets_damage_the_picture(server: CameraServer) -> None:
    with watch(server.url("cam1")) as container:
        server.loss("cam1", 0.2)
        assert any(frame.is_corrupt for frame in container.decode(video=0))


def test_a_loss_that_is_no_share_is_refused(server: CameraServer) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        server.loss("cam1", 10)


def test_a_server_that_is_stopped_refuses_and_starts_again_on_its_port(server: CameraServer) -> None:
    port = server.port
    with watch(server.url("cam1")) as container:
        decode(container, 2)
        server.stop()
        assert len(decode(container, 1000)) < 1000
    with pytest.raises(OSError, match="refused"), watch(server.url("cam1")):
        pass
    server.start()
    assert server.port == port
    with watch(server.url("cam1")) as container:
        assert len(decode(container, 2)) == 2


def test_starting_and_stopping_twice_is_harmless(h264_clip: Path) -> None:
    server = CameraServer({"cam1": h264_clip})
    server.stop()
    server.start()
    server.start()
    assert server.running
    server.stop()
    server.stop()
    assert not server.running


def test_a_port_that_is_taken_is_a_clear_error(server: CameraServer, h264_clip: Path) -> None:
    second = CameraServer({"cam1": h264_clip}, port=server.port)
    with pytest.raises(SimulatorError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        second.start()
    assert not second.running


def test_a_file_that_is_no_video_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    for name in ("text.mp4", "missing.mp4"):
        with pytest.raises(SimulatorError, match=f"cannot play .*{name}"):
            CameraServer({"cam1": tmp_path / name}).start()
