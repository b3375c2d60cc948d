"""What a reader keeps of pictures, as far as the operator allows it: shared by all of its streams."""

from __future__ import annotations

from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from analytics.storage.view_pictures import DatabaseViewPictures, ViewPictureStore
from serve.settings import Settings
from serve.streams.aside import Aside
from serve.streams.drift import StreamDrift
from serve.streams.hard_frame_keeping import HardFrameKeeper
from serve.streams.onlookers import Onlookers
from serve.streams.view_pictures import ViewPictures
from serve.streams.worker import WorkerPlan

PARTING_S = 1.0


class Keepers:
    """Begin at once; `stop` ends them.

    Args:
        settings: of the service.
        store: that streams are registered in.
        pictures: where pictures of views are kept; the store's if absent, or none if that has none.
    """

    def __init__(self, settings: Settings, store: Store, pictures: ViewPictureStore | None = None) -> None:
        monitoring = settings.monitoring
        self._hard_frames = HardFrameKeeper(
            settings.hard_frames_dir,
            monitoring.hard_frames_most,
            monitoring.hard_frames_days,
            enabled=monitoring.hard_frames,
            blurs=settings.privacy.blurs,
            is_registered=lambda stream: store.get_stream(stream) is not None,
        )
        if pictures is None and isinstance(store, DatabaseStore):
            pictures = DatabaseViewPictures(store)
        self._pictures = pictures if monitoring.pictures else None
        self._blurs = settings.privacy.blurs
        self._aside = Aside("view-pictures")
        self._aside.start()

    def onlookers_of(self, plan: WorkerPlan, drift: StreamDrift | None) -> Onlookers:
        """Who looks at the frames of a stream, in one epoch."""
        hard_frames = self._hard_frames.of(plan.stream, plan.model)
        if drift is None or self._pictures is None:
            return Onlookers(hard_frames)
        pictures = ViewPictures(plan.stream, plan.epoch, drift, self._pictures, self._aside, self._blurs)
        return Onlookers(hard_frames, pictures)

    def stop(self) -> None:
        """Idempotent; a disk or database that hangs is left to itself."""
        self._aside.stop(PARTING_S)
        self._hard_frames.stop(PARTING_S)
