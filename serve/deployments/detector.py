"""Detection as a deployment of its own, and how a reader reaches it."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from ray import serve as rayserve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from pipelines.batching.collector import BATCH_SIZES, batch_size
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import DetectorUnavailable, FootfallError
from pipelines.models.catalogue import resolve
from pipelines.types import Detections, ImageBatch
from serve import logs
from serve.settings import Settings

logger = logging.getLogger(__name__)
CALL_TIMEOUT_S = 30.0
MERGE_WAIT_S = 0.002


class Detector:
    """A detector replica. It holds no state: any of them can take any batch.

    Readers send stacks of frames; stacks of several readers that arrive together are merged into one inference.

    Args:
        arguments: `Settings.to_arguments`.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        settings = Settings.of(arguments)
        logs.configure(settings.log_level, settings.log_format)
        self._largest = settings.detector.max_batch
        self._detector = OnnxDetector(
            resolve(settings.detector.model), threads=max(1, int(settings.detector.cpus)), only="person"
        )
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inference")
        logger.info("detector ready: %s, input %s", settings.detector.model, self._detector.input_size)

    async def input_size(self) -> tuple[int, int]:
        """(height, width) of the images it takes, pixels."""
        return self._detector.input_size

    async def detect(self, batch: ImageBatch) -> list[Detections]:
        """Detections of each image, in input pixels.

        Args:
            batch: uint8 ``[N, H, W, 3]``, BGR, letterboxed.
        """
        found: list[Detections] = await self._merged(batch)
        return found

    @rayserve.batch(max_batch_size=8, batch_wait_timeout_s=MERGE_WAIT_S)  # type: ignore[untyped-decorator]
    async def _merged(self, stacks: list[ImageBatch]) -> list[list[Detections]]:
        """One inference, or few, for the stacks of several callers."""
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
        while len(found) < len(images):
            size = batch_size(len(images) - len(found), min(self._largest, BATCH_SIZES[-1]))
            found += self._detector.detect(images[len(found) : len(found) + size])
        return found


class RemoteDetector:
    """The detector replicas, as a reader's `pipelines.batching.collector.BatchDetector`.

    A stack crosses once, by reference through Ray's shared memory: its cost is per call, not per frame.

    Args:
        handle: of the detector deployment.
        input_size: (height, width), pixels.
        in_flight: batches worth having under way.
    """

    def __init__(self, handle: Any, input_size: tuple[int, int], in_flight: int = 4) -> None:
        self._handle = handle
        self._input_size = input_size
        self._in_flight = in_flight
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="remote-detector")

    @property
    def input_size(self) -> tuple[int, int]:
        return self._input_size

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        return self._pool.submit(self._call, batch)

    def _call(self, batch: ImageBatch) -> list[Detections]:
        try:
            found: list[Detections] = self._handle.detect.remote(batch).result(timeout_s=CALL_TIMEOUT_S)
        except FootfallError as error:
            raise DetectorUnavailable(str(error)) from error
        except (RayError, RayServeException, TimeoutError) as error:
            raise DetectorUnavailable(f"no detector replica answers: {type(error).__name__}") from error
        return found

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
