"""Two small pictures of each camera, where the operator allows it: how it should look, and how it went wrong.

Taken beside the counting, never in its way: what fails is tried again later, and costs no frame and no count.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from analytics.drift.causes import Cause
from analytics.errors import StaleEpoch, StoreError
from analytics.storage.view_pictures import StoredView, ViewKind, ViewPictureStore
from pipelines.batching.letterbox import to_image
from serve.streams.aside import Aside
from serve.streams.drift import StreamDrift
from serve.streams.drift_report import DriftReport
from serve.streams.hard_frames import DOUBTFUL
from serve.streams.images import encode_jpeg, pixelate, scale_down
from serve.streams.processor import ProcessedFrame

logger = logging.getLogger(__name__)
LONGEST_SIDE_PX = 640
LOOK_S = 2.0
"""How often it is looked whether a picture is wanted."""
RETRY_S = 30.0
PATIENCE_S = {ViewKind.BEFORE: 60.0, ViewKind.AFTER: 10.0}
"""So long it is waited for a frame without people."""
TELLING = frozenset(cause.value for cause in (Cause.MOVED, Cause.COVERED, Cause.BLURRED, Cause.DARK))
"""What a picture shows to those who have to mend it."""
_OF_PICTURES = frozenset(cause.value for cause in Cause)


def wanted(report: DriftReport, known: Mapping[ViewKind, StoredView]) -> ViewKind | None:
    """Which picture is to be taken now.

    Args:
        report: how the camera is.
        known: pictures that there are, whichever version they belong to.
    """
    mine = {kind: view for kind, view in known.items() if view.version == report.version}
    began_s = [verdict.since_s for verdict in report.verdicts if verdict.cause in TELLING]
    if began_s:
        after = mine.get(ViewKind.AFTER)
        return ViewKind.AFTER if after is None or after.captured_s < max(began_s) else None
    wrong = any(verdict.cause in _OF_PICTURES for verdict in report.verdicts)
    if ViewKind.BEFORE in mine or wrong or not report.judges_pictures:
        return None
    return ViewKind.BEFORE


def shows_people(frame: ProcessedFrame) -> bool:
    """Whether somebody may be in a frame."""
    return bool(len(frame.tracks)) or bool((frame.detections.scores >= DOUBTFUL[0]).any())


@dataclass(frozen=True, slots=True)
class _Wish:
    """For a picture.

    Attributes:
        kind: of it.
        version: of the reference that it belongs to.
        since_s: capture time from which on it is waited for.
    """

    kind: ViewKind
    version: int
    since_s: float


class ViewPictures:
    """Of one stream in one epoch: an `Onlooker`.

    Args:
        stream: id.
        epoch: of the assignment.
        drift: says how the camera is.
        store: where pictures are kept.
        aside: takes them there; shared by the streams of a reader.
        blurs: whether people of a stream are pixelated.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: str,
        epoch: int,
        drift: StreamDrift,
        store: ViewPictureStore,
        aside: Aside,
        blurs: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._epoch = stream, epoch
        self._drift = drift
        self._store = store
        self._aside = aside
        self._blurs = blurs
        self._clock = clock
        self._known: Mapping[ViewKind, StoredView] | None = None
        self._wish: _Wish | None = None
        self._busy = self._over = False
        self._due_s = clock()

    @property
    def wants_picture(self) -> bool:
        return self._wish is not None

    def look(self, frame: ProcessedFrame) -> None:
        if self._busy or self._over:
            return
        time_s = frame.frame.stamp.time_s
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + LOOK_S
            self._decide(time_s)
        wish = self._wish
        if wish is None or frame.frame.video_frame is None:
            return
        if shows_people(frame) and 0 <= time_s - wish.since_s < PATIENCE_S[wish.kind]:
            return
        self._do(partial(self._keep, wish, frame))

    def _decide(self, time_s: float) -> None:
        if self._known is None:
            self._do(self._begin)
            return
        report = self._drift.report()
        kind = wanted(report, self._known)
        if kind is None:
            self._wish = None
        elif self._wish is None or (self._wish.kind, self._wish.version) != (kind, report.version):
            self._wish = _Wish(kind, report.version, time_s)

    # -- by the thread that asks the store

    def _do(self, task: Callable[[], None]) -> None:
        self._busy = True
        if not self._aside.offer(partial(self._guarded, task)):
            self._busy = False

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except StaleEpoch:
            self._end()
        except StoreError as error:
            self._due_s = self._clock() + RETRY_S
            self._wish = None
            logger.debug("a picture of the view waits: %s", error, extra={"stream": self._stream})
        except Exception:
            self._end()
            logger.exception("no pictures of the view are kept any more", extra={"stream": self._stream})
        finally:
            self._busy = False

    def _end(self) -> None:
        self._over, self._wish = True, None

    def _begin(self) -> None:
        """Learn what there is. What is of another camera goes, and so does what shows people who are not to be seen."""
        found = self._store.find(self._stream)
        shown = any(not view.blurred for view in found.values())
        if found and (self._drift.is_new or (shown and self._blurs(self._stream))):
            self._store.forget(self._stream)
            found = {}
        self._known = found

    def _keep(self, wish: _Wish, frame: ProcessedFrame) -> None:
        assert frame.frame.video_frame is not None
        image, scale = scale_down(to_image(frame.frame.video_frame), LONGEST_SIDE_PX)
        blur = self._blurs(self._stream)
        if blur:
            pixelate(image, frame.detections.boxes * scale)
            pixelate(image, frame.tracks.boxes * scale)
        view = StoredView(wish.kind, wish.version, frame.frame.stamp.time_s, blur)
        if not self._store.keep(self._stream, self._epoch, view, encode_jpeg(image)):
            self._due_s = self._clock() + RETRY_S  # somebody has said that another view is the right one
        elif wish.kind is ViewKind.BEFORE:
            self._known = {wish.kind: view}
        else:
            self._known = {**(self._known or {}), wish.kind: view}
        self._wish = None
