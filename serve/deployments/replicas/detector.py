"""The detector as a replica."""

from __future__ import annotations

import functools
import logging
from typing import Any

import ray
from ray import serve as rayserve

from pipelines.types import Detections, ImageBatch
from serve.deployments.detection import Detection, open_detector
from serve.deployments.detector import Detector
from serve.deployments.replicas.begin import configured

logger = logging.getLogger(__name__)
MERGE_WAIT_S = 0.002
"""How long a detector replica waits for stacks of further readers."""


class DetectorReplica(Detector):
    """Merges stacks of several readers that arrive within a moment."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        wanted = configured(arguments).detector
        threads = max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))
        super().__init__(
            Detection(wanted, open_model=functools.partial(open_detector, threads=threads)), wanted.max_batch
        )
        self.warm_up()
        logger.info("detector ready: %s", wanted.model)

    async def detect(self, batch: ImageBatch) -> list[Detections]:
        """See `Detector.detect`."""
        with self.meter.waiting(len(batch)):
            found: list[Detections] = await self._merged(batch)
        return found

    @rayserve.batch(max_batch_size=8, batch_wait_timeout_s=MERGE_WAIT_S)  # type: ignore[untyped-decorator]
    async def _merged(self, stacks: list[ImageBatch]) -> list[list[Detections]]:
        return await self.detect_stacks(stacks)
