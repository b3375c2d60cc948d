"""What every detector is."""

from __future__ import annotations

from typing import Protocol

from pipelines.types import Detections, ImageBatch


class Detector(Protocol):
    """Finds objects in a batch of images. Thread-safe: several threads may call `detect` at once.

    Attributes:
        input_size: height and width of the images it takes, pixels.
        classes: names of what it finds; `Detections.classes` indexes them.
    """

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    def detect(self, batch: ImageBatch) -> list[Detections]:
        """Find the objects in each image. Blocks for the time of the inference.

        Args:
            batch: uint8 ``[N, height, width, 3]``, BGR, letterboxed top left, N may be 0.

        Returns:
            One `Detections` an image, in the order of the batch: boxes in pixels of the *input* (the caller undoes the
            letterbox), overlaps already suppressed, best score first.

        Raises:
            ValueError: the batch has another shape or dtype than the detector takes.
            DetectorUnavailable: the detector is closed, or its inference failed.
        """
        ...

    def use_thresholds(self, *, score: float, overlap: float) -> None:
        """From the next batch on.

        Args:
            score: boxes with a lower one are dropped, in [0, 1].
            overlap: boxes of a class that overlap more than this are one object, in [0, 1].
        """
        ...

    def close(self) -> None:
        """Give memory and devices back. Idempotent; calls under way end normally."""
        ...
