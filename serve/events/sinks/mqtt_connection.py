"""A connection to an MQTT broker that reaches no further than it may."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.errors import SourceError
from pipelines.sources.reach import Reach

WAIT_S = 10.0
"""For the connection, and for acknowledgements."""
KEEP_ALIVE_S = 20
IN_FLIGHT = 20
"""Messages that wait for their acknowledgement; more than that, some brokers hang up."""
_AT_LEAST_ONCE = 1
_FAILED = 0x80
"""Reason codes from here on say that something went wrong."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and how it is talked to."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False
    version: Literal["5", "3.1.1"] = "5"


class NotConnected(Exception):
    """There is no broker to talk to, with the reason in plain words."""


class _Client(paho.Client):
    """Connects to an address that is allowed, and minds no proxy of the environment."""

    reach: Reach

    def _create_socket_connection(self) -> socket.socket:
        failure: OSError = OSError("it has no address")
        for address in self.reach.addresses(self.host):
            try:
                return socket.create_connection((address, self.port), timeout=self.connect_timeout)
            except OSError as error:
                failure = error
        raise failure


class Connection:
    """One connection to a broker, made anew whenever it was lost: nothing is kept of what was on its way.

    Args:
        broker: that it leads to.
        reach: what may be reached.
        name: by which the broker knows us; empty: none.
        status: topic that says whether we are there; None: none does.
    """

    def __init__(self, broker: Broker, reach: Reach, name: str, status: str | None) -> None:
        self._broker = broker
        self._reach = reach
        self._name = name
        self._status = status
        self._client: _Client | None = None
        self._answered = threading.Event()
        self._refusal: str | None = None
        self._failures: dict[int, int] = {}
        self.hear: Callable[[str, bytes], None] = _nobody
        """Called in another thread with topic and text of a message that was retained, and is not empty."""

    def ensure(self) -> bool:
        """Be connected; returns whether that is new.

        Raises:
            NotConnected: nobody answers, or they refuse.
        """
        if self._client is not None and self._client.is_connected():
            return False
        self.drop()
        self._client = client = self._make()
        try:
            client.connect(self._broker.host, self._broker.port, KEEP_ALIVE_S, **self._start_options())
            client.loop_start()
        except (SourceError, OSError, ValueError) as error:
            self.drop()
            raise NotConnected(_words(error)) from error
        if not self._answered.wait(WAIT_S) or self._refusal is not None:
            reason = self._refusal or "it does not answer"
            self.drop()
            raise NotConnected(reason)
        if self._status is not None:
            self.publish(self._status, "online", retain=True)
        return True

    def _start_options(self) -> dict[str, Any]:
        return {"clean_start": True} if self._broker.version == "5" else {}

    def _make(self) -> _Client:
        broker = self._broker
        is_5 = broker.version == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            self._name,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if is_5 else True,
            reconnect_on_failure=False,
        )
        client.reach = self._reach
        client.connect_timeout = WAIT_S
        client.max_inflight_messages = IN_FLIGHT
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(ssl.create_default_context())
        if self._status is not None:
            client.will_set(self._status, "offline", qos=_AT_LEAST_ONCE, retain=True)
        self._answered.clear()
        self._refusal = None
        self._failures.clear()
        client.on_connect = self._connected
        client.on_publish = self._published
        client.on_message = self._heard
        return client

    def _connected(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"it refuses: {reason}"
        self._answered.set()

    def _published(self, _client: paho.Client, _data: Any, message: int, reason: Any, _properties: Any) -> None:
        if reason.value >= _FAILED:
            self._failures[message] = reason.value
        else:
            self._failures.pop(message, None)  # of an earlier message with this number, that nobody asked about

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.payload and message.retain:
            self.hear(message.topic, bytes(message.payload))

    def publish(self, topic: str, text: str | bytes, *, retain: bool = False, kind: str | None = None) -> Sent:
        """Send a message; an empty text takes away what is retained. Only after `ensure`."""
        assert self._client is not None
        properties = None
        if kind is not None and self._broker.version == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = kind
        return Sent(self, self._client.publish(topic, text, _AT_LEAST_ONCE, retain, properties))

    def forget(self) -> None:
        """What was said against messages that nobody asks about any more: their numbers are given again."""
        self._failures.clear()

    def subscribe(self, topics: Sequence[str]) -> None:
        """Hear of what is retained; it comes soon."""
        assert self._client is not None
        self._client.subscribe([(topic, _AT_LEAST_ONCE) for topic in topics])

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Hear no more."""
        assert self._client is not None
        self._client.unsubscribe(list(topics))

    def drop(self) -> None:
        """Hang up: the broker tells our last will."""
        client, self._client = self._client, None
        if client is not None:
            client.on_connect = client.on_publish = client.on_message = None
            with suppress(Exception):
                client._sock_close()  # no farewell, which would take the will with it
            client.loop_stop()

    def leave(self) -> None:
        """Say farewell, if anybody is there."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected() and self._status is not None:
            with suppress(Exception):
                client.publish(self._status, "offline", _AT_LEAST_ONCE, True).wait_for_publish(1.0)
        with suppress(Exception):
            client.disconnect()
        client.loop_stop()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message on its way."""

    _connection: Connection
    _info: paho.MQTTMessageInfo

    def arrived(self, timeout_s: float) -> bool:
        """Whether the broker has confirmed it, waiting for so long."""
        try:
            self._info.wait_for_publish(max(0.0, timeout_s))
            return self._info.is_published()
        except (ValueError, RuntimeError):  # it was never sent: the connection is gone
            return False

    @property
    def failure(self) -> int | None:
        """What the broker has said against it; None if nothing."""
        return self._connection._failures.pop(self._info.mid, None)


def _nobody(topic: str, text: bytes) -> None:
    del topic, text


def _words(error: Exception) -> str:
    if isinstance(error, SourceError):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return f"its certificate is not accepted ({error.reason or 'TLS failed'})"
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else type(error).__name__
