"""Simulated RTSP cameras in a thread of their own, for tests and demos."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from pipelines.errors import SimulatorError
from pipelines.simulator.rtsp.broadcast import Broadcast, Faults
from pipelines.simulator.rtsp.clip import Clip
from pipelines.simulator.rtsp.messages import AuthScheme, Gatekeeper
from pipelines.simulator.rtsp.server import RtspServer
from pipelines.simulator.rtsp.session import TransportName

log = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class CameraServer:
    """Plays clips as RTSP cameras, over and over, without re-encoding.

    It can be stopped and started again any number of times and keeps its port; as a context manager it does both.
    Faults may be asked for from any thread.

    Args:
        cameras: video files (H.264 or H.265 without B-frames) by the name of their camera, the path of its URL.
        host: address to listen on.
        port: 0 for any free one.
        user: None lets everybody in.
        password: of the user.
        auth: how clients have to send them.
        transports: which ones clients may ask for; others are refused.
        ssl_context: of the server side, for ``rtsps``; None for plain ``rtsp``.
        fps: frames a second of all cameras; None for what the files say.
        seed: of random identifiers and of which packets are lost.
        turned: what cameras show while they are turned, by name; see `pipelines.simulator.turned`.
    """

    def __init__(
        self,
        cameras: Mapping[str, Path],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str | None = None,
        password: str = "",
        auth: AuthScheme = "digest",
        transports: Collection[TransportName] = ("tcp", "udp"),
        ssl_context: ssl.SSLContext | None = None,
        fps: float | None = None,
        seed: int = 0,
        turned: Mapping[str, Path] | None = None,
    ) -> None:
        self._paths = dict(cameras)
        self._turned_paths = dict(turned or {})
        self._turned: dict[str, Clip] = {}
        self._host = host
        self._port = port
        self._user = user
        self._password = password
        self._auth: AuthScheme = auth
        self._transports = transports
        self._ssl_context = ssl_context
        self._fps = fps
        self._rng = random.Random(seed)
        self._faults = {name: Faults() for name in cameras}
        self._clips: dict[str, Clip] = {}
        self._thread: _ServerThread | None = None

    def __enter__(self) -> CameraServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._thread is not None

    @property
    def port(self) -> int:
        """The port it listens on, or will listen on again; 0 before the first start if none was asked for."""
        return self._port

    def start(self) -> None:
        """Listen; returns once clients can connect. Harmless if it runs already.

        Raises:
            SimulatorError: a file cannot be played, or the port cannot be had.
        """
        if self._thread is not None:
            return
        if not self._clips:
            self._clips = {name: Clip.load(Path(path), self._fps) for name, path in self._paths.items()}
            self._turned = {name: Clip.load(Path(path), self._fps) for name, path in self._turned_paths.items()}
        cameras = {
            name: Broadcast(clip, self._faults[name], self._rng, self._turned.get(name))
            for name, clip in self._clips.items()
        }
        server = RtspServer(
            cameras,
            Gatekeeper(self._user, self._password, self._auth),
            host=self._host,
            port=self._port,
            transports=self._transports,
            ssl_context=self._ssl_context,
            rng=self._rng,
        )
        thread = _ServerThread(server, cameras)
        thread.begin()
        self._thread = thread
        self._port = server.port

    def stop(self) -> None:
        """Close the port and all connections, and wait for it. Harmless if it does not run."""
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    def url(self, camera: str, *, credentials: bool = True) -> str:
        """The address of a camera, with user and password unless told otherwise."""
        scheme = "rtsp" if self._ssl_context is None else "rtsps"
        account = ""
        if self._user is not None and credentials:
            account = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}@"
        return f"{scheme}://{account}{self._host}:{self._port}/{camera}"

    def watchers(self, camera: str) -> int:
        """How many clients play a camera right now."""
        return 0 if self._thread is None else self._thread.cameras[camera].watchers

    def freeze(self, camera: str, frozen: bool = True) -> None:
        """Send nothing more, but keep connections; or go on."""
        self._faults[camera].frozen = frozen

    def turn(self, camera: str, turned: bool = True) -> None:
        """Show the clip of a camera that was turned, from its next key frame on; or the usual one again.

        Raises:
            ValueError: there is none.
        """
        if camera not in self._turned_paths:
            raise ValueError(f"there is no clip of {camera} that shows it turned")
        self._faults[camera].turned = turned

    def loss(self, camera: str, share: float) -> None:
        """Lose a share of the packets, in [0, 1]."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share of packets is between 0 and 1, not {share}")
        self._faults[camera].loss = share

    def kick(self) -> None:
        """Cut the connection of every client; they may come back at once."""
        if self._thread is not None:
            self._thread.kick()


class _ServerThread:
    """Runs one server from its start to its end.

    Attributes:
        cameras: of the server, by name.
    """

    def __init__(self, server: RtspServer, cameras: Mapping[str, Broadcast]) -> None:
        self.cameras = cameras
        self._server = server
        self._listening: Future[asyncio.AbstractEventLoop] = Future()
        self._stop: asyncio.Event = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="camera-server", daemon=True)

    def begin(self) -> None:
        """Returns once the server listens, or raises what kept it from that."""
        self._thread.start()
        self._listening.result(timeout=START_TIMEOUT_S)

    def end(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._listening.result().call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=STOP_TIMEOUT_S)
        if self._thread.is_alive():
            log.error("the camera server has not stopped within %.0f s", STOP_TIMEOUT_S)

    def kick(self) -> None:
        self._listening.result().call_soon_threadsafe(self._server.kick)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            await self._server.start()
        except SimulatorError as error:
            self._listening.set_exception(error)
            return
        self._listening.set_result(asyncio.get_running_loop())
        await self._stop.wait()
        await self._server.stop()
