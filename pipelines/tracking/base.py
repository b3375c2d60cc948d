"""What every tracker does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pipelines.types import Detections, Tracks


class Tracker(Protocol):
    """Gives detections of one stream ids that last.

    One tracker belongs to one stream. It is called from one thread at a time, once per analysed frame and in the order
    of capture; it never blocks. Ids are positive, never used twice by one tracker, and survive ``snapshot`` and
    ``restore``.
    """

    def update(self, detections: Detections, time_s: float, *, discontinuity: bool = False) -> Tracks:
        """Take one frame.

        Args:
            detections: in source pixels, scores unfiltered: a tracker has thresholds of its own.
            time_s: capture time, not smaller than the one before unless ``discontinuity`` is set.
            discontinuity: the stream was interrupted before this frame; if no time seems to have passed, the clock was
                set back, and nobody can be assumed to have stayed in place.

        Returns:
            The confirmed tracks that were observed in this frame.
        """
        ...

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON types; ``restore`` of it continues bit for bit."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``snapshot``.

        Raises:
            ValueError: the state was written by another tracker or another version of its format.
        """
        ...
