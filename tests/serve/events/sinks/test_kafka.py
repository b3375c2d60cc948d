"""What becomes of a producer that cannot be made; the rest is tried with a real broker, in tests/integration/sinks."""

from __future__ import annotations

import pytest

from pipelines.sources.kafka_client import KafkaLogin
from serve.events.sinks.kafka import KafkaSink
from tests.serve.events.sinks.test_webhook import NEAR, event


class Client:
    """One whose producer cannot be opened, for a reason that nobody foresaw."""

    made: list[Client] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.closed = False
        self.made.append(self)

    def open_producer(self) -> None:
        raise AssertionError

    def close(self) -> None:
        self.closed = True


def test_no_client_is_left_behind_however_often_its_producer_cannot_be_opened() -> None:
    sink = KafkaSink(["127.0.0.1:9"], "events", KafkaLogin(), NEAR)
    sink._make = Client  # type: ignore[assignment]
    Client.made.clear()
    for _ in range(3):
        with pytest.raises(AssertionError):
            sink._send([event(1)])
    sink._let_go()
    assert [client.closed for client in Client.made] == [True] * 3
