from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.errors import SourceError, SourceNotAllowed
from pipelines.sources.base import SourceLimits
from pipelines.sources.file import FileSource
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.kafka_client import KafkaClient, KafkaLogin, host_of
from pipelines.sources.reach import LOCAL_NETWORKS, Reach
from pipelines.sources.rtsp import RtspSource
from serve.definitions.rtsp import RtspDefinition
from serve.settings import load


def refused(call: object, *arguments: object) -> tuple[str, str, bool]:
    """What somebody is told whom it is refused to."""
    with pytest.raises(SourceNotAllowed) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code, str(caught.value), caught.value.retryable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of recordings, with links that lead out of it, beside one that is secret."""
    inside, outside = tmp_path / "recordings", tmp_path / "secret"
    for made in (inside, outside, tmp_path / "recordings-of-others"):
        made.mkdir()
        (made / "monday.mp4").write_bytes(b"video")
    (inside / "link.mp4").symlink_to(outside / "monday.mp4")
    (inside / "out").symlink_to(outside)
    (inside / "circle").symlink_to(inside / "circle")
    os.mkfifo(outside / "pipe")
    return inside


def test_of_paths_outside_all_is_answered_alike(folder: Path) -> None:
    reach = Reach(file_dirs=(folder,))
    outside = [
        *(
            "/etc/passwd",
            "/etc",
            "/dev/zero",
            "/none",
            "/root/none/deeper",
            str(folder / ".." / "secret" / "monday.mp4"),
        ),
        *(str(folder / "link.mp4"), str(folder / "out" / "monday.mp4"), str(folder.parent / "secret" / "pipe")),
        *(
            f"{folder}-of-others/monday.mp4",
            "concat:/etc/passwd|/etc/group",
            "file:/etc/passwd",
            "http://127.0.0.1/",
            "a\0b",
        ),
    ]
    answers = {refused(FileSource(Path(path), reach=reach).connect) for path in outside}
    assert len(answers) == 1
    assert not any(path in next(iter(answers))[1] for path in outside)
    assert refused(Reach(file_dirs=()).path, folder / "monday.mp4") in answers  # nothing is allowed unless it is said


def test_inside_of_the_folders_the_file_itself_is_opened(folder: Path) -> None:
    reach = Reach(file_dirs=(folder,))
    assert reach.path(folder / ".." / "recordings" / "monday.mp4") == folder / "monday.mp4"
    with pytest.raises(SourceError, match="does not exist"):
        FileSource(folder / "none.mp4", reach=reach).connect()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile {video}\n"),
        ("list.txt", "file {video}\n"),
        ("secret.txt", "root:x:0:0\n"),
    ],
)
def test_no_file_makes_us_read_another(tmp_path: Path, name: str, content: str, camera_clip: Path) -> None:
    (tmp_path / name).write_text(content.format(video=camera_clip))
    with pytest.raises(SourceError):
        FileSource(tmp_path / name).connect()


def test_pictures_are_no_recordings(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    for name in ("a.png", "a.jpg", "a.bmp"):
        cv2.imwrite(str(tmp_path / name), np.zeros((64, 64, 3), np.uint8))
        with pytest.raises(SourceError):
            FileSource(tmp_path / name).connect()


def anywhere(host: str) -> list[str]:
    """A name server."""
    known = {"camera.lan": ["10.0.0.7"], "both.test": ["10.0.0.7", "8.8.8.8"], "meta.lan": ["169.254.169.254"]}
    known["public.test"] = ["8.8.8.8"]
    if host not in known:
        raise OSError("no such name")
    return known[host]


DEFAULT = Reach(networks=LOCAL_NETWORKS, resolve=anywhere)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.64", "172.31.0.1", "fd12::1", "::ffff:10.0.0.1"]
)
def test_cameras_of_private_networks_are_reached(host: str) -> None:
    DEFAULT.host(host)
    assert DEFAULT.addresses(host)


@pytest.mark.parametrize(
    "host",
    [
        *("8.8.8.8", "169.254.169.254", "::ffff:169.254.169.254", "2852039166", "0xA9FEA9FE", "0", "0.0.0.0", "::"),
        *("fe80::1%eth0", "fd00:ec2::254", "224.0.0.1", "2001:4860:4860::8888", "255.255.255.255", "100.100.100.200"),
    ],
)
def test_other_addresses_are_refused_alike_however_they_are_written(host: str) -> None:
    assert refused(DEFAULT.host, host) == refused(DEFAULT.addresses, host) == refused(DEFAULT.host, "8.8.4.4")


@pytest.mark.parametrize(
    "host", ["64:ff9b::a9fe:a9fe", "::169.254.169.254", "2002:a9fe:a9fe::1", "::ffff:169.254.169.254"]
)
def test_what_is_never_reached_is_not_reached_through_ipv6_either(host: str) -> None:
    everywhere = Reach(networks=("0.0.0.0/0", "::/0"))
    assert refused(everywhere.host, host)
    everywhere.host("::1")
    everywhere.host("2001:4860:4860::8888")


def test_names_count_by_their_addresses_and_unknown_ones_are_not_told_apart() -> None:
    assert DEFAULT.addresses("camera.lan") == ["10.0.0.7"]
    answers = {refused(DEFAULT.addresses, name)[:2] for name in ("public.test", "both.test", "meta.lan", "none.test")}
    assert answers == {refused(DEFAULT.host, "8.8.8.8")[:2]}
    assert refused(DEFAULT.addresses, "none.test")[2]  # a name server comes back


def test_a_name_that_is_listed_may_be_anywhere_but_where_secrets_are_handed_out() -> None:
    reach = Reach(networks=("public.test", ".lan"), resolve=anywhere)
    assert reach.addresses("public.test") == ["8.8.8.8"]
    assert reach.addresses("CAMERA.lan".lower()) == ["10.0.0.7"]
    refused(reach.addresses, "meta.lan")
    refused(reach.addresses, "both.test")
    refused(reach.addresses, "10.0.0.7")


def test_a_camera_is_asked_at_the_address_that_was_looked_at() -> None:
    source = RtspSource("rtsp://u:p%40@camera.lan:8554/a?b=c", limits=SourceLimits(reach=DEFAULT))
    assert source._checked() == "rtsp://u:p%40@10.0.0.7:8554/a?b=c"
    checked = RtspSource("rtsps://camera.lan/a", limits=SourceLimits(reach=DEFAULT), verify_tls=True)
    assert checked._checked() == "rtsps://camera.lan/a"  # its certificate has the name
    with pytest.raises(SourceNotAllowed):
        RtspSource("rtsp://public.test/a", limits=SourceLimits(reach=DEFAULT)).connect()


@pytest.mark.parametrize(
    "brokers", ["8.8.8.8:9092", "10.0.0.1:9092,8.8.8.8", "[2001:db8::1]:9092", "SSL://8.8.8.8:1", "public.test"]
)
def test_brokers_elsewhere_are_not_asked(brokers: str) -> None:
    with pytest.raises(SourceNotAllowed):
        KafkaSource(brokers, "frames", None, limits=SourceLimits(reach=DEFAULT)).connect()


def test_a_broker_that_another_one_names_is_looked_at_too() -> None:
    client = KafkaClient(KafkaLogin(), DEFAULT, bootstrap_servers=["127.0.0.1:1"], bootstrap_timeout_ms=50)
    net = client._make_net(bootstrap_servers=["127.0.0.1:1"], client_id="test")
    try:
        assert client._connections is not None
        node = type("Node", (), {"host": "8.8.8.8", "port": 9092, "node_id": 1})
        with pytest.raises(Exception, match="networks"):
            client._connections._build_transport(node).send(None)
        with pytest.raises(SourceNotAllowed):
            client._connections.get_connection(1)
    finally:
        del net
        client.close()


def test_hosts_of_brokers_are_read_as_the_client_reads_them() -> None:
    assert [host_of(one) for one in ("a:1", "a", "[::1]:9092", "::1", "SSL://a:1", "u:p@a:1")] == [
        "a",
        "a",
        "::1",
        "::1",
        "a",
        "a",
    ]


def test_what_is_allowed_is_said_in_the_settings_and_asked_for_at_registration() -> None:
    camera = RtspDefinition(type="rtsp", url="rtsp://8.8.8.8/a")
    with pytest.raises(SourceNotAllowed):
        camera.check(load().sources.reach)
    camera.check(load(None, sources={"networks": ["8.8.8.0/24"]}).sources.reach)
    with pytest.raises(Exception, match="no network"):
        load(None, sources={"networks": ["10.0.0.0/33"]})
