"""Those who get events: an MQTT broker with somebody who listens, and an HTTP server; each can be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.integration.brokers import free_port
from tests.waiting import wait_until

START_S = 20.0


def mosquitto_path() -> str:
    """Of the system; without it tests are skipped, but fail in CI."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "mosquitto is not installed: apt-get install mosquitto"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Process:
    """A process that listens on a port of 127.0.0.1, and keeps its folder when it is killed."""

    def __init__(self, prefix: str) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)
        wait_until(self._answers, START_S, f"a process on port {self.port}")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended: {(self.folder / 'log').read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mosquitto(Process):
    """A broker that keeps on its disk, at the latest when it is asked to end, what it has confirmed."""

    def __init__(self, *lines: str) -> None:
        super().__init__("footfall-mosquitto-")
        self._lines = lines

    def command(self) -> list[str]:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "persistence true",
                    f"persistence_location {self.folder}/",
                    "max_queued_messages 0",
                    "user root",
                    *(self._lines or ("allow_anonymous true",)),
                    "",
                ]
            )
        )
        return [mosquitto_path(), "-c", str(config)]

    def restart(self) -> None:
        self.kill(signal.SIGTERM)
        self.start()


class Listener:
    """Hears all messages of some topics, also those that came while it, or the broker, was away.

    Attributes:
        heard: topics and texts, in the order in which they came.
    """

    def __init__(self, port: int, topics: str = "footfall/#") -> None:
        self.heard: list[tuple[str, str]] = []
        self._topics = topics
        self._ready = threading.Event()
        # A name of its own, so that the broker keeps its messages while it is away.
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"listener-{port}", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode())
        )
        self._client.reconnect_delay_set(0.1, 0.5)
        keep = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        keep.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=keep)
        self._client.loop_start()
        assert self._ready.wait(10)

    def publish(self, topic: str, text: str) -> None:
        """Have something retained."""
        self._client.publish(topic, text, qos=1, retain=True).wait_for_publish(5)

    def events(self) -> list[dict[str, Any]]:
        """The events among them."""
        return [json.loads(text) for topic, text in list(self.heard) if "/events/" in topic]

    def last(self) -> dict[str, str]:
        """The newest of each other topic that is not empty."""
        newest = {topic: text for topic, text in list(self.heard) if "/events/" not in topic}
        return {topic: text for topic, text in newest.items() if text}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class HttpReceiver(Process):
    """Writes down what it is sent, and only then says so."""

    def __init__(self) -> None:
        super().__init__("footfall-receiver-")
        self.written = self.folder / "events"
        self.written.touch()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.integration.sinks.http_receiver", str(self.port), str(self.written)]

    def events(self) -> list[dict[str, Any]]:
        """What it was sent, repeats included; a line that it was killed in the middle of was never confirmed."""
        lines = self.written.read_text().splitlines(keepends=True)
        return [event for line in lines if line.endswith("\n") for event in _events(line)]


def _events(line: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(line)
    except ValueError:  # the rest of a line that it was killed in, and the next one
        return []
    return found if isinstance(found, list) else [found]
