"""Ray Serve's handles as the plain protocols that the rest of the code knows; errors come back as what they were."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from analytics.alerts.book import Alert
from analytics.alerts.rule_changes import RuleView
from analytics.alerts.silences import Silence
from analytics.geometry import Geometry
from pipelines.batching.batch_detector import ImageCost
from pipelines.errors import DetectorUnavailable, FootfallError
from pipelines.types import Detections, ImageBatch
from serve.control.history import Moment
from serve.control.messages import DesiredState, Greeting, Heartbeat, Overview, StreamView
from serve.control.preconditions import ANY, Precondition
from serve.definitions.stream import StreamDefinition
from serve.deployments.answers import unwrapped
from serve.deployments.watching import asked
from serve.errors import NotReady
from serve.streams.live_frame import LiveFrame

MOST_BYTES = 3_500_000
"""Of images in one call: Ray Serve takes no message of more than 4 MiB, unless all its processes are told otherwise."""


class HandleRegistryClient:
    """The registry for the API; see `serve.api.registry_client.RegistryClient`.

    Args:
        handle: of the registry; calls go by value, they are small.
        live: of the deployment that hands on live pictures.
    """

    def __init__(self, handle: Any, live: Any) -> None:
        self._handle = handle.options(_by_reference=False)
        self._watch = live.options(method_name="answer_watch", stream=True, _by_reference=False)

    async def list_streams(self) -> list[StreamView]:
        found: list[StreamView] = await self._call("list_streams")
        return found

    async def get_stream(self, stream: str) -> StreamView:
        found: StreamView = await self._call("get_stream", stream)
        return found

    async def put_stream(
        self, stream: str, wanted: StreamDefinition, geometry: Geometry | None, expected: Precondition = ANY
    ) -> tuple[StreamView, bool]:
        view, created = await self._call("put_stream", stream, wanted, geometry, expected)
        return view, created

    async def patch_stream(
        self, stream: str, changes: Mapping[str, Any], geometry: Geometry | None, expected: Precondition = ANY
    ) -> StreamView:
        view: StreamView = await self._call("patch_stream", stream, changes, geometry, expected)
        return view

    async def delete_stream(self, stream: str, purge: bool, expected: Precondition = ANY) -> None:
        await self._call("delete_stream", stream, purge, expected)

    async def put_geometry(
        self, stream: str, geometry: Geometry, version: int | None, expected: Precondition = ANY
    ) -> StreamView:
        view: StreamView = await self._call("put_geometry", stream, geometry, version, expected)
        return view

    async def renew_reference(self, stream: str) -> StreamView:
        view: StreamView = await self._call("renew_reference", stream)
        return view

    async def overview(self) -> Overview:
        found: Overview = await self._call("overview")
        return found

    async def health_history(self, stream: str) -> list[Moment]:
        found: list[Moment] = await self._call("health_history", stream)
        return found

    async def alerts(self) -> list[Alert]:
        found: list[Alert] = await self._call("alerts")
        return found

    async def acknowledge(self, alert: str, by: str) -> Alert:
        found: Alert = await self._call("acknowledge", alert, by)
        return found

    async def silences(self) -> list[Silence]:
        found: list[Silence] = await self._call("silences")
        return found

    async def silence(
        self, until_s: float, by: str, reason: str, rule: str | None, subject: str | None, from_s: float | None
    ) -> Silence:
        made: Silence = await self._call("silence", until_s, by, reason, rule, subject, from_s)
        return made

    async def unsilence(self, silence: str) -> Silence:
        ended: Silence = await self._call("unsilence", silence)
        return ended

    async def alert_rules(self) -> list[RuleView]:
        found: list[RuleView] = await self._call("alert_rules")
        return found

    async def change_alert_rule(self, name: str, change: Mapping[str, Any]) -> RuleView:
        view: RuleView = await self._call("change_alert_rule", name, change)
        return view

    async def watch(self, stream: str) -> AsyncIterator[LiveFrame]:
        await self.get_stream(stream)  # there is none: said by who knows
        calls = self._watch.remote(stream)
        try:
            async for frame in calls:
                yield unwrapped(frame)
        except (RayError, RayServeException, FootfallError) as error:
            raise _ours(error) from error
        finally:
            with suppress(Exception):
                calls.cancel()  # ending the loop does not end the call

    async def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return await asked(self._handle, method, *arguments)
        except (RayError, RayServeException, FootfallError) as error:
            raise _ours(error) from error


def _ours(error: Exception) -> Exception:
    """The error that the registry raised, out of its wrapping."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, (RayError, RayServeException)):
        return NotReady("the registry does not answer; it is restarting")
    return cause if isinstance(cause, Exception) else NotReady("the registry does not answer")


class HandleRegistryLink:
    """The registry for a reader; see `serve.control.link.RegistryLink`.

    Args:
        handle: of the registry.
        live: of the deployment that hands on live pictures.
    """

    def __init__(self, handle: Any, live: Any) -> None:
        self._handle = handle.options(_by_reference=False)
        self._live = live.options(_by_reference=False)
        # By value: then the registry's side is cancelled within 50 ms of this process's death.
        self._session = handle.options(method_name="session", stream=True, _by_reference=False)

    async def session(self, greeting: Greeting) -> AsyncGenerator[DesiredState, None]:
        calls = self._session.remote(greeting)
        try:
            async for desired in calls:
                yield desired
        finally:
            with suppress(Exception):
                calls.cancel()

    async def heartbeat(self, heartbeat: Heartbeat) -> list[str] | None:
        lost: list[str] | None = await asked(self._handle, "heartbeat", heartbeat)
        return lost

    async def leave(self, reader: str) -> bool:
        handed_over: bool = await asked(self._handle, "leave", reader)
        return handed_over

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        await asked(self._handle, "handback", reader, streams)

    async def publish(self, stream: str, frame: LiveFrame) -> bool:
        watched: bool = await self._live.publish.remote(stream, frame)
        return watched


class HandleDetector:
    """The detector replicas, as a reader's `pipelines.batching.batch_detector.BatchDetector`.

    Stacks cross by value. By reference they cost a fifth less, but a replica then waits for each caller to confirm that
    it has heard the answer: one caller that freezes holds up all others (ADR 12).

    Args:
        handle: of the detector deployment.
        input_size: (height, width), pixels.
        timeout_s: how long to wait for an answer.
        in_flight: batches worth having under way.
    """

    def __init__(self, handle: Any, input_size: tuple[int, int], timeout_s: float, in_flight: int = 4) -> None:
        height, width = input_size
        fitting = MOST_BYTES // (height * width * 3)
        # An image that is too large for a message has no other way.
        self._handle = handle.options(_by_reference=fitting == 0)
        self._images_a_call = max(1, fitting)
        self._timeout_s = timeout_s
        self._input_size = input_size
        self._in_flight = in_flight
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="remote-detector")
        self._cost = ImageCost()

    @staticmethod
    async def connect(handle: Any, timeout_s: float) -> HandleDetector:
        """Ask a replica for its input size. Raises whatever Ray raises while there is none."""
        height, width = await handle.input_size.remote()
        return HandleDetector(handle, (int(height), int(width)), timeout_s)

    @property
    def input_size(self) -> tuple[int, int]:
        return self._input_size

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def image_cpu_s(self) -> float:
        return self._cost.cpu_s

    def submit(self, batch: ImageBatch) -> Future[list[Detections]]:
        return self._pool.submit(self._call, batch)

    def _call(self, batch: ImageBatch) -> list[Detections]:
        try:
            with self._cost.of(len(batch)):
                return self._answers(batch)
        except FootfallError as error:
            raise DetectorUnavailable(str(error)) from error
        except (RayError, RayServeException, TimeoutError) as error:
            raise DetectorUnavailable(f"no detector replica answers: {type(error).__name__}") from error

    def _answers(self, batch: ImageBatch) -> list[Detections]:
        """In as many calls as it takes."""
        deadline_s = time.monotonic() + self._timeout_s
        begins = range(0, len(batch), self._images_a_call)
        calls = [self._handle.detect.remote(batch[begin : begin + self._images_a_call]) for begin in begins]
        found: list[Detections] = []
        for call in calls:
            found += call.result(timeout_s=max(0.0, deadline_s - time.monotonic()))
        return found

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
