"""A detector behind which another one takes over while it is at work."""

from __future__ import annotations

import threading

from pipelines.detection.base import Detector
from pipelines.errors import DetectorUnavailable, ModelInvalid
from pipelines.types import Detections, ImageBatch


def check_input_size(scaled: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Raises ModelInvalid if a model takes images of another (height, width) than those that frames are scaled to."""
    if wanted != scaled:
        raise ModelInvalid(
            f"the model takes images of {wanted[1]}x{wanted[0]}, and frames are scaled to {scaled[1]}x{scaled[0]}: "
            "another size needs a restart"
        )


class ExchangeableDetector:
    """See `pipelines.detection.base.Detector`. A batch ends with the detector that it began with.

    Args:
        detector: to begin with; closed by this one, once it is not used any more.
    """

    def __init__(self, detector: Detector) -> None:
        self._current = detector
        self._closed = False
        self._changing = threading.Lock()
        self._batches: dict[Detector, int] = {detector: 0}

    @property
    def input_size(self) -> tuple[int, int]:
        return self._current.input_size

    @property
    def classes(self) -> tuple[str, ...]:
        return self._current.classes

    def detect(self, batch: ImageBatch) -> list[Detections]:
        with self._changing:
            if self._closed:
                raise DetectorUnavailable("the detector is closed")
            detector = self._current
            self._batches[detector] += 1
        try:
            return detector.detect(batch)
        finally:
            with self._changing:
                self._batches[detector] -= 1
            self._close_unused()

    def use_thresholds(self, *, score: float, overlap: float) -> None:
        self._current.use_thresholds(score=score, overlap=overlap)

    def exchange(self, detector: Detector) -> None:
        """Have batches from now on detected by another one; the one before is closed after its last batch.

        Raises:
            ModelInvalid: see `check_input_size`.
        """
        check_input_size(self.input_size, detector.input_size)
        with self._changing:
            if self._closed:
                raise DetectorUnavailable("the detector is closed")
            self._current = detector
            self._batches.setdefault(detector, 0)
        self._close_unused()

    def close(self) -> None:
        with self._changing:
            self._closed = True
        self._close_unused()

    def _close_unused(self) -> None:
        with self._changing:
            unused = [
                detector
                for detector, batches in self._batches.items()
                if batches == 0 and (self._closed or detector is not self._current)
            ]
            for detector in unused:
                del self._batches[detector]
        for detector in unused:
            detector.close()
