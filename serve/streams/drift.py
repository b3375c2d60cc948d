"""What is watched of one stream beside its counts: whether its camera, its detector and its people are as usual.

Whatever goes wrong in here costs no frame and no count.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any

from analytics.drift.camera import CameraDrift
from analytics.drift.people import PeopleFrame
from analytics.errors import StaleEpoch, StoreError
from analytics.storage.references import ReferenceStore
from pipelines.types import FrameStamp, Image
from serve.streams.drift_report import DriftReport
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)
FIRST_KEPT_S, KEPT_S = 300.0, 3600.0
"""After so long what is known is written first, and then so often."""


class StreamDrift:
    """Of one stream in one epoch. Several threads come here; see `CameraDrift`.

    Args:
        stream: id.
        epoch: of the assignment.
        version: of the reference that is wanted.
        origin: names what the source shows; a reference of another one is not taken up.
        store: where references are kept.
        zone: of the clock on the camera's wall.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: str,
        epoch: int,
        version: int,
        origin: str,
        store: ReferenceStore,
        zone: tzinfo = UTC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._epoch, self._origin = stream, epoch, origin
        self._store = store
        self._clock = clock
        self._camera = CameraDrift(version, zone)
        self._due_s = clock() + FIRST_KEPT_S
        self._keeping = threading.Lock()
        self._broken = False
        self._newest_s = 0.0

    def begin(self, state: Mapping[str, Any] | None) -> None:
        """Go on with what is known, and with what the epoch before has left.

        Args:
            state: of `snapshot`; None if there is none.

        Raises:
            StoreError: nobody knows what is known. To begin anew would write over weeks of it.
        """
        found = self._store.find(self._stream)
        reference = None
        if found is not None and found.state.get("origin") == self._origin:
            reference = found.state.get("camera")
        mine = state is not None and state.get("origin") == self._origin
        try:
            self._camera.take_up(reference, state.get("camera") if state is not None and mine else None)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("what was known of its pictures is left behind: %s", error, extra={"stream": self._stream})

    def show(self, picture: Image, stamp: FrameStamp) -> None:
        """A scaled picture of the stream, called by the thread that decodes it."""
        self._newest_s = stamp.time_s
        self._guarded(lambda: self._camera.show(picture, stamp))

    def count(self, frame: ProcessedFrame) -> None:
        """What was made of a frame, called by the thread that counts."""
        size, stamp = frame.frame.letterbox.source_size, frame.frame.stamp
        self._guarded(
            lambda: self._camera.count(
                PeopleFrame.of(frame.tracks, frame.detections, size, stamp.time_s, frame.outcome.dt_s)
            )
        )

    def _guarded(self, look: Callable[[], None]) -> None:
        """Drift is not watched any more once that has failed, in this epoch: it would fail with every frame."""
        if self._broken:
            return
        try:
            look()
        except Exception:
            self._broken = True
            logger.exception("drift is not watched any more", extra={"stream": self._stream})

    def renew(self, version: int) -> None:
        """What the camera shows from now on is how it should be; soon written, so that no reader goes back."""
        self._camera.renew(version)
        self._due_s = min(self._due_s, self._clock() + FIRST_KEPT_S)
        logger.info("version %d of its reference begins", version, extra={"stream": self._stream})

    def snapshot(self) -> dict[str, Any]:
        """What goes on with the next epoch, as JSON types; for every checkpoint."""
        return {"origin": self._origin, "camera": self._camera.snapshot()}

    def keep(self, *, at_once: bool = False) -> None:
        """Write what is known, if that is due; what fails is tried again with the next hour.

        Args:
            at_once: due or not, since the epoch ends.
        """
        if self._broken or not (at_once or self._clock() >= self._due_s):
            return
        with self._keeping:
            self._due_s = self._clock() + KEPT_S
            try:
                reference = self._camera.reference()
                state = {"origin": self._origin, "camera": reference}
                self._store.keep(self._stream, self._epoch, reference["version"], state)
            except StaleEpoch:
                logger.debug("another epoch keeps the reference", extra={"stream": self._stream})
            except StoreError as error:
                self._due_s = self._clock() + FIRST_KEPT_S
                logger.debug("a reference waits: %s", error, extra={"stream": self._stream})
            except Exception:
                logger.exception("a reference cannot be kept", extra={"stream": self._stream})

    def report(self) -> DriftReport:
        """How it is right now."""
        camera = self._camera
        return DriftReport(
            verdicts=camera.verdicts,
            judges_pictures=camera.judges_pictures and not self._broken,
            judges_people=camera.judges_people and not self._broken,
            proposes_renewal=camera.proposes_renewal(self._newest_s),
            features={name: round(value, 3) for name, value in camera.features.items()},
            version=camera.version,
        )
