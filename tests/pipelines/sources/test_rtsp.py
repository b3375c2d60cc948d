from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

from pipelines.errors import (
    SourceDisconnected,
    SourceError,
    SourceNotFound,
    SourceStalled,
    SourceUnauthorized,
    SourceUnreachable,
)
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.sources.backoff import Backoff
from pipelines.sources.base import SourceFrame, SourceLimits
from pipelines.sources.clock import Timeline
from pipelines.sources.rtsp import RtspSource, Transport
from pipelines.sources.supervisor import SourceSupervisor, StreamState
from tests.fakes import Sink
from tests.pipelines.sources.videos import HEIGHT, WIDTH, number_of
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
LIMITS = SourceLimits(open_s=2.0, read_s=0.8, stall_s=1.0)


@contextmanager
def connected(url: str, transport: Transport = "tcp", **options: bool) -> Iterator[Iterator[SourceFrame]]:
    source = RtspSource(url, transport=transport, limits=LIMITS, **options)  # type: ignore[arg-type]
    with closing(source):
        source.connect(None)
        yield source.frames(threading.Event())


def refusal(url: str, **options: bool) -> SourceError:
    """What a connection ends with; it must show no password."""
    with pytest.raises(SourceError) as caught, connected(url, **options):
        pass
    assert "s3" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_arrive_in_order_with_their_capture_time(camera: CameraServer, transport: Transport) -> None:
    with connected(camera.url("cam"), transport) as frames:
        seen = list(itertools.islice(frames, 30))
    numbers = [number_of(frame.video_frame) for frame in seen]
    assert all((later - earlier) % 50 == 1 for earlier, later in itertools.pairwise(numbers))
    assert abs(seen[-1].raw_time_s - time.time()) < 2
    assert seen[29].raw_time_s - seen[10].raw_time_s == pytest.approx(19 / 25, abs=0.1)
    assert not any(frame.corrupt for frame in seen)
    assert all(frame.position is None for frame in seen)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_frame_has_the_same_fingerprint_on_every_connection(camera: CameraServer, transport: Transport) -> None:
    def seen(frames: Iterator[SourceFrame]) -> dict[int | None, int]:
        return {frame.fingerprint: number_of(frame.video_frame) for frame in itertools.islice(frames, 40)}

    with (
        connected(camera.url("cam")) as one,
        connected(camera.url("cam"), transport) as other,
        ThreadPoolExecutor() as pool,
    ):
        first, second = pool.map(seen, (one, other))
    assert len(first) == len(second) == 40
    common = first.keys() & second.keys()
    assert len(common) > 15
    assert None not in common
    assert {mark: first[mark] for mark in common} == {mark: second[mark] for mark in common}


def test_what_a_camera_sends_is_known_after_connecting(camera: CameraServer) -> None:
    source = RtspSource(camera.url("cam"), limits=LIMITS)
    with closing(source):
        info = source.connect(None)
    assert (info.codec, info.width, info.height) == ("h264", WIDTH, HEIGHT)


def test_tls_is_spoken_whoever_signed_unless_certificates_are_to_be_checked(camera_clip: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with CameraServer({"cam": camera_clip}, ssl_context=context, user="viewer", password="s3cret") as server:
        with connected(server.url("cam")) as frames:
            assert len(list(itertools.islice(frames, 5))) == 5
        assert refusal(server.url("cam"), verify_tls=True).retryable


def test_a_wrong_password_and_none_at_all_are_told_apart_from_everything_else(camera: CameraServer) -> None:
    right = camera.url("cam")
    assert isinstance(refusal(right.replace("viewer:", "viewer:s3wrong")), SourceUnauthorized)
    assert isinstance(refusal(camera.url("cam", credentials=False)), SourceUnauthorized)


def test_an_unknown_path_is_not_found(camera: CameraServer) -> None:
    assert isinstance(refusal(camera.url("nothing")), SourceNotFound)


def test_a_closed_port_is_unreachable(camera: CameraServer) -> None:
    url = camera.url("cam")
    camera.stop()
    assert isinstance(refusal(url), SourceUnreachable)


def test_a_server_that_never_answers_is_unreachable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        error = refusal(f"rtsp://viewer:s3cret@127.0.0.1:{silent.getsockname()[1]}/cam")
        assert isinstance(error, SourceUnreachable)
        assert time.monotonic() - begun < LIMITS.open_s + 2


def test_a_server_that_speaks_something_else_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com ESMTP\r\n" * 3)

        threading.Thread(target=answer, daemon=True).start()
        assert refusal(f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam").retryable


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_freezes_has_stalled(camera: CameraServer, transport: Transport) -> None:
    with connected(camera.url("cam"), transport) as frames:
        list(itertools.islice(frames, 5))
        camera.freeze("cam")
        begun = time.monotonic()
        with pytest.raises(SourceStalled, match="sends nothing") as caught:
            list(frames)
        assert time.monotonic() - begun < LIMITS.read_s + 2
        assert "s3" not in str(caught.value)


@pytest.mark.parametrize("how", ["kicked", "killed"])
def test_a_camera_that_goes_has_disconnected(camera: CameraServer, how: str) -> None:
    with connected(camera.url("cam")) as frames:
        list(itertools.islice(frames, 5))
        camera.kick() if how == "kicked" else camera.stop()
        with pytest.raises(SourceDisconnected, match="closed the connection"):
            list(frames)


def test_lost_packets_show_as_corrupt_pictures(camera: CameraServer) -> None:
    with connected(camera.url("cam"), "udp") as frames:
        list(itertools.islice(frames, 5))
        camera.loss("cam", 0.3)
        assert any(frame.corrupt for frame in itertools.islice(frames, 100))


def test_heavy_loss_is_never_the_end_for_good(camera: CameraServer) -> None:
    with connected(camera.url("cam"), "udp") as frames:
        list(itertools.islice(frames, 5))
        camera.loss("cam", 0.97)
        with pytest.raises(SourceError) as caught:
            list(frames)
        assert caught.value.retryable


def test_a_stop_ends_the_frames(camera: CameraServer) -> None:
    source, stop = RtspSource(camera.url("cam"), limits=LIMITS), threading.Event()
    with closing(source):
        source.connect(None)
        frames = source.frames(stop)
        next(frames)
        stop.set()
        assert list(frames) == []


# -- with the supervisor: what a stream makes of it


class Watched:
    """A supervised camera."""

    def __init__(self, url: str, transport: Transport = "tcp") -> None:
        self.sink, self.stop = Sink(), threading.Event()
        self.supervisor = SourceSupervisor(
            "cam",
            lambda: RtspSource(url, transport=transport, limits=LIMITS),
            self.sink,
            Timeline.of(None),
            backoff=Backoff(0.05, 0.2, 0.1),
        )
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.stop,))

    def __enter__(self) -> Watched:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(5)
        assert not self.thread.is_alive()
        assert self.supervisor.status.state is StreamState.STOPPED

    def wait_frames(self, more: int) -> None:
        wanted = len(self.sink.stamps) + more
        wait_until(lambda: len(self.sink.stamps) >= wanted, 10, f"{more} frames", every_s=0.01)

    def wait_state(self, state: StreamState) -> None:
        wait_until(lambda: self.supervisor.status.state is state, 10, str(state), every_s=0.01)


@pytest.mark.parametrize("trouble", ["freeze", "kick", "restart"])
def test_a_camera_that_comes_back_is_taken_up_again_with_a_gap_marked(camera: CameraServer, trouble: str) -> None:
    with Watched(camera.url("cam")) as watched:
        watched.wait_frames(10)
        before = len(watched.sink.stamps)
        if trouble == "freeze":
            camera.freeze("cam")
            watched.wait_state(StreamState.RECONNECTING)
            assert watched.supervisor.status.error_code == "source-stalled"
            camera.freeze("cam", frozen=False)
        elif trouble == "kick":
            camera.kick()
            wait_until(lambda: watched.supervisor.status.reconnects == 1, 10, "a new attempt", every_s=0.01)
        else:
            camera.stop()
            wait_until(
                lambda: watched.supervisor.status.error_code == "source-unreachable", 10, "a refusal", every_s=0.01
            )
            camera.start()
        wait_until(lambda: any(s.gap for s in watched.sink.stamps), 10, "the mark of a gap", every_s=0.01)
        watched.wait_frames(10)
        assert watched.supervisor.status.state is StreamState.RUNNING
        assert watched.supervisor.status.error is None
        stamps = list(watched.sink.stamps)
    gaps = [number for number, stamp in enumerate(stamps) if stamp.gap]
    assert len(gaps) == 1
    assert gaps[0] >= before
    times = [stamp.time_s for stamp in stamps]
    assert times == sorted(times)
    assert [stamp.index for stamp in stamps] == list(range(len(stamps)))


def test_corrupt_frames_and_the_rate_show_in_the_status(camera: CameraServer) -> None:
    with Watched(camera.url("cam"), "udp") as watched:
        watched.wait_frames(30)
        assert 10 < watched.supervisor.status.fps_in < 60
        camera.loss("cam", 0.3)
        wait_until(lambda: watched.supervisor.status.corrupt > 0, 10, "a corrupt frame")


def test_a_password_that_is_put_right_is_enough(camera: CameraServer) -> None:
    wrong = camera.url("cam").replace("viewer:", "viewer:wrong")
    with Watched(wrong) as watched:
        wait_until(lambda: watched.supervisor.status.error_code == "source-unauthorized", 10, "the refusal")
        assert "s3" not in (watched.supervisor.status.error or "")
        assert watched.supervisor.status.state is StreamState.RECONNECTING
