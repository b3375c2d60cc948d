"""Camera lives, one after the other: registered, connected or not, changed, deleted."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from footfall import ApiProblem, Client, Unreachable
from pipelines.simulator.rtsp.camera_server import CameraServer
from tests.integration.brokers import free_port

LIFE_TIMEOUT_S = 8.0
WORKERS = 8


class Churn:
    """Lives camera lives in some threads, for as long as it is told to; then all that it registered is gone again.

    Args:
        connect: makes a client, one a thread.
        server: simulated cameras.
        good: of these, cameras that play.
        frozen: a camera that sends nothing.
        topic: broker's address and topic, for lives over Kafka.
    """

    def __init__(
        self, connect: Callable[[], Client], server: CameraServer, good: list[str], frozen: str, topic: tuple[str, str]
    ) -> None:
        self._connect = connect
        self._server, self._good, self._frozen, self._topic = server, good, frozen, topic
        self._numbers = itertools.count()
        self._dead_port = free_port()
        self.lives: Counter[str] = Counter()
        """Finished, by kind."""
        self.refused: Counter[str] = Counter()
        """Answers other than success, by code: a database that is away, for one."""

    def run(self, seconds: float, beside: Callable[[float], None]) -> None:
        """Live for so long; ``beside`` is called again and again with the seconds that have passed."""
        stop = threading.Event()
        with ThreadPoolExecutor(WORKERS) as pool:
            working = [pool.submit(self._work, stop) for _ in range(WORKERS)]
            try:
                begun = time.monotonic()
                while (passed_s := time.monotonic() - begun) < seconds and not any(one.done() for one in working):
                    beside(passed_s)
                    stop.wait(0.5)
            finally:
                stop.set()
            for one in working:
                one.result()

    def _work(self, stop: threading.Event) -> None:
        chance = random.Random(threading.get_ident())
        with self._connect() as api:
            while not stop.is_set():
                kind = chance.choice(sorted(self._sources(chance)))
                name = f"life{next(self._numbers)}"
                try:
                    self._live(api, name, kind, chance)
                    self.lives[kind] += 1
                except (ApiProblem, Unreachable) as error:
                    self.refused[getattr(error, "code", "unreachable")] += 1
                    stop.wait(0.5)
                finally:
                    self._delete(api, name, stop)

    def _sources(self, chance: random.Random) -> dict[str, dict[str, Any]]:
        def rtsp(url: str) -> dict[str, Any]:
            return {"type": "rtsp", "url": url}

        playing = self._server.url(chance.choice(self._good))
        brokers, topic = self._topic
        return {
            "good": rtsp(playing),
            "changed": rtsp(playing),
            "wrong password": rtsp(playing.replace("s3cret", "guessed")),
            "dead port": rtsp(f"rtsp://viewer:s3cret@127.0.0.1:{self._dead_port}/nobody"),
            "unknown path": rtsp(self._server.url(self._good[0]) + "-unknown"),
            "frozen": rtsp(self._server.url(self._frozen)),
            "kafka": {"type": "kafka", "brokers": brokers, "topic": topic, "key": None, "start": "earliest"},
            "probe": rtsp(playing),
            "failing probe": rtsp(playing.replace("s3cret", "guessed")),
        }

    def _live(self, api: Client, name: str, kind: str, chance: random.Random) -> None:
        source: Any = self._sources(chance)[kind]
        if "probe" in kind:
            api.probe({"source": source, "seconds": 0.5})
            return
        api.put_stream(name, {"source": source, "analysis_fps": 1})
        self._wait(api, name)
        if kind == "changed":
            other: Any = self._sources(chance)["good"]
            api.put_stream(name, {"source": other, "analysis_fps": 2})
            self._wait(api, name)

    def _wait(self, api: Client, name: str) -> None:
        """Until it runs or says why it does not; in vain is no fault here, with half of the world switched off."""
        deadline = time.monotonic() + LIFE_TIMEOUT_S
        pause = threading.Event()
        while time.monotonic() < deadline:
            view = api.get_stream(name)
            if view["frames"] or view["error_code"]:
                return
            pause.wait(0.2)

    def _delete(self, api: Client, name: str, stop: threading.Event) -> None:
        """Until it is gone, however long the database is away."""
        pause = threading.Event()
        for _ in range(120):
            with suppress(Unreachable):
                try:
                    api.delete_stream(name, purge=True)
                except ApiProblem as error:
                    if error.code == "unknown-stream":
                        return
                else:
                    return
            pause.wait(0.5)
        raise AssertionError(f"{name} cannot be deleted")
