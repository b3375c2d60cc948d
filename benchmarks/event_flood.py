"""A thousand events a second through sinks of every type, while cameras are counted; to the table of docs/events.md.

The events are those of cameras that are not there: they are written into the outbox, as readers write theirs, by one
more process. Minutes with and without them come in turns, so that what they take from the cameras can be seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from analytics.events import Event, EventContext, identity
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import DatabaseOutbox
from benchmarks.event_receivers import KINDS
from footfall import Client
from footfall.types import RtspDefinition, SinkBody, StreamBody
from pipelines.models.catalogue import DEFAULT_MODEL
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.benchmark import default_clip
from serve.launch.service import Service, client
from serve.settings import load

PORT = 8013
RATE, SECONDS, QUIET_S, ROUNDS = 1000, 60.0, 30.0, 5
SETTLE_S = 5.0
"""After each minute: the last events are on their way, and the next one begins even."""
TICK_S = 0.05
STREAMS = 100
CAMERAS, ANALYSIS_FPS = 8, 4
TOPIC = "footfall-events"


def flood(url: str, seconds: float, part: str) -> None:
    """Write events at an even pace, as they would come from readers."""
    outbox = DatabaseOutbox(DatabaseStore(url))
    begun_s, written = time.monotonic(), 0
    while (now_s := time.monotonic() - begun_s) < seconds:
        due = int(now_s * RATE) - written
        outbox.append([_event(part, written + number) for number in range(due)])
        written += due
        time.sleep(max(0.0, TICK_S - (time.monotonic() - begun_s - now_s)))
    print(written)


def _event(part: str, number: int) -> Event:
    data = {"line": "door", "track": number, "direction": "in"}
    context = EventContext(f"flood-{number % STREAMS:03d}", "flood", 1, DEFAULT_MODEL)
    return Event(identity("flood", part, number), "footfall.crossing.v1", context, "door", time.time(), data)


class Receivers:
    """A process of each kind, and what it was sent."""

    def __init__(self, folder: Path, places: dict[str, str]) -> None:
        self._files = {kind: folder / kind for kind in places}
        self._processes = [
            subprocess.Popen([sys.executable, "-m", "benchmarks.event_receivers", kind, place, self._files[kind]])
            for kind, place in places.items()
        ]

    def heard(self, kind: str) -> list[tuple[float, str, str]]:
        """When it came, id, capture time."""
        lines = self._files[kind].read_text().splitlines() if self._files[kind].exists() else []
        return [(float(at), name, time) for at, name, time in map(str.split, lines)]

    def close(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@contextlib.contextmanager
def brokers() -> Iterator[tuple[int, str]]:
    """Port of an MQTT broker, and address of a Kafka broker: those that the tests start."""
    from tests.integration.brokers import ApacheKafka, fetch_jars
    from tests.integration.sinks.receivers import Mosquitto

    cache = Path(os.environ.get("FOOTFALL_TEST_CACHE", ".test-cache"))
    jars = fetch_jars(cache)
    assert jars is not None, "Maven and Java are needed for Apache Kafka"
    with Mosquitto() as mosquitto, ApacheKafka(jars) as kafka:
        yield mosquitto.port, kafka.address


def _analysed(api: Client) -> tuple[int, float]:
    return sum(view["analysed"] for view in api.streams()), time.monotonic()


def _fps(before: tuple[int, float], after: tuple[int, float]) -> float:
    return (after[0] - before[0]) / (after[1] - before[1])


def measure(rounds: int = ROUNDS, seconds: float = SECONDS, quiet_s: float = QUIET_S) -> dict[str, Any]:
    """So many minutes with, and as many without."""
    from tests.integration.brokers import free_port

    clip = default_clip()
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        mqtt_port, kafka = ends.enter_context(brokers())
        server = ends.enter_context(CameraServer({"hall": clip}))
        hook = free_port()
        settings = load(
            None,
            data_dir=str(folder),
            api={"port": PORT},
            detector={"model": DEFAULT_MODEL, "placement": "inline"},
            ray={"dashboard": False},
            log_level="ERROR",
        )
        service = ends.enter_context(Service(settings))
        api = ends.enter_context(client(settings))
        places = {"sse": service.url, "socket": service.url, "webhook": str(hook)}
        places |= {"kafka": f"{kafka}/{TOPIC}", "mqtt": str(mqtt_port)}
        targets: dict[str, dict[str, Any]] = {
            "webhook": {"type": "webhook", "url": f"http://127.0.0.1:{hook}/", "at_once": 200},
            "kafka": {"type": "kafka", "brokers": kafka, "topic": TOPIC},
            "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": mqtt_port},
        }
        for name, target in targets.items():
            api.put_sink(name, cast(SinkBody, {"target": target}))
        receivers = Receivers(folder, places)
        ends.callback(receivers.close)
        source: RtspDefinition = {"type": "rtsp", "url": server.url("hall")}
        body: StreamBody = {"source": source, "analysis_fps": ANALYSIS_FPS}
        for number in range(CAMERAS):
            api.put_stream(f"hall-{number:02d}", body)
        time.sleep(15.0)
        quiet, loud, sent = [], [], 0
        for number in range(rounds):
            before = _analysed(api)
            time.sleep(quiet_s)
            quiet.append(_fps(before, _analysed(api)))
            before = _analysed(api)
            arguments = [settings.store_url, str(seconds), str(number)]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.event_flood", *arguments], check=True, capture_output=True, text=True
            )
            loud.append(_fps(before, _analysed(api)))
            sent += int(done.stdout)
            time.sleep(SETTLE_S)
            print(f"round {number}: {quiet[-1]:.2f} and {loud[-1]:.2f} frames/s", file=sys.stderr, flush=True)
        time.sleep(SETTLE_S)
        there = {event["id"]: event["time"] for event in api.events(site=["flood"])}
        found = {kind: _judged(receivers.heard(kind), there) for kind in KINDS}
        assert sent == len(there), f"{sent} were written, {len(there)} are there"
    return {
        "cameras": CAMERAS,
        "rounds": rounds,
        "seconds": seconds,
        "events": sent,
        "events_per_s": round(sent / (rounds * seconds)),
        "lost": max(one["lost"] for one in found.values()),
        "repeats_share": max(one["repeats_share"] for one in found.values()),
        "p95_s": max(one["p95_s"] for one in found.values()),
        "receivers": found,
        "fps_without": [round(one, 2) for one in quiet],
        "fps_with": [round(one, 2) for one in loud],
        "fps_kept": round(statistics.median(b / a for a, b in zip(quiet, loud, strict=True)), 3),
    }


def _judged(heard: Sequence[tuple[float, str, str]], there: dict[str, str]) -> dict[str, Any]:
    mine = [(at_s, name, time) for at_s, name, time in heard if name in there]
    late_s = sorted(at_s - datetime.fromisoformat(at).timestamp() for at_s, _, at in mine) or [float("inf")]
    names = {name for _, name, _ in mine}
    return {
        "lost": len(there) - len(names),
        "repeats_share": round(1 - len(names) / max(1, len(mine)), 4),
        "p50_s": round(late_s[len(late_s) // 2], 2),
        "p95_s": round(late_s[int(len(late_s) * 0.95)], 2),
    }


if __name__ == "__main__":
    flood(sys.argv[1], float(sys.argv[2]), sys.argv[3])
