"""Asking the registry that leads; and what it is told of live pictures that somebody looks at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from serve.deployments.answers import unwrapped
from serve.errors import StandsBy

ANOTHER_S, AGAIN_S, LONGEST_S = 5.0, 0.05, 0.5
"""How long to look for the registry that leads, and how soon to ask again, first and at most; Ray picks by chance."""


async def asked(registry: Any, method: str, *arguments: Any) -> Any:
    """What the registry that leads answers. Who stands by has done nothing, so that nothing is done twice."""
    deadline_s, pause_s = time.monotonic() + ANOTHER_S, AGAIN_S
    while True:
        try:
            return unwrapped(await registry.answer.remote(method, *arguments))
        except StandsBy:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_S)  # two services on one database by mistake: nobody else leads here


class HandleWatching:
    """The registry for those who show live pictures; see `serve.deployments.live.Watching`.

    Args:
        handle: of the registry.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle.options(_by_reference=False)

    async def watching(self, viewer: str, streams: Sequence[str]) -> list[str]:
        gone: list[str] = await asked(self._handle, "watching", viewer, streams)
        return gone
