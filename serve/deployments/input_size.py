"""Whether detectors elsewhere still take the images that a reader scales its frames to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pipelines.batching.batch_detector import BatchDetector
from pipelines.errors import ModelInvalid

logger = logging.getLogger(__name__)
INTERVAL_S = 5.0
LOOKS = 3
"""In a row, before it is believed: while detectors are exchanged, some are still as they were."""


async def watch_input_size(size: tuple[int, int], connect: Callable[[], Awaitable[BatchDetector]]) -> None:
    """Ask now and then; returns never.

    Args:
        size: (height, width) of the images, pixels.
        connect: reaches a detector.

    Raises:
        ModelInvalid: they take others by now, so that none of these frames will ever be taken.
    """
    others = 0
    while others < LOOKS:
        await asyncio.sleep(INTERVAL_S)
        try:
            async with asyncio.timeout(INTERVAL_S):
                detector = await connect()
        except Exception as error:
            logger.debug("no detector tells its input size: %s", type(error).__name__)
            continue
        others = others + 1 if detector.input_size != size else 0
        detector.close()
    logger.error(
        "the detectors take images of another size than %dx%d by now: this reader starts anew", *reversed(size)
    )
    raise ModelInvalid("the detectors take images of another size by now")
