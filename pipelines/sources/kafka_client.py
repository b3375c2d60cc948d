"""kafka-python's consumer and producer, opened so that they can be closed whatever became of them.

A consumer whose constructor fails gives nothing back: its thread runs for ever, and of each connection that failed a
socket stays open until Python collects cycles. With a broker away and many cameras that is all descriptors in an hour.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport

from pipelines.errors import SourceNotAllowed
from pipelines.sources.base import SourceLimits
from pipelines.sources.reach import ANYWHERE, Reach

REFUSALS = (SaslAuthenticationFailedError, TopicAuthorizationFailedError, UnsupportedSaslMechanismError)
"""What a broker says to those whom it does not let in."""


@dataclass(frozen=True, slots=True)
class KafkaLogin:
    """SASL user and password; ``tls`` encrypts with or without them."""

    username: str | None = None
    password: str | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: bool = False

    def options(self) -> dict[str, Any]:
        """As keyword arguments of ``KafkaConsumer`` and ``KafkaProducer``."""
        sasl = self.username is not None
        protocol = ("SASL_" if sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {"security_protocol": protocol}
        if sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password or "",
            }
        return options


@dataclass(frozen=True)
class Cluster:
    """Brokers, and how they are asked: cameras with the same share their lanes.

    Attributes:
        brokers: ``host:port`` each.
        login: user, password, TLS.
        limits: how long to wait, and what may be reached.
    """

    brokers: tuple[str, ...]
    login: KafkaLogin
    limits: SourceLimits


def host_of(broker: str) -> str:
    """Of ``host:port``, as kafka-python reads it: a protocol or a user may stand in front."""
    place = broker.rpartition("://")[2].rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place if place.count(":") > 1 else place.partition(":")[0]


class KafkaClient:
    """A consumer or a producer, and everything that it opens.

    Args:
        login: user, password, TLS.
        reach: networks that brokers must be in, those too that other brokers name.
        options: of ``KafkaConsumer`` or ``KafkaProducer``.
    """

    def __init__(self, login: KafkaLogin, reach: Reach = ANYWHERE, **options: Any) -> None:
        self._reach = reach
        self._options = {**options, **login.options()}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        if login.tls:
            self._options["ssl_context"] = _Context.remembering(self._sockets)
        self._opened = ExitStack()
        self._connections: _Connections | None = None

    def open(self) -> KafkaConsumer:
        """Connect.

        Raises:
            KafkaError: nobody answers, or refuses.
        """
        consumer = KafkaConsumer(**self._all_options)
        self._opened.callback(consumer.close, timeout_ms=1000)
        return consumer

    def open_producer(self) -> KafkaProducer:
        """The same for one who writes."""
        producer = KafkaProducer(**self._all_options)
        self._opened.callback(producer.close, timeout=1)
        return producer

    @property
    def _all_options(self) -> dict[str, Any]:
        return {"kafka_client": self._make_net, "selector": partial(_Selector, self._sockets), **self._options}

    def _make_net(self, **options: Any) -> KafkaNetClient:
        net = NetworkSelector(**options)
        self._opened.callback(net.close)
        self._connections = _Connections(net, **options)
        self._connections.reach = self._reach
        self._opened.callback(self._connections.close)
        return KafkaNetClient(net, self._connections, **options)

    @property
    def refusal(self) -> Exception | None:
        """Why brokers are not asked any more: they refuse the password, or are where nobody may be asked."""
        return self._connections.refusal if self._connections is not None else None

    def partitions(self, topic: str) -> set[int]:
        """Numbers of a topic's partitions, as of the last time that the client asked in the background."""
        known: set[int] | None = self._connections and self._connections.cluster.partitions_for_topic(topic)
        return known or set()

    def close(self) -> None:
        """Let go of everything, after a second at most; idempotent."""
        with suppress(KafkaError, OSError):
            self._opened.close()
        for opened in list(self._sockets):
            with suppress(OSError):
                opened.close()


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """Takes a refused password for an answer.

    The original goes on asking until its time is over, and calls that no answer; meanwhile accounts get locked.
    """

    refusal: Exception | None = None
    reach: Reach = ANYWHERE

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """Look at a broker's addresses first: brokers tell of other brokers, and names change their mind."""
        try:
            address = self.reach.addresses(node.host)[0]
        except SourceNotAllowed as error:
            if not error.retryable:
                self.refusal = error
            raise KafkaConnectionError(str(error)) from error
        checked = SimpleNamespace(host=address, port=node.port)
        if self.ssl_enabled:
            transport = await self._build_encrypted(checked, node.host, timeout_at)
        else:
            transport = await super()._build_transport(checked, timeout_at=timeout_at)
        transport._sock_recv = _data_first(transport._sock_recv)
        return transport

    async def _build_encrypted(self, checked: Any, name: str, timeout_at: float | None) -> Any:
        """Connect to the address that was looked at, and hold the certificate against the name."""
        made = await create_connection(
            self._net, checked.host, checked.port, self.config["socket_options"], timeout_at=timeout_at
        )
        options = {key: value for key, value in self.config.items() if key.startswith("ssl_")}
        transport = KafkaSSLTransport(self._net, made, host=name, **options)
        try:
            await transport.handshake()
        except Exception as error:
            raise KafkaConnectionError(f"Handshake failed: {error}") from error
        return transport

    def get_connection(self, *args: Any, **options: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        connection = super().get_connection(*args, **options)
        connection.init_future.add_errback(self._take_refusal)
        return connection

    def _take_refusal(self, error: Exception) -> None:
        if isinstance(error, REFUSALS):
            self.refusal = error


def _data_first(receive: Callable[[], tuple[bytes, Exception | None]]) -> Callable[[], tuple[bytes, Exception | None]]:
    """Hand on what came together with the end of a connection, and the end only then.

    The original throws it away. A broker that refuses a password says so and hangs up; on a busy machine both are read
    at once, and the wrong password looked like a broker that is not there.
    """
    ended: list[Exception] = []

    def received() -> tuple[bytes, Exception | None]:
        if ended:
            return b"", ended[0]
        data, error = receive()
        if data and error is not None:
            ended.append(error)
            return data, None
        return data, error

    return received


class _Selector(selectors.DefaultSelector):
    """Remembers the sockets that it watches."""

    def __init__(self, sockets: weakref.WeakSet[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._sockets.add(fileobj)
        return super().register(fileobj, events, data)


class _Context(ssl.SSLContext):
    """Remembers the sockets that it makes: one that is refused at once is never watched."""

    _sockets: weakref.WeakSet[socket.socket]

    @staticmethod
    def remembering(sockets: weakref.WeakSet[socket.socket]) -> _Context:
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_default_certs()
        context._sockets = sockets
        return context

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        made = super().wrap_socket(*args, **options)
        self._sockets.add(made)
        return made
