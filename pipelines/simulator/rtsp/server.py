"""A server of simulated RTSP cameras, inside a running event loop."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Collection, Mapping

from pipelines.errors import SimulatorError
from pipelines.simulator.rtsp.broadcast import Broadcast
from pipelines.simulator.rtsp.messages import Gatekeeper
from pipelines.simulator.rtsp.session import RtspSession, TransportName

LEAVE_TIMEOUT_S = 5.0


class RtspServer:
    """Listens on one port for clients of any of its cameras.

    Args:
        cameras: by name, which is the path of their URL.
        gatekeeper: whom to let in.
        host: address to listen on.
        port: 0 for any free one.
        transports: which ones a client may ask for.
        ssl_context: for ``rtsps``; None for plain ``rtsp``.
        rng: for identifiers, and for which packets are lost.
    """

    def __init__(
        self,
        cameras: Mapping[str, Broadcast],
        gatekeeper: Gatekeeper,
        *,
        host: str,
        port: int,
        transports: Collection[TransportName],
        ssl_context: ssl.SSLContext | None,
        rng: random.Random,
    ) -> None:
        self.port = port
        self._cameras = cameras
        self._gatekeeper = gatekeeper
        self._host = host
        self._transports = transports
        self._ssl_context = ssl_context
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._players: list[asyncio.Task[None]] = []
        self._sessions: dict[RtspSession, asyncio.Task[None] | None] = {}

    async def start(self) -> None:
        """Listen and let the cameras run; `port` then tells which port it is.

        Raises:
            SimulatorError: the address cannot be listened on.
        """
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._ssl_context)
        except OSError as error:
            raise SimulatorError(f"cannot listen on {self._host}:{self.port}: {error.strerror or error}") from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._players = [asyncio.create_task(camera.run()) for camera in self._cameras.values()]

    async def stop(self) -> None:
        """Close the port and cut all connections; harmless if it does not run."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self.kick()
        for player in self._players:
            player.cancel()
        ending = [*self._players, *(task for task in self._sessions.values() if task is not None)]
        if ending:
            await asyncio.wait(ending, timeout=LEAVE_TIMEOUT_S)

    def kick(self) -> None:
        """Cut the connection of every client."""
        for session in tuple(self._sessions):
            session.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = RtspSession(
            reader,
            writer,
            cameras=self._cameras,
            gatekeeper=self._gatekeeper,
            transports=self._transports,
            host=self._host,
            rng=self._rng,
        )
        self._sessions[session] = asyncio.current_task()
        try:
            await session.run()
        finally:
            del self._sessions[session]
