"""Detection as a deployment of its own; a plain class, which `serve.deployments.graph` makes a deployment of."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import numpy as np

from pipelines.batching.batch_detector import BATCH_SIZES, batch_size, black_batch
from pipelines.types import Detections, ImageBatch
from serve.deployments.detection import Detection
from serve.deployments.detector_load import DetectorMeter

logger = logging.getLogger(__name__)
HUNG_S = 30.0
"""An inference that takes longer will not come to an end."""


class Detector:
    """A detector replica. It holds no state: any of them can take any batch.

    Readers send stacks of frames; whoever hosts this class may merge stacks of several readers that arrive together
    into one call of `detect_stacks`.

    Args:
        detection: what finds people; it is opened here, and called by one thread at a time.
        max_batch: largest batch that it is given.

    Attributes:
        meter: told by whoever hosts this class of batches that wait.
    """

    def __init__(self, detection: Detection, max_batch: int) -> None:
        self._detection = detection
        self._detector = detection.open()
        self._largest = min(max_batch, BATCH_SIZES[-1])
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._begun_s: float | None = None
        self.meter = DetectorMeter()

    def warm_up(self) -> None:
        """Begin with the largest batch; callers' batches wait behind it."""
        self._pool.submit(self._detect, black_batch(self._detector.input_size, self._largest))

    async def reconfigure(self, user_config: Mapping[str, Any] | None) -> None:
        """Find people with another model or other thresholds from now on; see `serve.deployments.detection`."""
        await self._detection.reconfigure(user_config)

    async def input_size(self) -> tuple[int, int]:
        """(height, width) of the images it takes, pixels."""
        return self._detector.input_size

    async def detect(self, batch: ImageBatch) -> list[Detections]:
        """Detections of each image, in input pixels.

        Args:
            batch: uint8 ``[N, H, W, 3]``, BGR, letterboxed.
        """
        with self.meter.waiting(len(batch)):
            (found,) = await self.detect_stacks([batch])
        return found

    async def detect_stacks(self, stacks: Sequence[ImageBatch]) -> list[list[Detections]]:
        """One inference, or few, for the stacks of several callers; answers in the order of the stacks."""
        images = stacks[0] if len(stacks) == 1 else np.concatenate(stacks)
        found = await asyncio.get_running_loop().run_in_executor(self._pool, self._detect, images)
        answers, begin = [], 0
        for stack in stacks:
            answers.append(found[begin : begin + len(stack)])
            begin += len(stack)
        return answers

    def _detect(self, images: ImageBatch) -> list[Detections]:
        """In the few shapes that the engine has seen."""
        found: list[Detections] = []
        try:
            while len(found) < len(images):
                self._begun_s = monotonic()
                size = batch_size(len(images) - len(found), self._largest)
                with self.meter.inference(size):
                    found += self._detector.detect(images[len(found) : len(found) + size])
        finally:
            self._begun_s = None
        return found

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Called by Serve; see `serve.control.scaling.DetectorLoad`."""
        return dataclasses.asdict(self.meter.load())

    async def check_health(self) -> None:
        """Called by Serve; a replica whose engine hangs is replaced."""
        begun_s = self._begun_s
        if begun_s is not None and monotonic() - begun_s > HUNG_S:
            raise RuntimeError(f"an inference has taken more than {HUNG_S:.0f} s")
