"""The service with simulated cameras: what a stranger runs first."""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from footfall import ApiProblem, Client
from footfall.types import GeometryBody, KafkaDefinition, RtspDefinition, StreamBody
from pipelines.cache import cache_dir
from pipelines.simulator.kafka_feed import KafkaFeed, feed_live
from pipelines.simulator.live import SceneLoop
from pipelines.simulator.recording import TRUTH, VIDEO, write_recording
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.simulator.turned import write_turned
from serve.errors import ServiceError
from serve.launch.service import Service, client
from serve.settings import Settings

logger = logging.getLogger(__name__)
FORMAT = "2"
"""Changes when the cameras below change, so that old clips are not shown."""
USER, PASSWORD = "demo", "footfall"
SILENT_AFTER_S, SILENT_S = 30.0, 60.0
TURNED_AFTER_S, TURNED_S = 120.0, 60.0
EVERY_S = 240.0
"""When one camera falls silent, and another is turned, of so many seconds, over and over: each is told as an alert."""
FPS, CLIP_S = 12.0, 24.0
TURNED_VIDEO = "turned.mp4"


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """One simulated camera."""

    id: str
    name: str
    seed: int
    people: int

    def is_rendered(self, folder: Path) -> bool:
        """Whether all of its clips are there, to their ends."""
        last = (TRUTH, TURNED_VIDEO) if self.id == TURNED else (TRUTH,)
        return all((folder / name).is_file() for name in last)


CAMERAS = (
    DemoCamera("entrance", "Entrance", 11, 6),
    DemoCamera("hall", "Hall", 12, 8),
    DemoCamera("tills", "Tills (is turned now and then)", 13, 5),
    DemoCamera("side-door", "Side door (falls silent now and then)", 14, 4),
)
TURNED, SILENT = CAMERAS[-2].id, CAMERAS[-1].id
KAFKA_CAMERA = "warehouse"


class Demo:
    """Cameras, service and registrations, between entering and leaving the context.

    Args:
        settings: of the service.
        kafka: brokers for one more camera; None leaves it out.
    """

    def __init__(self, settings: Settings, kafka: str | None = None) -> None:
        self._settings = settings
        self._kafka = kafka
        self._service = Service(settings)
        self._clips = cache_dir("demo", FORMAT)
        self._stop = threading.Event()
        self._resources = ExitStack()

    @property
    def url(self) -> str:
        return self._service.url

    @property
    def fault_in_words(self) -> str:
        return (
            f"{SILENT} falls silent, and {TURNED} is turned, for {SILENT_S:.0f} s each every {EVERY_S / 60:.0f} "
            "minutes; see Health on the page"
        )

    def prepare(self, report: Callable[[str, int, int | None], None]) -> None:
        """Render the clips that are not there yet, on all cores; takes a minute or two the first time."""
        missing = [camera for camera in CAMERAS if not camera.is_rendered(self._clips / camera.id)]
        if not missing:
            return
        frames = int(FPS * CLIP_S)
        context = get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            counts = manager.dict()
            jobs = {camera.id: pool.submit(_render, camera, self._clips / camera.id, counts) for camera in missing}
            while not all(job.done() for job in jobs.values()):
                with suppress(OSError):
                    for camera in missing:
                        report(f"rendering {camera.id}", counts.get(camera.id, 0), frames)
                self._stop.wait(0.2)
            for job in jobs.values():
                job.result()

    def __enter__(self) -> Demo:
        try:
            self._start()
        except BaseException:
            self._resources.close()
            raise
        return self

    def _start(self) -> None:
        clips = {camera.id: self._clips / camera.id / "video.mp4" for camera in CAMERAS}
        turned = {TURNED: self._clips / TURNED / TURNED_VIDEO}
        server = self._resources.enter_context(CameraServer(clips, user=USER, password=PASSWORD, turned=turned))
        self._resources.enter_context(self._service)
        self._resources.callback(self._stop.set)
        with client(self._settings) as api:
            for camera in CAMERAS:
                geometry = json.loads((self._clips / camera.id / "geometry.json").read_text())
                source: RtspDefinition = {"type": "rtsp", "url": server.url(camera.id)}
                _register(api, camera.id, {"name": camera.name, "site": "demo", "source": source, "geometry": geometry})
            if self._kafka is not None:
                self._start_kafka(api, self._kafka)
        self._run(self._fail, server)

    def _start_kafka(self, api: Client, brokers: str) -> None:
        feed = KafkaFeed(brokers, "footfall-demo", KAFKA_CAMERA)
        self._resources.callback(feed.close)
        scene = Scene(Camera(), people=5, seconds=CLIP_S, fps=FPS, seed=15, max_overlap=0.3)
        loop = SceneLoop(scene)
        self._run(lambda: feed_live(feed, (loop.image(n) for n in itertools.count()), FPS, self._stop))
        source: KafkaDefinition = {
            "type": "kafka",
            "brokers": brokers,
            "topic": "footfall-demo",
            "key": KAFKA_CAMERA,
        }
        geometry = cast(GeometryBody, scene.geometry())
        body: StreamBody = {"name": "Warehouse (Kafka)", "site": "demo", "source": source, "geometry": geometry}
        _register(api, KAFKA_CAMERA, body)

    def _run(self, work: Callable[..., Any], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="demo", daemon=True).start()

    def _fail(self, server: CameraServer) -> None:
        """Over and over one camera is frozen for a while (the connection stays, nothing comes), and another turned."""
        while not self._stop.wait(SILENT_AFTER_S):
            server.freeze(SILENT, True)
            self._stop.wait(SILENT_S)
            server.freeze(SILENT, False)
            self._stop.wait(TURNED_AFTER_S - SILENT_AFTER_S - SILENT_S)
            server.turn(TURNED, True)
            self._stop.wait(TURNED_S)
            server.turn(TURNED, False)
            self._stop.wait(EVERY_S - TURNED_AFTER_S - TURNED_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._resources.close()


def _render(camera: DemoCamera, folder: Path, counts: Any) -> None:
    """In a process of its own."""
    scene = Scene(Camera(), people=camera.people, seconds=CLIP_S, fps=FPS, seed=camera.seed, max_overlap=0.3)

    def progress(done: int, total: int) -> None:
        del total
        counts[camera.id] = done

    write_recording(scene, folder, progress)
    if camera.id == TURNED:
        write_turned(folder / VIDEO, folder / TURNED_VIDEO)


def _register(api: Client, stream: str, body: StreamBody) -> None:
    try:
        api.put_stream(stream, body)
    except ApiProblem as problem:
        raise ServiceError(f"camera {stream} cannot be registered: {problem}") from problem
