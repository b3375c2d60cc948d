"""How soon events are with those who get them, and whether all are. Writes the tables of docs/events.md.

First a service with simulated cameras whose people cross a line and walk about in a zone; a program follows the events,
is cut off now and then, and comes back. Then a thousand events a second to everybody: `benchmarks.event_flood`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks import event_flood
from benchmarks.compare import machine
from benchmarks.tables import put_table
from footfall.types import RtspDefinition, StreamBody
from pipelines.models.catalogue import DEFAULT_MODEL
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.benchmark import default_clip
from serve.launch.service import Service, client
from serve.settings import load

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "events.json"
PAGE = ROOT / "docs" / "events.md"
PORT = 8012
CAMERAS, ANALYSIS_FPS = 8, 4
SECONDS = 120.0
CUT_EACH_S = 20.0


class Follower:
    """Follows all events, hangs up now and then, and says where it was when it comes back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._last = "0"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.heard: list[tuple[float, dict[str, Any]]] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            until_s = time.monotonic() + CUT_EACH_S
            headers = {"Last-Event-ID": self._last}
            try:
                with httpx.stream("GET", f"{self._url}/api/v1/events", headers=headers, timeout=20) as answer:
                    self._listen(answer, until_s)
            except httpx.HTTPError:
                time.sleep(0.2)

    def _listen(self, answer: httpx.Response, until_s: float) -> None:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                self.heard.append((time.time(), json.loads(line.removeprefix("data:"))))
                self._last = str(int(self.heard[-1][1]["sequence"]))
            if self._stop.is_set() or time.monotonic() > until_s:
                return


def measure() -> dict[str, Any]:
    """A while of it."""
    clip = default_clip()
    geometry = json.loads((clip.parent / "geometry.json").read_text())
    with tempfile.TemporaryDirectory() as folder, CameraServer({"hall": clip}) as server:
        settings = load(
            None,
            data_dir=folder,
            api={"port": PORT},
            detector={"model": DEFAULT_MODEL, "placement": "inline"},
            reader={"replicas": 1},
            ray={"dashboard": False},
            log_level="ERROR",
        )
        source: RtspDefinition = {"type": "rtsp", "url": server.url("hall")}
        body: StreamBody = {"source": source, "analysis_fps": ANALYSIS_FPS, "geometry": geometry}
        with Service(settings) as service, client(settings) as api:
            follower = Follower(service.url)
            follower.start()
            for number in range(CAMERAS):
                api.put_stream(f"hall-{number:02d}", body)
            time.sleep(SECONDS)
            for number in range(CAMERAS):
                api.patch_stream(f"hall-{number:02d}", {"enabled": False})
            time.sleep(5.0)
            follower.stop()
            there = list(api.events())
    heard = [event["id"] for _, event in follower.heard]
    late_s = [
        at_s - datetime.fromisoformat(event["time"]).timestamp()
        for at_s, event in follower.heard
        if event["type"] != "footfall.stream-state.v1"
    ]
    centiles = statistics.quantiles(late_s, n=100)
    return {
        "cameras": CAMERAS,
        "seconds": SECONDS,
        "events": len(there),
        "events_per_s": round(len(there) / SECONDS, 1),
        "lost": len({event["id"] for event in there} - set(heard)),
        "repeats_share": round(1 - len(set(heard)) / len(heard), 4),
        "p50_s": round(centiles[49], 2),
        "p95_s": round(centiles[94], 2),
    }


def table(found: dict[str, Any]) -> str:
    """What the page includes."""
    rows = {
        f"events of {found['cameras']} cameras in {found['seconds']:.0f} s": found["events"],
        f"not heard by who follows, and hangs up every {CUT_EACH_S:.0f} s": found["lost"],
        "share that came more than once": found["repeats_share"],
        "seconds from the picture to the listener, median": found["p50_s"],
        "the same, 95 % below": found["p95_s"],
    }
    lines = ["| one who listens | |", "| --- | ---: |"]
    return "\n".join([*lines, *(f"| {what} | {value} |" for what, value in rows.items())])


def flood_table(found: dict[str, Any]) -> str:
    """What the page includes of the flood."""
    names = {"sse": "server-sent events", "socket": "WebSocket", "webhook": "webhook, up to 200 events in a request"}
    names |= {"kafka": "Apache Kafka", "mqtt": "MQTT (mosquitto)"}
    begin = [
        f"{found['events_per_s']} events a second for {found['seconds']:.0f} s, {found['rounds']} times, to all of "
        f"these at once, while {found['cameras']} cameras are counted:",
        "",
        "| receiver | lost | came more than once | seconds from capture, median | 95 % below |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows = [
        f"| {names[kind]} | {one['lost']} | {one['repeats_share']} | {one['p50_s']} | {one['p95_s']} |"
        for kind, one in found["receivers"].items()
    ]
    end = [
        "",
        f"The cameras kept {found['fps_kept']:.1%} of their frames a second without (median of the pairs).",
    ]
    return "\n".join([*begin, *rows, *end])


def page(found: dict[str, Any]) -> str:
    """Both tables."""
    return (
        f"{table(found['listener'])}\n\n{flood_table(found['flood'])}\n\nOn {found['machine']}, which run everything."
    )


def main() -> None:
    listener, flood = measure(), event_flood.measure()
    summary = {name: flood[name] for name in ("lost", "repeats_share", "p95_s", "events_per_s")}
    found = {"machine": machine(), **summary, "listener": listener, "flood": flood}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    put_table(PAGE, "make events", page(found))
    print(page(found))


if __name__ == "__main__":
    main()
