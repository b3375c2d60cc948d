"""What a reader asks of the registry; over a network there is a handle in between, in a test there is nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from serve.control.messages import DesiredState, Greeting, Heartbeat
from serve.streams.live_frame import LiveFrame


class RegistryLink(Protocol):
    """See the methods of the same names of `serve.control.registry.Registry`.

    Every call may fail in any way that a network has; the reader goes on with what it holds and tries again.
    """

    def session(self, greeting: Greeting) -> AsyncGenerator[DesiredState, None]:
        """Closing the generator ends the session."""
        ...

    async def heartbeat(self, heartbeat: Heartbeat) -> list[str] | None: ...

    async def leave(self, reader: str) -> bool: ...

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None: ...

    async def publish(self, stream: str, frame: LiveFrame) -> bool: ...
