"""A reader's collector, with what finds people: in its own process, or detector replicas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from pipelines.batching.batch_detector import BatchDetector, ThreadedDetector
from pipelines.batching.collector import BatchCollector
from serve.control.messages import ReaderFigures
from serve.deployments.detection import Detection
from serve.sections import DetectorSettings

logger = logging.getLogger(__name__)
ANSWER_S = 5.0
RETRY_S = 0.3
STALLED_S = 60.0
"""Without a single right answer for so long, a detector in this process is given up, and this process with it."""
ConnectDetector: TypeAlias = Callable[[], Awaitable[BatchDetector]]


async def open_collector(
    settings: DetectorSettings, detection: Detection, threads: int, connect: ConnectDetector | None
) -> BatchCollector:
    """A collector that has started, once there is a detector.

    Args:
        settings: of batches.
        detection: in this process, used where there are no replicas.
        threads: that it may compute with.
        connect: reaches detector replicas, and is tried until it does; None where there are none.
    """
    detector: BatchDetector
    if connect is None:
        threaded = ThreadedDetector(await detection.ready(), threads)
        await asyncio.to_thread(threaded.warm_up, settings.max_batch)
        detector = threaded
    else:
        detector = await _reached(connect)
    collector = BatchCollector(
        detector,
        max_batch=settings.max_batch,
        max_wait_s=settings.max_wait_s,
        deadline_s=settings.timeout_s,
        # Detector replicas are replaced by Serve; to replace their callers would help nobody.
        stalled_s=STALLED_S if connect is None else None,
    )
    collector.start()
    return collector


def collected(
    collector: BatchCollector | None,
) -> tuple[Mapping[str, tuple[int, float]], tuple[int, int, int], ReaderFigures]:
    """How a reader does, as `serve.control.messages.Heartbeat` has it: by stage, its batches, and more.

    Args:
        collector: None as long as there is none.
    """
    if collector is None:
        return {}, (0, 0, 0), ReaderFigures()
    statistics, queue, latency = collector.statistics, collector.queue(), collector.latency
    figures = ReaderFigures(queue.frames, round(queue.oldest_s, 3), tuple(latency.counts), round(latency.total_s, 3))
    return collector.stages.totals(), (statistics.frames, statistics.batches, statistics.failed), figures


async def _reached(connect: ConnectDetector) -> BatchDetector:
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await connect()
        except Exception as error:
            logger.warning("no detector yet: %s", type(error).__name__)
            await asyncio.sleep(RETRY_S)
