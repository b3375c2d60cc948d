"""What is watched of one stream beside its counts: whether its camera, its detector and its people are as usual.

Whatever goes wrong in here costs no frame and no count.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any

from analytics.drift.camera import CameraDrift
from analytics.drift.people import PeopleFrame
from analytics.drift.population import SLICE_S
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
        # Streams of a reader begin together; what takes some milliseconds of each is not to happen at the same moment.
        self._share = zlib.crc32(stream.encode()) / 2**32
        self._camera = CameraDrift(version, zone, phase_s=self._share * SLICE_S)
        self._due_s = clock() + FIRST_KEPT_S * (1 + self._share)
        self._keeping = threading.Lock()
        self._broken = self._begun = self._replaces = False
        self.is_new = True
        """Whether nothing was known of the camera when the epoch began."""
        self._shown_s: float | None = None
        self._newest_s = 0.0

    def begin(self, state: Mapping[str, Any] | None) -> None:
        """Go on with what is known, and with what the epoch before has left.

        Args:
            state: of `snapshot`; None if there is none.

        Raises:
            StoreError: nobody knows what is known. To begin anew would write over weeks of it.
        """
        import scipy.stats  # noqa: F401 - or else it would be imported while all cameras wait for their counts

        found, reference = self._found(), None
        if found is not None:
            self._replaces = found.get("origin") != self._origin
            reference = None if self._replaces else found.get("camera")
        mine = state is not None and state.get("origin") == self._origin
        try:
            self._camera.take_up(reference, state.get("camera") if state is not None and mine else None)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("what was known of its pictures is left behind: %s", error, extra={"stream": self._stream})
            reference, self._replaces = None, True
        self.is_new = reference is None
        self._begun = True

    def _found(self) -> Mapping[str, Any] | None:
        """What is stored. Raises StoreError; what is damaged is as good as of another camera."""
        try:
            stored = self._store.find(self._stream)
        except StoreError:
            raise
        except Exception as error:
            logger.warning("what was known of its pictures is damaged: %s", error, extra={"stream": self._stream})
            return {}
        return None if stored is None else stored.state

    def show(self, picture: Image, stamp: FrameStamp) -> None:
        """A scaled picture of the stream, called by the thread that decodes it."""
        self._newest_s = stamp.time_s
        if self._shown_s is None:
            self._shown_s = self._clock()
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
        if not self._may_keep or not (at_once or self._clock() >= self._due_s):
            return
        with self._keeping:
            self._due_s = self._clock() + KEPT_S * (1 + self._share / 4)
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

    @property
    def _may_keep(self) -> bool:
        """Never what nothing is known of; nor over what is known of another camera, for a source that was mistyped."""
        if self._broken or not self._begun or self._shown_s is None:
            return False
        return not self._replaces or self._clock() - self._shown_s >= FIRST_KEPT_S

    def report(self) -> DriftReport:
        """How it is right now."""
        camera = self._camera
        return DriftReport(
            verdicts=camera.verdicts,
            judges_pictures=camera.judges_pictures and not self._broken,
            judges_people=camera.judges_people and not self._broken,
            judges_traffic=camera.judges_traffic and not self._broken,
            proposes_renewal=camera.proposes_renewal(self._newest_s),
            features={name: round(value, 3) for name, value in camera.features.items()},
            version=camera.version,
        )
