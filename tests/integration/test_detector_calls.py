"""Readers' calls to detector replicas, through Ray Serve."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from ray import serve as rayserve

from serve.launch.service import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def callers() -> Any:
    """An application of one slow detector and of two readers that always have a call under way.

    What is made in here is sent to Ray's processes as it is; they know nothing of tests.
    """
    import asyncio
    import threading
    from concurrent.futures import Future

    import numpy as np

    from pipelines.types import Detections, ImageBatch
    from serve.deployments.handles import HandleDetector

    class Slow:
        async def detect(self, batch: ImageBatch) -> list[Detections]:
            await asyncio.sleep(0.2)
            return [Detections.empty() for _ in batch]

    class Caller:
        def __init__(self, handle: Any) -> None:
            self._detector = HandleDetector(handle, (32, 48), timeout_s=5.0)
            self._answered = 0
            threading.Thread(target=self._call, daemon=True).start()

        def _call(self) -> None:
            batch = np.zeros((2, 32, 48, 3), np.uint8)
            under_way: list[Future[list[Detections]]] = [self._detector.submit(batch) for _ in range(2)]
            while True:
                try:
                    under_way.pop(0).result()
                    self._answered += 1
                except Exception:
                    pass
                under_way.append(self._detector.submit(batch))

        async def answered(self) -> tuple[int, int]:
            return os.getpid(), self._answered

    options: dict[str, Any] = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 64}
    slow = rayserve.deployment(name="Slow", **options)(Slow).bind()
    first = rayserve.deployment(name="First", **options)(Caller).bind(slow)
    second = rayserve.deployment(name="Second", **options)(Caller).bind(slow)

    class Both:
        def __init__(self, first: Any, second: Any) -> None:
            self._callers = {"first": first, "second": second}

        async def answered(self, name: str) -> tuple[int, int]:
            found: tuple[int, int] = await self._callers[name].answered.remote()
            return found

    return rayserve.deployment(name="Both", **options)(Both).bind(first, second)


def test_a_caller_that_freezes_in_the_middle_of_a_call_holds_up_no_other(service: Service) -> None:
    """It was so: the replica waited for it to confirm that it had heard the answer."""
    handle = rayserve.run(callers(), name="callers", route_prefix=None)
    try:

        def answered(name: str) -> tuple[int, int]:
            found: tuple[int, int] = handle.answered.remote(name).result(timeout_s=10)
            return found

        for name in ("first", "second"):
            wait_until(lambda name=name: answered(name)[1] > 3, 20, "the first answers")
        pid, _ = answered("first")
        os.kill(pid, signal.SIGSTOP)
        try:
            before = answered("second")[1]
            # More than can have been under way already.
            wait_until(lambda: answered("second")[1] > before + 8, 20, "answers for the other")
        finally:
            os.kill(pid, signal.SIGCONT)
    finally:
        rayserve.delete("callers")
