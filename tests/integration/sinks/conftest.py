"""Receivers, and events to send them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sinks.receivers import HttpReceiver, Mosquitto


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running
