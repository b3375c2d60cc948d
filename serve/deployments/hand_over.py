"""How a reader leaves: it works on until others have all that it has."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from serve.control.link import RegistryLink

logger = logging.getLogger(__name__)
HANDOVER_S = 45.0
"""For others to get ready for all streams of a reader that leaves; what is left then is handed back with a gap."""
LOOK_S = 0.5
SUCCESSOR_S = 10.0
"""A successor, or a registry that is replaced at the same time, is there within so long."""
ANSWER_S = 1.0


async def hand_over(registry: RegistryLink, reader: str, service_ends: Callable[[], bool]) -> None:
    """Returns once others have all streams, or nobody gets ready for them.

    Args:
        registry: finds others.
        reader: that leaves.
        service_ends: whether it goes because all do; blocks for a moment.
    """
    deadline = time.monotonic() + HANDOVER_S
    heard_s = time.monotonic()
    while time.monotonic() < deadline:
        if await _others_take_over(registry, reader):
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > SUCCESSOR_S or await asyncio.to_thread(service_ends):
            return
        await asyncio.sleep(LOOK_S)


async def _others_take_over(registry: RegistryLink, reader: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await registry.leave(reader)
    except Exception as error:
        logger.debug("nobody takes over: %s", type(error).__name__)
        return False
