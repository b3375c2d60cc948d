"""Ray Serve's handles as our protocols; the handle itself is a fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipelines.errors import DetectorUnavailable
from pipelines.types import Detections, ImageBatch
from serve.deployments import handles
from serve.deployments.handles import HandleDetector
from tests.fakes import brightness_as_box

SIZE = (320, 416)


@dataclass
class Call:
    """A response of Ray Serve."""

    found: list[Detections] | Exception

    def result(self, timeout_s: float) -> list[Detections]:
        assert timeout_s > 0
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@dataclass
class Handle:
    """A handle of a detector deployment.

    Attributes:
        by_reference: how its messages go.
        stacks: that were sent, in images.
        error: what a call ends with; None if it is answered.
    """

    by_reference: bool = True
    stacks: list[int] = field(default_factory=list)
    error: Exception | None = None

    def options(self, *, _by_reference: bool) -> Handle:
        self.by_reference = _by_reference
        return self

    @property
    def detect(self) -> Handle:
        return self

    def remote(self, batch: ImageBatch) -> Call:
        self.stacks.append(len(batch))
        return Call(self.error or [brightness_as_box(image) for image in batch])


def images(count: int) -> ImageBatch:
    return np.stack([np.full((*SIZE, 3), value, np.uint8) for value in range(count)])


@pytest.fixture
def handle() -> Handle:
    return Handle()


@pytest.fixture
def detector(handle: Handle) -> Iterator[HandleDetector]:
    made = HandleDetector(handle, SIZE, timeout_s=5.0)
    yield made
    made.close()


def test_no_message_is_larger_than_ray_serve_takes_and_answers_keep_their_order(
    handle: Handle, detector: HandleDetector
) -> None:
    found = detector.submit(images(16)).result(5)
    assert handle.by_reference is False
    assert handle.stacks == [8, 8]
    assert [int(one.scores[0]) for one in found] == list(range(16))
    assert 8 * SIZE[0] * SIZE[1] * 3 < 4 << 20


def test_an_image_that_fits_into_no_message_goes_by_reference(monkeypatch: pytest.MonkeyPatch, handle: Handle) -> None:
    monkeypatch.setattr(handles, "MOST_BYTES", SIZE[0] * SIZE[1] * 3 - 1)
    detector = HandleDetector(handle, SIZE, timeout_s=5.0)
    assert len(detector.submit(images(3)).result(5)) == 3
    assert (handle.by_reference, handle.stacks) == (True, [1, 1, 1])
    detector.close()


def test_a_replica_that_does_not_answer_in_time_is_unavailable(handle: Handle, detector: HandleDetector) -> None:
    handle.error = TimeoutError()
    with pytest.raises(DetectorUnavailable, match="TimeoutError"):
        detector.submit(images(1)).result(5)
