"""Brokers behind TLS: the address that was looked at is connected to, the certificate is held against the name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from kafka.errors import KafkaError

from pipelines.sources.kafka_client import KafkaClient, KafkaLogin
from pipelines.sources.reach import Reach

NAME = "broker.example.invalid"


class TlsServer:
    """Takes handshakes, and hangs up.

    Attributes:
        names: that clients asked for, of those who liked the certificate.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.names: list[str | None] = []
        self._asked: str | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        context.sni_callback = self._hear
        self._context = context
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _hear(self, _socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self._asked = name

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), self._context.wrap_socket(near, server_side=True) as made:
                if made.recv(1):  # a client that does not like the certificate says nothing
                    self.names.append(self._asked)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(params=[NAME, "other.example.invalid"])
def server(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[TlsServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(request.param).configure_cert(context)
    made = TlsServer(context)
    yield made
    made.close()


def test_a_name_is_asked_for_once_and_its_certificate_looked_at(
    server: TlsServer, request: pytest.FixtureRequest
) -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    reach = Reach((), ("127.0.0.0/8",), resolve=resolve)
    client = KafkaClient(
        KafkaLogin(tls=True),
        reach,
        bootstrap_servers=[f"{NAME}:{server.port}"],
        bootstrap_timeout_ms=1500,
    )
    with suppress(KafkaError):  # it is none, and the name is nowhere but here
        client.open()
    client.close()
    assert set(asked) == {NAME}
    is_right = "other" not in request.node.name
    assert set(server.names) == ({NAME} if is_right else set())
