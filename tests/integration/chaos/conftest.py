"""Two readers under load: cameras with a known truth, and topics whose counts are exact, whoever dies."""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from footfall import ApiProblem, Client, Unreachable
from footfall.types import StreamAnswer
from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from tests.integration.brokers import Broker, free_port
from tests.integration.conftest import service_settings, wait_frames, wait_state
from tests.integration.ray_head import RayHead
from tests.integration.soak.processes import command_line, descendants
from tests.integration.test_kafka import BEGUN_S, FPS, register, report, send, wait_all_counted
from tests.waiting import wait_until

APP = "chaos"
SECONDS = 30
PACE_S = 0.08
"""Between two frames of a topic: the whole scene takes some 20 s, so that what is done to it happens in its middle."""
END_S = 4.0
"""More than passes between a camera's last frame and the end of what is counted."""


class Deployed:
    """The service, deployed to a Ray cluster, with two readers and with more sections of settings laid over it.

    Args:
        head: of the cluster.
        folder: of the service's data.
        model: path of the detector's model.
        database_url: None for SQLite in the folder.

    Attributes:
        database_url: as it is deployed next.
        sections: of the settings.
        options: of deployments, as a Serve config has them.
    """

    def __init__(self, head: RayHead, folder: Path, model: Path, database_url: str | None = None) -> None:
        self._head, self._folder, self._model = head, folder, model
        self.database_url = database_url
        self._port = free_port()
        self.sections: dict[str, dict[str, Any]] = {
            "reader": {"replicas": 2, "cpus": 0.5, "heartbeat_timeout_s": 3},
            "detector": {"timeout_s": 2},
        }
        self.options: dict[str, dict[str, Any]] = {}

    def deploy(self, **sections: dict[str, Any]) -> None:
        """Change some settings, as an operator does; does not wait for what is restarted."""
        for name, section in sections.items():
            self.sections[name] = {**self.sections.get(name, {}), **section}
        self._put()

    def pids_of(self, kind: str) -> list[int]:
        """Processes of one of Serve's own parts, such as ``ServeController`` or ``ProxyActor``."""
        return [pid for pid in descendants(self._head.pid) if command_line(pid).startswith(f"ray::{kind}")]

    def replace(self, deployment: str) -> None:
        """Have all replicas of one deployment exchanged, and none of another; does not wait for it.

        Serve takes changed arguments of an application for other code, and exchanges everything. What is changed for
        one deployment alone, such as the CPUs that it plans with, does not touch the others.
        """
        cpus = {"num_cpus": 0.2}, {"num_cpus": 0.3}
        options = self.options.setdefault(deployment, {})
        options["ray_actor_options"] = cpus[options.get("ray_actor_options") == cpus[0]]
        self._put()

    def use_model(self, path: Path, *deployments: str) -> None:
        """Have another model find people, without a restart; does not wait for it."""
        for name in deployments:
            self.options.setdefault(name, {})["user_config"] = {"model": str(path)}
        self._put()

    def _put(self) -> None:
        settings = service_settings(self._folder, self._model, **self.sections)
        self._head.deploy(
            {
                "proxy_location": "HeadOnly",
                "http_options": {"host": "127.0.0.1", "port": self._port},
                "applications": [
                    {
                        "name": APP,
                        "route_prefix": "/",
                        "import_path": "serve.deployments.graph:build_app",
                        "args": {
                            **settings.to_arguments(),
                            "api": {"port": self._port, "wrong_tokens_per_minute": 1_000_000},
                            "database_url": self.database_url,
                        },
                        "deployments": [{"name": name, **options} for name, options in self.options.items()],
                    }
                ],
            }
        )

    @property
    def store_url(self) -> str:
        return service_settings(self._folder, self._model).store_url

    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self._port}", timeout_s=10)

    def pids(self, deployment: str) -> dict[str, int]:
        """Processes of a deployment's running replicas, by the replica's name."""
        found = self.application().get("deployments", {}).get(deployment, {"replicas": []})
        return {one["replica_id"]: one["pid"] for one in found["replicas"] if one["state"] == "RUNNING"}

    def wait_replicas(self, deployment: str, fits: Callable[[dict[str, int]], bool], what: str) -> dict[str, int]:
        """Processes of the running replicas, once they fit and Serve calls the whole healthy."""

        def settled() -> dict[str, int] | None:
            pids = self.pids(deployment)
            return pids if self.application()["status"] == "RUNNING" and fits(pids) else None

        return wait_until(settled, 90, what, every_s=0.3)  # type: ignore[return-value]

    def wait_ready(self) -> None:
        def ready() -> bool:
            try:
                with self.client() as api:
                    return api.readiness()["status"] == "ready"
            except (ApiProblem, Unreachable):
                return False

        wait_until(ready, 90, "the deployed service")
        readers = self.sections["reader"]["replicas"]
        self.wait_replicas("StreamReader", lambda pids: len(pids) == readers, f"{readers} readers")

    def application(self) -> dict[str, Any]:
        """What Serve says of it."""
        found: dict[str, Any] = self._head.applications().get(APP, {"status": "none", "message": ""})
        return found


class Load:
    """Four cameras that show the same scene at the same moment, and two streams of one topic.

    Attributes:
        cameras: names of the streams.
        topics: likewise.
    """

    def __init__(self, api: Client, server: CameraServer, clip: Path, feed: KafkaFeed, scene: Scene) -> None:
        self.api = api
        self.cameras = [f"cam{number}" for number in range(4)]
        self.topics = ["topic0", "topic1"]
        self._server = server
        self._truth = json.loads((clip / "truth.json").read_text())
        self._geometry = json.loads((clip / "geometry.json").read_text())
        self._feed, self._scene = feed, scene
        self._sender = threading.Thread(target=self._send, name="feed", daemon=True)
        self._stop = threading.Event()
        self._begun_s = 0.0
        self._running_s: dict[str, float] = {}
        self._first: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return [*self.cameras, *self.topics]

    def begin(self, broker: Broker) -> None:
        """Returns once all are counted, and the topic is in the middle of its scene."""
        self._begun_s = time.time()
        for name in self.cameras:
            source = {"type": "rtsp", "url": self._server.url(name)}
            self.api.put_stream(name, {"source": source, "analysis_fps": 5, "geometry": self._geometry})  # type: ignore
        self._sender.start()
        for name in self.topics:
            register(self.api, name, broker, self._feed, self._scene)
        for name in self.cameras:
            wait_frames(self.api, name, 12)
            self._running_s[name] = time.time()
        self._first = {name: epoch for name, (_, epoch) in self.places().items()}
        for name in self.topics:
            wait_until(lambda name=name: report(self.api, name)["covered_s"] > 0.2 * SECONDS, 60, "a part of the scene")

    def _send(self) -> None:
        for number in range(self._scene.frames):
            if self._stop.wait(PACE_S):
                return
            self._feed.send(self._scene.image(number), BEGUN_S + number / FPS, FPS)
        self._feed.flush()

    def end(self) -> None:
        self._stop.set()
        self._sender.join(60)
        for name in self.cameras:
            self._server.freeze(name, False)
        for view in self.api.streams():
            self.api.delete_stream(view["id"], purge=True)

    def views(self) -> dict[str, StreamAnswer]:
        return {view["id"]: view for view in self.api.streams()}

    def places(self) -> dict[str, tuple[str | None, int]]:
        """Who has each stream, in which epoch."""
        return {name: (view["reader"], view["epoch"]) for name, view in self.views().items()}

    def owned_by(self, reader: str) -> set[str]:
        return {name for name, (owner, _) in self.places().items() if owner == reader}

    def wait_moved(self, streams: set[str], reader: str, timeout_s: float = 60) -> float:
        """Wait until none of these is with a reader, and all deliver again; returns the seconds that it took."""
        begun = time.monotonic()

        def moved() -> bool:
            try:
                views = self.views()
            except (ApiProblem, Unreachable):
                return False
            return all(
                views[name]["reader"] not in (None, reader) and views[name]["state"] == "running" for name in streams
            )

        wait_until(moved, timeout_s, f"{sorted(streams)} to run elsewhere than with {reader}")
        return time.monotonic() - begun

    def wait_progress(self, frames: int = 15) -> None:
        """All cameras deliver; counts of frames begin anew with an epoch."""
        for name in self.cameras:
            before = self.api.get_stream(name)

            def advanced(name: str = name, before: StreamAnswer = before) -> bool:
                now = self.api.get_stream(name)
                least = before["frames"] + frames if now["epoch"] == before["epoch"] else frames
                return now["state"] == "running" and now["frames"] >= least

            wait_until(advanced, 60, f"{frames} more frames of {name}")

    def wait_analysed(self, cameras: Collection[str], since_s: float) -> None:
        """Until a picture of each was analysed that was taken after a time, seconds since the epoch."""

        def newest_s(name: str) -> float:
            age_s = self.api.get_stream(name)["frame_age_s"]
            return 0.0 if age_s is None else time.time() - age_s

        for name in sorted(cameras):
            wait_until(lambda name=name: newest_s(name) > since_s, 6, f"{name} to be analysed")

    def wait_away_s(self, seconds: float) -> None:
        """Until cameras that show something all the time were analysed for so long."""
        begun_s = time.time()
        for name in self.cameras:

            def analysed(name: str = name) -> bool:
                age_s = self.api.get_stream(name)["frame_age_s"]
                return age_s is not None and time.time() - age_s > begun_s + seconds

            wait_until(analysed, seconds + 30, f"{seconds:.0f} s of {name}", every_s=1.0)

    def check_topics(self, truth: dict[str, Any]) -> None:
        """Every frame counts once, whatever happened."""
        for name in self.topics:
            assert wait_all_counted(self.api, name, self._scene.frames, timeout_s=90) == truth, name

    def check_cameras(self, outage_s: float = 0.0, hit: set[str] | None = None, *, what: str | None = None) -> None:
        """What was counted fits what was seen, and what was not seen is accounted for.

        Args:
            outage_s: how long the streams that were hit were away, at most.
            hit: streams that were away once; each further epoch of a stream is a planned move, which costs nothing.
            what: was done to them, for the table of docs/chaos.md.
        """
        missing_s: dict[str, float] = {}
        for name in self.cameras:  # all at once: they have shown the same up to here
            self._server.freeze(name)
        ended_s = time.time()
        for name in self.cameras:
            wait_state(self.api, name, "reconnecting", timeout_s=30)  # by then everything is written
        for name in self.cameras:
            covered_s = self.api.heatmap(name)["covered_s"]
            lines = self.api.counts(name, bucket="1h")["total"]["lines"]
            crossings = sum(sum(counts.values()) for counts in lines.values())
            moves = self.api.get_stream(name)["epoch"] - self._first[name]
            away_s = outage_s if name in (hit or ()) else 0.0
            shortest_s = ended_s - self._running_s[name] - away_s - END_S
            longest_s = ended_s - self._begun_s + 0.5
            found = (
                f"{name}: {covered_s} s of {shortest_s:.1f} to {longest_s:.1f}, {crossings} crossings, {moves} moves"
            )
            assert shortest_s <= covered_s <= longest_s, found
            least, most = self.crossings_within(covered_s, away_s)
            assert least - 1 <= crossings <= most + 1, f"{found}; the truth is {least} to {most}"
            missing_s[name] = ended_s - self._running_s[name] - covered_s
        if what is not None:
            self._record(what, missing_s, hit or set())

    def _record(self, what: str, missing_s: dict[str, float], hit: set[str]) -> None:
        """The longest time that a camera missed beside those that nothing was done to; a line of a file."""
        file = os.environ.get("FOOTFALL_CHAOS_RESULTS")
        if file is None:
            return
        spared = [seconds for name, seconds in missing_s.items() if name not in hit]
        usual_s = statistics.median(spared) if spared else min(missing_s.values())
        struck = [missing_s[name] for name in missing_s if name in hit] or list(missing_s.values())
        line = {"what": what, "gap_s": round(max(0.0, max(struck) - usual_s), 2)}
        with Path(file).open("a") as out:
            out.write(json.dumps(line) + "\n")

    def crossings_within(self, covered_s: float, away_s: float) -> tuple[int, int]:
        """Fewest and most true crossings in so many seconds of the endless clip, wherever they begin.

        Args:
            covered_s: seen, in one piece unless something was missed.
            away_s: missed in between, at most: it may have held crossings, or none.
        """
        fps, length = self._truth["fps"], self._truth["frames"]
        crossed = [crossing["frame"] for crossing in self._truth["crossings"]]

        def within(begin: int, frames: int) -> int:
            return sum((frames + begin - 1 - at) // length - (begin - 1 - at) // length for at in crossed)

        seen, gaps = round(covered_s * fps), round(away_s * fps)
        found = [within(begin, seen) for begin in range(length)]
        between = max(within(begin, gaps) for begin in range(length)) if gaps else 0
        return max(0, min(found) - between), max(found) + between


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Deployed]:
    with RayHead.started(tmp_path_factory.mktemp("ray")) as head:
        service = Deployed(head, tmp_path_factory.mktemp("chaos"), model_path)
        service.deploy()
        service.wait_ready()
        yield service


@pytest.fixture(scope="package")
def scene(test_cache: Path) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        made = Scene(Camera(480, 270), people=6, seconds=SECONDS, fps=FPS, seed=77, max_overlap=0.3)
        made.warm()
        return made


@pytest.fixture(scope="package")
def own_cameras(clip: Path) -> Iterator[CameraServer]:
    """Cameras that show the same frame at the same moment."""
    with CameraServer({f"cam{number}": clip / "video.mp4" for number in range(4)}) as server:
        yield server


@pytest.fixture(scope="package")
def truth(deployed: Deployed, broker: Broker, scene: Scene) -> dict[str, Any]:
    """What an undisturbed run counts of the topic."""
    feed = KafkaFeed(broker.address, f"chaos-{os.urandom(4).hex()}", "camera-1")
    send(feed, scene)
    feed.close()
    with deployed.client() as api:
        register(api, "undisturbed", broker, feed, scene)
        found = wait_all_counted(api, "undisturbed", scene.frames)
        api.delete_stream("undisturbed", purge=True)
    assert sum(sum(counts.values()) for b in found["buckets"] for counts in b["lines"].values()) > 0
    return found


@pytest.fixture
def load(
    deployed: Deployed,
    own_cameras: CameraServer,
    clip: Path,
    broker: Broker,
    scene: Scene,
    truth: dict[str, Any],
) -> Iterator[Load]:
    """Running, with all readers at work."""
    deployed.wait_ready()
    with ExitStack() as ends:
        api = ends.enter_context(deployed.client())
        feed = KafkaFeed(broker.address, f"chaos-{os.urandom(4).hex()}", "camera-1")
        ends.callback(feed.close)
        made = Load(api, own_cameras, clip, feed, scene)
        ends.callback(made.end)
        made.begin(broker)
        assert len({owner for owner, _ in made.places().values()}) == deployed.sections["reader"]["replicas"]
        yield made
