"""One client of the camera server: its requests, and the way its packets take."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from pipelines.simulator.rtsp.broadcast import Broadcast, Unit
from pipelines.simulator.rtsp.messages import Gatekeeper, Request, read_request, response
from pipelines.simulator.rtsp.rtp import PacketStream

log = logging.getLogger(__name__)

TransportName: TypeAlias = Literal["tcp", "udp"]

REPORT_EVERY_S = 2.0
LARGEST_BACKLOG = 8 * 2**20
"""Bytes that may wait for a slow client before it gets nothing until the next key frame."""

METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN"
KEEPALIVE_METHODS = ("GET_PARAMETER", "SET_PARAMETER", "PAUSE")

_CHANNEL = re.compile(r"interleaved=(\d+)")
_PORTS = re.compile(r"client_port=(\d+)-(\d+)")


class PacketPath(Protocol):
    """How packets reach a client."""

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send RTP packets; false if the client is too slow and they were dropped."""
        ...

    def report(self, packet: bytes) -> None:
        """Send an RTCP packet."""
        ...

    def close(self) -> None: ...


class InterleavedPath:
    """Packets within the RTSP connection itself, on two channels."""

    def __init__(self, writer: asyncio.StreamWriter, channel: int) -> None:
        self._writer = writer
        self._channel = channel

    def send(self, packets: Sequence[bytes]) -> bool:
        if self._writer.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            return False
        self._writer.write(b"".join(self._framed(self._channel, packet) for packet in packets))
        return True

    def report(self, packet: bytes) -> None:
        self._writer.write(self._framed(self._channel + 1, packet))

    def close(self) -> None:
        """The session closes the connection."""

    @staticmethod
    def _framed(channel: int, packet: bytes) -> bytes:
        return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet


class DatagramPath:
    """Packets by UDP: one socket for RTP, one for RTCP."""

    def __init__(self, host: str, client_host: str, client_ports: tuple[int, int]) -> None:
        self._targets = [(client_host, port) for port in client_ports]
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in client_ports]
        for one in self._sockets:
            one.bind((host, 0))
            one.setblocking(False)

    @property
    def ports(self) -> tuple[int, int]:
        """Of this side, for RTP and RTCP."""
        rtp, rtcp = (int(one.getsockname()[1]) for one in self._sockets)
        return rtp, rtcp

    def send(self, packets: Sequence[bytes]) -> bool:
        for packet in packets:
            self._send(0, packet)
        return True

    def report(self, packet: bytes) -> None:
        self._send(1, packet)

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _send(self, which: int, packet: bytes) -> None:
        try:
            self._sockets[which].sendto(packet, self._targets[which])
        except OSError as error:
            log.debug("a datagram is lost: %s", error)


class RtspSession:
    """Answers one client until it leaves.

    Args:
        cameras: by name.
        gatekeeper: whom to let in.
        transports: which ones a client may ask for.
        host: address for datagrams.
        rng: for identifiers, and for which packets are lost.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        cameras: Mapping[str, Broadcast],
        gatekeeper: Gatekeeper,
        transports: Collection[TransportName],
        host: str,
        rng: random.Random,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._cameras = cameras
        self._gatekeeper = gatekeeper
        self._transports = transports
        self._host = host
        self._rng = rng
        self._id = secrets.token_hex(8)
        self._stream = PacketStream(rng)
        self._path: PacketPath | None = None
        self._playing: Broadcast | None = None
        self._awaits_key = True
        self._reported_s = float("-inf")

    async def run(self) -> None:
        """Serve the client; returns when the connection ends, whatever the reason."""
        try:
            while True:
                request = await read_request(self._reader)
                self._writer.write(self._answer(request))
                if request.method == "TEARDOWN":
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
            log.debug("a client has left: %r", error)
        finally:
            self._leave()

    def abort(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()

    def deliver(self, unit: Unit, loss: float) -> None:
        if self._path is None or (self._awaits_key and not unit.key):
            return
        packets = self._stream.packets(unit.payloads, unit.timestamp)
        if loss:
            packets = [packet for packet in packets if self._rng.random() >= loss]
        self._awaits_key = not self._path.send(packets)
        if unit.time_s - self._reported_s > REPORT_EVERY_S:
            self._reported_s = unit.time_s
            self._path.report(self._stream.report(unit.time_s, unit.timestamp))

    def _answer(self, request: Request) -> bytes:
        if request.method == "OPTIONS":
            return response(request, "200 OK", {"Public": METHODS})
        if not self._gatekeeper.admits(request):
            return response(request, "401 Unauthorized", {"WWW-Authenticate": self._gatekeeper.challenge})
        camera = self._cameras.get(request.camera)
        if camera is None:
            return response(request, "404 Not Found")
        if request.method == "DESCRIBE":
            headers = {"Content-Type": "application/sdp", "Content-Base": request.uri.rstrip("/") + "/"}
            return response(request, "200 OK", headers, camera.clip.describe(self._host, request.camera))
        if request.method == "SETUP":
            return self._set_up(request)
        if request.method == "PLAY":
            return self._play(request, camera)
        if request.method in (*KEEPALIVE_METHODS, "TEARDOWN"):
            return response(request, "200 OK", {"Session": self._id})
        return response(request, "501 Not Implemented")

    def _set_up(self, request: Request) -> bytes:
        asked = request.headers.get("transport", "")
        ports = _PORTS.search(asked)
        self._close_path()
        if "TCP" in asked and "tcp" in self._transports:
            channel = _CHANNEL.search(asked)
            first = min(int(channel[1]), 254) if channel else 0
            self._path = InterleavedPath(self._writer, first)
            granted = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
        elif "TCP" not in asked and ports and "udp" in self._transports:
            client_ports = int(ports[1]), int(ports[2])
            path = DatagramPath(self._host, self._writer.get_extra_info("peername")[0], client_ports)
            self._path = path
            both = f"client_port={client_ports[0]}-{client_ports[1]};server_port={path.ports[0]}-{path.ports[1]}"
            granted = f"RTP/AVP;unicast;{both}"
        else:
            return response(request, "461 Unsupported Transport")
        headers = {"Transport": f"{granted};ssrc={self._stream.ssrc:08X}", "Session": f"{self._id};timeout=60"}
        return response(request, "200 OK", headers)

    def _play(self, request: Request, camera: Broadcast) -> bytes:
        if self._path is None:
            return response(request, "455 Method Not Valid in This State")
        self._playing = camera
        # The answer has to be on the wire before the first packet: both are written from this thread, in order.
        asyncio.get_running_loop().call_soon(self._join, camera)
        return response(request, "200 OK", {"Session": self._id, "Range": "npt=now-"})

    def _join(self, camera: Broadcast) -> None:
        if self._playing is camera:
            camera.add(self)

    def _leave(self) -> None:
        if self._playing is not None:
            self._playing.discard(self)
            self._playing = None
        self._close_path()
        self._writer.close()

    def _close_path(self) -> None:
        if self._path is not None:
            self._path.close()
            self._path = None
