"""Plays a clip in real time to everybody who watches, with faults on request."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.simulator.rtsp.clip import Clip
from pipelines.simulator.rtsp.rtp import CLOCK_HZ, payloads

LONGEST_LAG_S = 1.0
"""A camera that is late by more skips ahead instead of sending in a burst."""


@dataclass(slots=True)
class Faults:
    """What goes wrong with a camera; may be changed from any thread while it plays.

    Attributes:
        frozen: connections stay, but nothing is sent.
        loss: share of the packets that are lost, in [0, 1].
        turned: the other clip is shown, from its next key frame on.
    """

    frozen: bool = False
    loss: float = 0.0
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """An access unit on its way.

    Attributes:
        payloads: of its RTP packets.
        key: a decoder can start here.
        timestamp: RTP clock, 32 bits, wraps.
        time_s: when it was due, seconds since 1970.
    """

    payloads: Sequence[bytes]
    key: bool
    timestamp: int
    time_s: float


class Watcher(Protocol):
    """Somebody who gets a camera's pictures; must not block."""

    def deliver(self, unit: Unit, loss: float) -> None:
        """Send a unit on, without a share `loss` of its packets."""
        ...


class Broadcast:
    """One camera.

    The clip starts over when it ends; RTP timestamps go on, so that a receiver sees one endless stream.

    Args:
        clip: what it shows.
        faults: what goes wrong, looked at for every frame.
        rng: for the first timestamp.
        turned: what it shows while it is turned, of the same codec, size and speed; None: it cannot be turned.
    """

    def __init__(self, clip: Clip, faults: Faults, rng: random.Random, turned: Clip | None = None) -> None:
        self.clip = clip
        self._turned = turned
        self._shown = clip
        self._faults = faults
        self._first_timestamp = rng.getrandbits(32)
        self._watchers: set[Watcher] = set()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def add(self, watcher: Watcher) -> None:
        self._watchers.add(watcher)

    def discard(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    async def run(self) -> None:
        """Play until cancelled."""
        began = time.monotonic()
        number = 0
        while True:
            due = began + number / self.clip.fps
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
            elif now - due > LONGEST_LAG_S:
                began, due = began + now - due, now
            if self._watchers and not self._faults.frozen:
                self._send(number, lag_s=max(time.monotonic() - due, 0.0))
            number += 1

    def _send(self, number: int, lag_s: float) -> None:
        wanted = self._turned if self._faults.turned and self._turned is not None else self.clip
        if wanted is not self._shown and wanted.units[number % len(wanted.units)].key:
            self._shown = wanted
        unit = self._shown.units[number % len(self._shown.units)]
        ticks = round(number * CLOCK_HZ / self.clip.fps)
        sent = Unit(
            payloads=payloads(unit.nals, self._shown.payload_format),
            key=unit.key,
            timestamp=(self._first_timestamp + ticks) & 0xFFFFFFFF,
            time_s=time.time() - lag_s,
        )
        for watcher in tuple(self._watchers):
            watcher.deliver(sent, self._faults.loss)
