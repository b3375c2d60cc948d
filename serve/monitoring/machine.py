"""What the machine has: cores, memory, disk, descriptors, a clock that is right."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import resource
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.cores import usable_cores
from serve.monitoring.findings import Finding, failed, ok, skipped, warning

GIB = 1 << 30
LEAST_CORES, ENOUGH_CORES = 1.0, 2.0
LEAST_MEMORY, ENOUGH_MEMORY = int(1.5 * GIB), 3 * GIB
"""An idle service takes about one and a half GiB, of which Ray has the most."""
LEAST_DISK, ENOUGH_DISK = GIB // 2, 5 * GIB
ENOUGH_DESCRIPTORS = 8192
"""A reader with a hundred cameras has some six hundred."""
LARGE_OFFSET_S, OFFSET_S = 2.0, 0.25
NTP_PORT, NTP_TIMEOUT_S = 123, 3.0
NTP_EPOCH_S = 2_208_988_800
"""From 1900, where NTP's time begins, to 1970."""
STA_UNSYNC = 0x0040


def examine_machine(data_dir: Path, shared_bytes: int) -> Iterator[Finding]:
    """Cores, memory, shared memory, descriptors, and the disk under the data directory.

    Args:
        data_dir: of the service; need not exist.
        shared_bytes: that Ray is to have for its object store.
    """
    yield judge_cores(usable_cores())
    yield judge_memory(available_memory())
    yield judge_shared_memory(shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else None, shared_bytes)
    yield judge_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield examine_disk(data_dir)


def judge_cores(cores: float) -> Finding:
    found = f"{cores:g} cores may be used"
    if cores < LEAST_CORES:
        return failed("processor", found, "Give the container at least one core.")
    if cores < ENOUGH_CORES:
        return warning(
            "processor", found, "Two cores or more keep inference and everything else out of each other's way."
        )
    return ok("processor", found)


def available_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that are free for us, by the machine and by the container's limit; None where nobody says."""
    known = []
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines() if ":" in line)
        known.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        limit, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        known.append(max(limit - used, 0))
    except (OSError, ValueError):  # no limit: "max"
        pass
    return min(known) if known else None


def judge_memory(available: int | None) -> Finding:
    if available is None:
        return skipped("memory", "this system does not say how much is free")
    found = f"{available / GIB:.1f} GiB free"
    if available < LEAST_MEMORY:
        return failed("memory", found, "Free some, or take a larger machine: an idle service takes about 1.5 GiB.")
    if available < ENOUGH_MEMORY:
        return warning("memory", found, "That is enough for a few cameras: each takes 5 to 40 MiB (docs/scale.md).")
    return ok("memory", found)


def judge_shared_memory(free: int | None, wanted: int) -> Finding:
    """Ray keeps what replicas hand one another in /dev/shm."""
    if free is None:
        return skipped("shared memory", "there is no /dev/shm; Ray uses files instead")
    found = f"{free >> 20} MiB free in /dev/shm, {wanted >> 20} MiB wanted"
    if free < wanted:
        return warning("shared memory", found, "Start the container with --shm-size, or lower ray.object_store_bytes.")
    return ok("shared memory", found)


def judge_descriptors(limit: int) -> Finding:
    found = "no limit of open files" if limit == resource.RLIM_INFINITY else f"{limit} open files a process"
    if limit != resource.RLIM_INFINITY and limit < ENOUGH_DESCRIPTORS:
        return warning("descriptors", found, f"With a hundred cameras or more: ulimit -n {ENOUGH_DESCRIPTORS}.")
    return ok("descriptors", found)


def examine_disk(data_dir: Path) -> Finding:
    """Room, and whether we may write, where database and spool are or will be."""
    folder = data_dir.expanduser().absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        return failed("disk", f"{there} is no folder", "Choose another data_dir.")
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        advice = "Let us write there, or choose another data_dir."
        return failed("disk", f"{there} cannot be written: {error.strerror}", advice)
    free = shutil.disk_usage(there).free
    found = f"{free / GIB:.1f} GiB free for {folder}"
    if free < LEAST_DISK:
        return failed("disk", found, "Make room: what cannot be stored waits in memory, and is lost in the end.")
    if free < ENOUGH_DISK:
        return warning("disk", found, "Make room: a busy camera writes some 2 MiB a day, and more while it spools.")
    return ok("disk", found)


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of the clock.

    Attributes:
        synchronised: whether the kernel believes that it is; None where it does not say.
        offset_s: by which it is behind a server; None if none was asked, or none answered.
        server: that was asked.
        trouble: why there was no answer.
    """

    synchronised: bool | None
    offset_s: float | None = None
    server: str | None = None
    trouble: str | None = None


def read_clock(server: str | None) -> Clock:
    """Ask the kernel, and a server if one is named: nothing leaves the machine otherwise."""
    if server is None:
        return Clock(_kernel_says())
    try:
        return Clock(_kernel_says(), ask_time(server), server)
    except (OSError, ValueError) as error:
        return Clock(_kernel_says(), None, server, getattr(error, "strerror", None) or str(error) or "no answer")


def judge_clock(clock: Clock) -> Finding:
    advice = "Let the machine's clock be set by NTP (chrony, systemd-timesyncd): counts are dated by it."
    if clock.trouble is not None:
        return failed("clock", f"{clock.server} does not tell the time: {clock.trouble}", "Try another server.")
    if clock.offset_s is not None:
        found = f"{abs(clock.offset_s):.3f} s {'behind' if clock.offset_s > 0 else 'ahead of'} {clock.server}"
        if abs(clock.offset_s) >= LARGE_OFFSET_S:
            return failed("clock", found, advice)
        return warning("clock", found, advice) if abs(clock.offset_s) >= OFFSET_S else ok("clock", found)
    if clock.synchronised is None:
        return skipped("clock", "this system does not say whether its clock is right", "Compare it with --ntp SERVER.")
    if not clock.synchronised:
        return warning("clock", "nobody keeps it right, says the kernel", f"{advice} Compare it with --ntp SERVER.")
    return ok("clock", "kept right, says the kernel")


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux, as far as it is read, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def _kernel_says() -> bool | None:
    """Whether the kernel's clock is disciplined."""
    try:
        timex = _Timex()
        if ctypes.CDLL(ctypes.util.find_library("c")).adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not timex.status & STA_UNSYNC


def ask_time(server: str, port: int = NTP_PORT, timeout_s: float = NTP_TIMEOUT_S) -> float:
    """By how much the clock is behind a server's, seconds; one question by SNTP (RFC 5905, section 14).

    Raises:
        OSError: nobody answers.
        ValueError: what comes is no answer to what was asked, or the server does not know the time.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as asked:
        asked.settimeout(timeout_s)
        asked.connect(address)
        nonce = os.urandom(8)  # the server sends it back; it would be our time, which is nobody's business
        sent_s, begun_s = time.time(), time.monotonic()
        asked.send(struct.pack("!B39x8s", 0x23, nonce))
        answer = asked.recv(512)
        took_s = time.monotonic() - begun_s
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[24:32] != nonce:
        raise ValueError("it answers with something else")
    if answer[1] == 0 or answer[0] >> 6 == 3:
        raise ValueError("it does not know the time itself")
    received_s, left_s = (_seconds(answer[place : place + 8]) for place in (32, 40))
    return (received_s - sent_s + left_s - (sent_s + took_s)) / 2


def _seconds(stamp: bytes) -> float:
    """An NTP time stamp, as seconds since 1970; those of the era from 2036 on have a leading zero."""
    whole, fraction = struct.unpack("!II", stamp)
    return float(whole + (0 if whole >> 31 else 1 << 32) - NTP_EPOCH_S + fraction / (1 << 32))
