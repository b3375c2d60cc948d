from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serve.monitoring.findings import Finding, State, examined, failed
from serve.monitoring.machine import (
    GIB,
    NTP_EPOCH_S,
    Clock,
    ask_time,
    available_memory,
    examine_disk,
    examine_machine,
    judge_clock,
    judge_cores,
    judge_descriptors,
    judge_memory,
    judge_shared_memory,
    read_clock,
)


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (judge_cores(0.5), State.FAILED),
        (judge_cores(1.5), State.WARNING),
        (judge_cores(16), State.OK),
        (judge_memory(GIB), State.FAILED),
        (judge_memory(2 * GIB), State.WARNING),
        (judge_memory(16 * GIB), State.OK),
        (judge_memory(None), State.SKIPPED),
        (judge_shared_memory(64 << 20, 512 << 20), State.WARNING),
        (judge_shared_memory(1 << 30, 512 << 20), State.OK),
        (judge_shared_memory(None, 512 << 20), State.SKIPPED),
        (judge_descriptors(1024), State.WARNING),
        (judge_descriptors(65536), State.OK),
        (judge_descriptors(-1), State.OK),
        (judge_clock(Clock(True)), State.OK),
        (judge_clock(Clock(False)), State.WARNING),
        (judge_clock(Clock(None)), State.SKIPPED),
        (judge_clock(Clock(False, 0.01, "ntp")), State.OK),
        (judge_clock(Clock(True, -0.5, "ntp")), State.WARNING),
        (judge_clock(Clock(True, 40.0, "ntp")), State.FAILED),
        (judge_clock(Clock(True, None, "ntp", "timed out")), State.FAILED),
    ],
)
def test_each_figure_is_judged_and_says_what_to_do(finding: Finding, state: State) -> None:
    assert finding.state is state
    assert finding.detail
    assert bool(finding.advice) or state in (State.OK, State.SKIPPED)


def test_a_clock_says_which_way_it_is_wrong() -> None:
    assert "3.000 s behind ntp" in judge_clock(Clock(True, 3.0, "ntp")).detail
    assert "3.000 s ahead of ntp" in judge_clock(Clock(True, -3.0, "ntp")).detail


def test_memory_is_the_least_of_machine_and_container(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 99 kB\nMemAvailable:    4194304 kB\n")
    assert available_memory(meminfo, tmp_path) == 4 * GIB
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_memory(meminfo, tmp_path) == 4 * GIB
    (tmp_path / "memory.max").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    assert available_memory(meminfo, tmp_path) == GIB
    (tmp_path / "memory.current").write_text(f"{3 * GIB}\n")
    assert available_memory(meminfo, tmp_path) == 0
    assert available_memory(tmp_path / "none", tmp_path / "none") is None


def test_this_machine_has_something_of_everything(tmp_path: Path) -> None:
    found = {one.subject: one for one in examine_machine(tmp_path, 1 << 20)}
    assert set(found) == {"processor", "memory", "shared memory", "descriptors", "disk"}
    assert found["disk"].state in (State.OK, State.WARNING)


def test_a_data_directory_that_is_not_there_yet_is_looked_for_above(tmp_path: Path) -> None:
    found = examine_disk(tmp_path / "a" / "b")
    assert found.state in (State.OK, State.WARNING)
    assert not (tmp_path / "a").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert examine_disk(tmp_path / "data").state is State.FAILED
    assert examine_disk(tmp_path / "data" / "in").state is State.FAILED


def test_a_folder_that_cannot_be_written_is_found() -> None:
    found = examine_disk(Path("/proc/1"))
    assert found.state is State.FAILED
    assert "cannot be written" in found.detail


def test_what_breaks_down_is_a_finding() -> None:
    def look() -> list[Finding]:
        raise RuntimeError("rtsp://admin:s3cret@host/x burst")

    (found,) = examined("machine", look)
    assert found.state is State.FAILED
    assert "RuntimeError" in found.detail
    assert "s3cret" not in found.detail


def test_findings_show_no_credentials() -> None:
    assert "s3cret" not in failed("x", "rtsp://admin:s3cret@host/x", "").detail


@contextmanager
def time_server(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """A UDP server on loopback that answers one question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def serve() -> None:
            try:
                question, sender = server.recvfrom(512)
            except OSError:
                return
            told = answer(question)
            if told is not None:
                server.sendto(told, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(6)


def stamp(time_s: float) -> bytes:
    """An NTP time stamp; from 2036 on the seconds begin at zero again."""
    whole, part = divmod(time_s + NTP_EPOCH_S, 1)
    return struct.pack("!II", int(whole) & 0xFFFFFFFF, int(part * (1 << 32)))


def told(question: bytes, ahead_s: float, *, first: int = 0x24, stratum: int = 2, nonce: bytes | None = None) -> bytes:
    now = stamp(time.time() + ahead_s)
    return bytes([first, stratum]) + bytes(22) + (nonce or question[40:48]) + now + now


@pytest.mark.parametrize("ahead_s", [0.0, 12.5, -3600.0, 20 * 365 * 86400.0])
def test_the_time_of_a_server_is_compared(ahead_s: float) -> None:
    with time_server(lambda question: told(question, ahead_s)) as port:
        assert ask_time("127.0.0.1", port) == pytest.approx(ahead_s, abs=0.2)


def test_our_own_time_is_not_told() -> None:
    asked = []

    def answer(question: bytes) -> bytes:
        asked.append(question)
        return told(question, 0)

    with time_server(answer) as port:
        ask_time("127.0.0.1", port)
    assert len(asked[0]) == 48
    assert asked[0][0] == 0x23  # version 4, client
    assert asked[0][1:40] == bytes(39)
    assert abs(struct.unpack("!I", asked[0][40:44])[0] - NTP_EPOCH_S - time.time()) > 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda question: b"",
        lambda question: question,
        lambda question: told(question, 0)[:40],
        lambda question: told(question, 0, nonce=b"somebody"),
        lambda question: told(question, 0, first=0x23),
        lambda question: told(question, 0, stratum=0),
        lambda question: told(question, 0, first=0xE4),
    ],
    ids=["empty", "echo", "short", "another's", "a client", "kiss of death", "unsynchronised"],
)
def test_what_is_no_answer_is_refused(wrong: Callable[[bytes], bytes]) -> None:
    with time_server(wrong) as port, pytest.raises(ValueError, match="it "):
        ask_time("127.0.0.1", port)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with time_server(lambda _: None) as port, pytest.raises(OSError, match="timed out"):
        ask_time("127.0.0.1", port, timeout_s=0.2)


def test_nobody_is_asked_unless_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> float:
        raise AssertionError("asked")

    monkeypatch.setattr("serve.monitoring.machine.ask_time", never)
    assert read_clock(None).server is None


def test_a_server_that_is_not_there_is_trouble_and_no_crash() -> None:
    found = read_clock("no-such-host.invalid")
    assert found.trouble
    assert judge_clock(found).state is State.FAILED
