"""What can change of detection while it runs: the model and its thresholds, as Serve's ``user_config`` brings them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from pipelines.batching.batch_detector import warm_up
from pipelines.detection.base import Detector
from pipelines.detection.exchangeable import ExchangeableDetector, check_input_size
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import FootfallError
from pipelines.models.catalogue import resolve
from serve.deployments.reads import LIVE
from serve.errors import SettingsError
from serve.sections import DetectorSettings
from serve.settings import described
from serve.streams.freed_memory import give_back

logger = logging.getLogger(__name__)


def laid_over(settings: DetectorSettings, user_config: Mapping[str, Any] | None) -> DetectorSettings:
    """Settings, with what a deployment's ``user_config`` says instead.

    Raises:
        SettingsError: it names what does not change while it runs, or a value is out of bounds.
    """
    given = user_config or {}
    if not isinstance(given, Mapping):
        raise SettingsError("user_config holds no names with values")
    unknown = sorted(str(name) for name in given if name not in LIVE)
    if unknown:
        raise SettingsError(f"user_config knows {', '.join(LIVE)}, not {', '.join(unknown)}")
    try:
        return DetectorSettings.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        raise SettingsError(f"user_config: {described(error)}") from None


def open_detector(settings: DetectorSettings, threads: int = 1, providers: tuple[str, ...] | None = None) -> Detector:
    """What finds people, as it is set; blocks while it loads.

    Raises:
        ModelNotFound, ModelInvalid: there is no such model, or it is none.
    """
    return OnnxDetector(
        resolve(settings.model),
        threads=threads,
        providers=providers,
        score_floor=settings.score_threshold,
        nms_iou=settings.overlap_threshold,
        target_class="person",
    )


class Detection:
    """The one detector of a process. Another model takes over between two batches, once it is loaded and warm.

    Whatever is wrong with what it is to become, it stays as it is: Serve kills a replica that raises, starts another,
    and with that, all streams of the service would be at the mercy of a file.

    Args:
        settings: what it begins with. A replica that starts while `reconfigure` brings nothing usable stays with them.
        at_once: batches that it computes at the same time.
        open_model: makes a detector, blocking.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        *,
        at_once: int = 1,
        open_model: Callable[[DetectorSettings], Detector] = open_detector,
    ) -> None:
        self._settings = settings
        self._used = settings
        self._at_once = at_once
        self._open_model = open_model
        self._detector: ExchangeableDetector | None = None
        self._changing = asyncio.Lock()

    @property
    def used(self) -> DetectorSettings:
        """What it works with."""
        return self._used

    def open(self) -> ExchangeableDetector:
        """The detector; loaded by the first call, which blocks. Raises what `open_detector` raises."""
        if self._detector is None:
            self._detector = ExchangeableDetector(self._open_model(self._settings))
        return self._detector

    async def ready(self) -> ExchangeableDetector:
        """See `open`."""
        async with self._changing:
            return await asyncio.to_thread(self.open)

    async def reconfigure(self, user_config: Mapping[str, Any] | None) -> None:
        """Become what the settings say, with what ``user_config`` says instead; what is wrong with it is logged."""
        async with self._changing:
            try:
                wanted = laid_over(self._settings, user_config)
                if wanted != self._used or self._detector is None:
                    await asyncio.to_thread(self._become, wanted)
            except Exception as error:
                known = isinstance(error, FootfallError)
                logger.error(
                    "detection cannot be changed and stays with %s: %s",
                    self._used.model,
                    error,
                    exc_info=None if known else error,
                )

    def _become(self, wanted: DetectorSettings) -> None:
        detector = self.open()
        if wanted.model != self._used.model:
            self._exchange(detector, wanted)
        else:
            detector.use_thresholds(score=wanted.score_threshold, overlap=wanted.overlap_threshold)
        if wanted != self._used:
            logger.info(
                "detection with %s, score from %g, overlap to %g",
                *(wanted.model, wanted.score_threshold, wanted.overlap_threshold),
            )
        self._used = wanted

    def _exchange(self, detector: ExchangeableDetector, wanted: DetectorSettings) -> None:
        """Frames go on through the old model until the new one has computed its largest batches."""
        found = self._open_model(wanted)
        try:
            check_input_size(detector.input_size, found.input_size)
            warm_up(found, wanted.max_batch, self._at_once)
            detector.exchange(found)
        except BaseException:
            found.close()
            raise
        give_back()  # an old model's memory lies scattered over the heaps of all threads that computed with it
