"""Everybody who can get events, while whatever stands between them and the camera is killed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import httpx
from kafka import KafkaConsumer, TopicPartition
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from footfall import ApiProblem, Client, Unreachable
from footfall.types import SinkBody
from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.scene.scene import Scene
from tests.integration.brokers import Broker
from tests.integration.chaos.crossings import EDGE_S, Crossing, shown_between, unmatched
from tests.integration.sinks.receivers import HttpReceiver, Listener, Mosquitto
from tests.integration.test_kafka import BEGUN_S, CROSSING, FPS, register, report, wait_all_counted
from tests.waiting import wait_until

PACE_S = 0.05
"""Between two frames: what is done to them happens in their middle."""
GONE = (ApiProblem, Unreachable)


class Follower:
    """Hears events while it is connected, and comes back with the number of the last one.

    Attributes:
        heard: events in the order in which they came.
    """

    def __init__(self, url: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self.last = "0"
        self._url = url
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.stopped.wait(0.2):
            with suppress(httpx.HTTPError, WebSocketException, OSError):
                self.follow(f"{self._url}/api/v1/events")

    def follow(self, address: str) -> None:
        """Until the service hangs up, or this is stopped."""
        raise NotImplementedError

    def stop(self) -> None:
        self.stopped.set()


class SseFollower(Follower):
    """Through server-sent events."""

    def follow(self, address: str) -> None:
        with httpx.stream("GET", address, headers={"Last-Event-ID": self.last}, timeout=20) as answer:
            number = ""
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    number = line[3:].strip()
                elif line.startswith("data:") and number:
                    self.heard.append(json.loads(line[5:]))
                    self.last, number = number, ""
                if self.stopped.is_set():
                    return


class SocketFollower(Follower):
    """Through a WebSocket."""

    def follow(self, address: str) -> None:
        with connect(f"{address.replace('http', 'ws', 1)}/socket?after={self.last}") as socket:
            while not self.stopped.is_set():
                with suppress(TimeoutError):
                    event = json.loads(socket.recv(timeout=1.0))
                    if "sequence" in event:
                        self.heard.append(event)
                        self.last = str(int(event["sequence"]))


class Rounds:
    """A topic whose people cross the line of a scene, and sinks of every type.

    Args:
        api: of the service.
        url: likewise.
        broker: of the topic, and of one of the sinks.
        mosquitto: another sink.
        receiver: another.
        scene: shown over and over; one whose crossings can be counted exactly.
    """

    def __init__(
        self, api: Client, url: str, broker: Broker, mosquitto: Mosquitto, receiver: HttpReceiver, scene: Scene
    ) -> None:
        self._api, self._broker, self._scene = api, broker, scene
        self._receiver = receiver
        name = os.urandom(4).hex()
        self._events_topic = f"events-{name}"
        self._feed = KafkaFeed(broker.address, f"frames-{name}", "camera-1")
        self._listener = Listener(mosquitto.port)
        targets: dict[str, dict[str, Any]] = {
            "http": {"type": "webhook", "url": receiver.url},
            "kafka": {"type": "kafka", "brokers": broker.address, "topic": self._events_topic},
            "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": mosquitto.port},
        }
        self.sinks = list(targets)
        for sink, target in targets.items():
            api.put_sink(sink, cast(SinkBody, {"target": target}))
        self._followers = {"sse": SseFollower(url), "socket": SocketFollower(url)}
        self._register("shop")
        self._sent = 0
        self._stop = threading.Event()
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def _register(self, stream: str) -> None:
        register(self._api, stream, self._broker, self._feed, self._scene)

    def _send(self) -> None:
        while not self._stop.wait(PACE_S):
            image = self._scene.image(self._sent % self._scene.frames)
            self._feed.send(image, BEGUN_S + self._sent / FPS, FPS)
            self._sent += 1

    def _covered_s(self) -> float | None:
        with suppress(*GONE):
            return float(report(self._api, "shop")["covered_s"])
        return None

    def wait_progress(self, longer_s: float = 2.0) -> None:
        """Until so much more of the topic is counted."""
        before = wait_until(self._covered_s, 90, "the service to answer") or 0.0
        wait_until(lambda: (self._covered_s() or 0.0) > before + longer_s, 90, "more to be counted", every_s=0.3)

    def check(self) -> int:
        """End the topic; whoever gets events has to have every crossing, in order; returns how many there are."""
        self._stop.set()
        self._sender.join(30)
        self._feed.flush()
        self._register("undisturbed")
        undisturbed = wait_all_counted(self._api, "undisturbed", self._sent, 180)
        assert wait_all_counted(self._api, "shop", self._sent, 180) == undisturbed
        expected = _crossings(self._api.events(type=[CROSSING], stream=["undisturbed"]), "undisturbed")
        self._check_truth(expected)
        assert _crossings(self._api.events(type=[CROSSING], stream=["shop"]), "shop") == expected
        newest = max(int(event["sequence"]) for event in self._api.events(type=[CROSSING]))
        for sink in self.sinks:
            wait_until(
                lambda sink=sink: self._api.get_sink(sink)["after"] >= newest,
                60,
                f"{sink} to have everything",  # type: ignore[misc]
            )
            assert self._api.get_sink(sink)["error"] is None
        for who in ("sse", "socket", "mqtt"):
            wait_until(lambda who=who: len(self._of(who)) >= len(expected), 30, f"{who} to hear everything")  # type: ignore[misc]
        for who in ("sse", "socket", "http", "kafka", "mqtt"):
            assert self._of(who) == expected, who
        return len(expected)

    def _check_truth(self, told: list[tuple[str, str, str]]) -> None:
        """What is told is what the scene shows: each crossing once, and but for the edges, all of them."""
        loop_s, ended_s = self._scene.frames / FPS, BEGUN_S + self._sent / FPS
        shown = [Crossing(one.frame / FPS, one.direction) for one in self._scene.crossings()]
        expected = shown_between(shown, BEGUN_S, loop_s, BEGUN_S, ended_s)
        found = [Crossing(datetime.fromisoformat(time).timestamp(), direction) for time, _, direction in told]
        extra, missing = unmatched(found, expected)
        assert not extra
        assert [one for one in missing if BEGUN_S + EDGE_S <= one.time_s <= ended_s - EDGE_S] == []
        assert len(found) >= 10

    def _of(self, who: str) -> list[tuple[str, str, str]]:
        heard = {
            "sse": lambda: list(self._followers["sse"].heard),
            "socket": lambda: list(self._followers["socket"].heard),
            "http": self._receiver.events,
            "kafka": self._written,
            "mqtt": self._listener.events,
        }
        return _crossings(heard[who](), "shop")

    def _written(self) -> list[dict[str, Any]]:
        consumer = KafkaConsumer(bootstrap_servers=[self._broker.address], enable_auto_commit=False)
        try:
            consumer.topics()
            numbers = consumer.partitions_for_topic(self._events_topic) or set()
            partitions = [TopicPartition(self._events_topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends, found = consumer.end_offsets(partitions), []
            while any(consumer.position(one) < ends[one] for one in partitions):
                for records in consumer.poll(timeout_ms=500).values():
                    found += records
            return [json.loads(one.value) for one in sorted(found, key=lambda one: (one.partition, one.offset))]
        finally:
            consumer.close()

    def repeats(self) -> dict[str, float]:
        """Share of what came more than once, by who got it."""
        heard = {"http": self._receiver.events(), "kafka": self._written(), "mqtt": self._listener.events()}
        return {who: 1 - len({one["id"] for one in events}) / len(events) for who, events in heard.items()}

    def close(self) -> None:
        self._stop.set()
        for follower in self._followers.values():
            follower.stop()
        self._listener.close()
        self._feed.close()
        for sink in self.sinks:
            with suppress(*GONE):
                self._api.delete_sink(sink)
        for view in self._api.streams():
            self._api.delete_stream(view["id"], purge=True)


def _crossings(events: Iterable[Any], stream: str) -> list[tuple[str, str, str]]:
    """What is left after dropping repeats, in the order in which it came."""
    once = {event["id"]: event for event in events if event["type"] == CROSSING and event["stream"] == stream}
    return [(event["time"], event["data"]["line"], event["data"]["direction"]) for event in once.values()]
