"""What streams leave behind goes back to the system."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest

from serve.streams.freed_memory import FreedMemory


def test_it_is_given_back_now_and_then_until_the_last_of_a_stream_is_gone() -> None:
    now, trimmed = [100.0], []

    def trim(pad: int) -> int:
        trimmed.append(pad)
        return 1

    freed = FreedMemory(interval_s=10, trim=trim, clock=lambda: now[0])
    assert not freed.give_back()
    freed.stream_ended()
    given_back = []
    for now[0] in range(101, 200):
        if now[0] == 105:
            freed.stream_ended()
        if freed.give_back():
            given_back.append(now[0])
    assert given_back == [110, 120, 130]
    assert trimmed == [0, 0, 0]


def test_another_c_library_keeps_what_it_keeps() -> None:
    freed = FreedMemory(interval_s=0, trim=None)
    freed.stream_ended()
    assert not freed.give_back()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_pages_that_were_freed_are_the_systems_again() -> None:
    """Blocks of 64 KB below blocks that stay: the heap cannot simply end earlier."""
    allocate, release = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
    allocate.restype, release.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [allocate(64 << 10) for _ in range(1000)]
    for block in blocks:
        ctypes.memset(block, 1, 64 << 10)
    for block in blocks[:-1]:
        release(block)
    before = _private_mb()
    freed = FreedMemory(interval_s=0)
    freed.stream_ended()
    assert freed.give_back()
    assert before - _private_mb() > 40
    release(blocks[-1])


def _private_mb() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
