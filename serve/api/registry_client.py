"""The registry as the API sees it, so that the API can be tested without a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from analytics.alerts.book import Alert
from analytics.alerts.rule_changes import RuleView
from analytics.alerts.silences import Silence
from analytics.geometry import Geometry
from serve.control.history import Moment
from serve.control.messages import Overview, StreamView
from serve.control.preconditions import ANY, Precondition
from serve.definitions.stream import StreamDefinition
from serve.errors import NotReady
from serve.streams.live_frame import LiveFrame

SNAPSHOT_WAIT_S = 4.0


class RegistryClient(Protocol):
    """See the methods of the same names of `serve.control.registry.Registry`.

    Every method raises `NotReady` while the registry does not answer.
    """

    async def list_streams(self) -> list[StreamView]: ...

    async def get_stream(self, stream: str) -> StreamView: ...

    async def put_stream(
        self, stream: str, wanted: StreamDefinition, geometry: Geometry | None, expected: Precondition = ANY
    ) -> tuple[StreamView, bool]: ...

    async def patch_stream(
        self, stream: str, changes: Mapping[str, Any], geometry: Geometry | None, expected: Precondition = ANY
    ) -> StreamView: ...

    async def delete_stream(self, stream: str, purge: bool, expected: Precondition = ANY) -> None: ...

    async def put_geometry(
        self, stream: str, geometry: Geometry, version: int | None, expected: Precondition = ANY
    ) -> StreamView: ...

    async def renew_reference(self, stream: str) -> StreamView: ...

    async def overview(self) -> Overview: ...

    async def health_history(self, stream: str) -> list[Moment]: ...

    async def alerts(self) -> list[Alert]: ...

    async def acknowledge(self, alert: str, by: str) -> Alert: ...

    async def silences(self) -> list[Silence]: ...

    async def silence(
        self, until_s: float, by: str, reason: str, rule: str | None, subject: str | None, from_s: float | None
    ) -> Silence: ...

    async def unsilence(self, silence: str) -> Silence: ...

    async def alert_rules(self) -> list[RuleView]: ...

    async def change_alert_rule(self, name: str, change: Mapping[str, Any]) -> RuleView: ...

    def watch(self, stream: str) -> AsyncIterator[LiveFrame]: ...


async def newest_frame(registry: RegistryClient, stream: str, wait_s: float = SNAPSHOT_WAIT_S) -> LiveFrame:
    """The next live frame of a stream.

    Raises:
        UnknownStream: no such stream.
        NotReady: none came in time, with the reason as far as it is known.
    """
    frames = registry.watch(stream)
    try:
        async with asyncio.timeout(wait_s):
            async for frame in frames:
                return frame
    except TimeoutError:
        pass
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()
    status = (await registry.get_stream(stream)).status
    reason = f", {status.error}" if status.error else ""
    raise NotReady(f"no picture of {stream!r} yet: it is {status.state}{reason}")
