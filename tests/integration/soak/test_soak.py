"""A thousand camera lives, with a database and a broker that come and go: what do the service's processes keep?"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.compare import machine
from footfall import Client
from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from tests.analytics.storage.conftest import Postgres
from tests.conftest import ROOT
from tests.integration.brokers import Broker
from tests.integration.chaos.deployed import Deployed
from tests.integration.ray_head import RayHead
from tests.integration.soak.churn import WORKERS, Churn
from tests.integration.soak.processes import OURS, Held, held_by, least, slope
from tests.waiting import wait_until

MINUTES = float(os.environ.get("SOAK_MINUTES", "7"))
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.timeout(MINUTES * 60 * 2 + 300),
]
SAMPLE_S = 3.0
REST_SAMPLES = 14
THREADS_NOISE = WORKERS
"""Pools keep a thread for each task that ever ran at the same moment as others: here, for as many lives as go on."""
POOL = 5
"""Connections that a process keeps open to the database: it gets there once as many threads ask at the same moment."""
FDS_NOISE = POOL
SHARED_NOISE_MB = 4.0
MOST_GROWTH_MB = 40.0
"""Of a part's private memory, from rest to rest: room for an allocator that has not yet seen its largest load."""
RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
PAGE = ROOT / "docs" / "soak.md"


@pytest.fixture
def cameras16(clip: Path) -> Iterator[CameraServer]:
    names = [f"cam{number}" for number in range(16)]
    with CameraServer(dict.fromkeys(names, clip / "video.mp4"), user="viewer", password="s3cret") as server:
        server.freeze("cam15")
        yield server


class Soak:
    """The service under churn, and what was sampled of it."""

    def __init__(self, root: int, connect: Any, churn: Churn, broker: Broker, database: Postgres, url: str) -> None:
        self._root, self._connect, self._churn = root, connect, churn
        self._broker, self._database = broker, database
        self._url = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._pause = threading.Event()
        self.samples: list[tuple[float, dict[int, Held]]] = []

    def churn(self, seconds: float, server: CameraServer) -> None:
        """With a database that is away at a third and two thirds, a broker more often, and connections that are cut."""
        to_do: list[tuple[float, Any]] = []
        for share in (1 / 3, 2 / 3):
            to_do += [(share * seconds, self._database.stop), (share * seconds + 6, self._database.start)]
        for share in (0.15, 0.5, 0.8):
            to_do += [(share * seconds, self._broker.kill), (share * seconds + 4, self._broker.start)]
        to_do += [(at, server.kick) for at in range(10, int(seconds), 10)]
        to_do.sort(key=lambda one: one[0])
        sampled_s = -SAMPLE_S

        def beside(passed_s: float) -> None:
            nonlocal sampled_s
            while to_do and passed_s >= to_do[0][0]:
                to_do.pop(0)[1]()
            if passed_s - sampled_s >= SAMPLE_S:
                sampled_s = passed_s
                self.samples.append((time.monotonic(), held_by(self._root)))

        self._churn.run(seconds, beside)
        for _, left in to_do:
            left()

    def rest(self, base: set[str]) -> tuple[list[dict[int, Held]], int]:
        """Samples once only the base streams are left and run, and the database's connections."""

        def at_rest() -> bool:
            with self._connect() as api:
                views = {view["id"]: view for view in api.streams()}
            # A topic that was opened again shows no state of its own until its next message, and there is none.
            running = {name for name, view in views.items() if view["state"] == "running" or "topic" in name}
            return views.keys() == base == running

        wait_until(at_rest, 60, "only the base streams to run", every_s=0.5)
        samples, connections = [], []
        for _ in range(REST_SAMPLES):
            self._pause.wait(SAMPLE_S)  # an interval between two measurements, not a condition
            samples.append(held_by(self._root))
            connections.append(self._connections())
        return samples, min(connections)

    def _connections(self) -> int:
        engine = sa.create_engine(self._url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).scalar()
        return int(found or 0)


def test_a_thousand_camera_lives_leave_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory,
    model_path: Path,
    test_cache: Path,
    cameras16: CameraServer,
    broker: Broker,
    postgres: Postgres,
) -> None:
    with ExitStack() as ends:
        url = postgres.fresh_database()
        head = ends.enter_context(RayHead.started(tmp_path_factory.mktemp("ray")))
        service = Deployed(head, tmp_path_factory.mktemp("soak"), model_path, database_url=url)
        service.deploy()
        service.wait_ready()
        topic = f"soak-{os.urandom(4).hex()}"
        fill(broker, topic, test_cache)
        with service.client() as api:
            base = register_base(api, cameras16, broker, topic)
        good = [f"cam{number}" for number in range(4, 15)]
        churn = Churn(service.client, cameras16, good, "cam15", (broker.address, topic))
        soak = Soak(head.pid, service.client, churn, broker, postgres, url)
        soak.churn(MINUTES * 60 / 3, cameras16)
        before, connections_before = soak.rest(base)
        warm_lives, soak.samples = churn.lives.copy(), []
        begun_s = time.monotonic()
        soak.churn(MINUTES * 60 * 2 / 3, cameras16)
        seconds = time.monotonic() - begun_s
        after, connections_after = soak.rest(base)
        found = result(before, after, soak.samples, seconds)
        found |= {
            "lives": sum(churn.lives.values()),
            "lives_after_warm_up": sum((churn.lives - warm_lives).values()),
            "lives_by_kind": dict(sorted(churn.lives.items())),
            "refused": dict(sorted(churn.refused.items())),
            "database_connections": {"before": connections_before, "after": connections_after},
        }
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
        PAGE.write_text(page(found))
    parts = found["parts"]
    processes = Counter(held.name for held in after[-1].values())
    grown = {
        f"{part}.{figure}": growth
        for part in OURS
        if part in parts
        for figure, most in (
            *(("threads", THREADS_NOISE * processes[part]), ("fds", FDS_NOISE * processes[part])),
            *(("shared_mb", SHARED_NOISE_MB), ("private_mb", MOST_GROWTH_MB)),
        )
        if (growth := parts[part][figure]["after"] - parts[part][figure]["before"]) > most
    }
    assert not grown, grown
    assert connections_after <= POOL * (processes["Api"] + processes["Registry"] + processes["StreamReader"])
    assert parts["raylet"]["shared_mb"]["after"] - parts["raylet"]["shared_mb"]["before"] <= SHARED_NOISE_MB


def fill(broker: Broker, topic: str, test_cache: Path) -> None:
    """A few pictures, so that a stream of the topic has something to show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        image = Scene(Camera(480, 270), people=2, seconds=2, fps=8, seed=77).image(0)
    feed = KafkaFeed(broker.address, topic, "camera-1")
    for number in range(20):
        feed.send(image, 1_790_000_030.0 + number / 8, 8)
    feed.flush()
    feed.close()


def register_base(api: Client, server: CameraServer, broker: Broker, topic: str) -> set[str]:
    """Streams that run all the time, and are not touched."""
    bodies: dict[str, Any] = {
        f"base{number}": {"source": {"type": "rtsp", "url": server.url(f"cam{number}")}, "analysis_fps": 2}
        for number in range(4)
    }
    bodies["base-topic"] = {
        "source": {"type": "kafka", "brokers": broker.address, "topic": topic, "key": "camera-1", "start": "earliest"}
    }
    for name, body in bodies.items():
        api.put_stream(name, body)
    return set(bodies)


def result(
    before: list[dict[int, Held]], after: list[dict[int, Held]], samples: list[tuple[float, dict[int, Held]]], s: float
) -> dict[str, Any]:
    figures = ("threads", "fds", "rss_mb", "private_mb", "shared_mb")
    firsts, lasts = ({figure: least(some, figure) for figure in figures} for some in (before, after))
    parts: dict[str, Any] = {}
    for part in sorted(firsts["fds"]):
        parts[part] = {
            figure: {"before": round(firsts[figure][part], 1), "after": round(lasts[figure].get(part, 0.0), 1)}
            for figure in figures
        }
        sums = [(at, sum(h.rss_mb for h in held.values() if h.name == part)) for at, held in samples]
        parts[part]["rss_mb_every_30_s"] = [round(rss) for _, rss in sums[:: round(30 / SAMPLE_S)]]
        # What was given back at rest is taken up again first.
        parts[part]["rss_growth_mb_per_hour"] = round(slope(sums[len(sums) // 3 :]) * 3600, 1)
    ours = [part for part in OURS if part in parts]

    def growth(figure: str) -> float:
        return round(sum(parts[part][figure]["after"] - parts[part][figure]["before"] for part in ours), 1)

    return {
        "machine": machine(),
        "seconds_after_warm_up": round(s),
        "samples": len(samples),
        "rss_growth_mb_per_hour": round(sum(parts[part]["rss_growth_mb_per_hour"] for part in ours), 1),
        "rss_growth_at_rest_mb": growth("rss_mb"),
        "fd_growth": growth("fds"),
        "thread_growth": growth("threads"),
        "parts": parts,
    }


def page(found: dict[str, Any]) -> str:
    def cell(part: dict[str, Any], figure: str) -> str:
        return f"{part[figure]['before']:.0f} → {part[figure]['after']:.0f}"

    rows = [
        f"| {name} | {cell(part, 'threads')} | {cell(part, 'fds')} | {cell(part, 'rss_mb')} | "
        f"{cell(part, 'private_mb')} | {part['rss_growth_mb_per_hour']:.0f} |"
        for name, part in found["parts"].items()
    ]
    connections = found["database_connections"]
    return "\n".join(
        [
            "# Soak",
            "",
            "Written by `make soak`; do not edit. Cameras and topics are registered, connect or fail (wrong password,",
            "dead port, unknown path, frozen, cut connections), are probed, changed and deleted, while the broker and",
            "the database come and go. Each figure is that of all processes of a part, at rest (only the base streams",
            "run): after the warm-up → at the end. The slope is that of Theil and Sen, over the last two thirds of the",
            "samples that were taken while cameras came and went after the warm-up.",
            "",
            f"{found['lives']} lives, {found['lives_after_warm_up']} of them in the {found['seconds_after_warm_up']} s "
            f"after the warm-up, on {found['machine']}. Database connections {connections['before']} → "
            f"{connections['after']}.",
            "",
            "| part | threads | descriptors | RSS, MB | private, MB | RSS slope, MB/hour |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )
