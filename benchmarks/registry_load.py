"""What a registry costs while nothing changes: 5,000 streams on 100 readers, in a replica of its own as it is deployed.

The readers are pretended: each comes back with the fifty streams that it has, holds a session, and sends heartbeats as
often as it is told to, as the real ones do, with what its streams report, whose numbers grow as those of running
cameras do.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from analytics.storage.base import StreamRecord
from analytics.storage.database import DatabaseStore
from pipelines.sources.supervisor import StreamState
from serve.control.heartbeat import HEARTBEAT_S
from serve.control.link import RegistryLink
from serve.control.messages import Assignment, Greeting, Heartbeat, Reported
from serve.deployments.reports import Reports
from serve.launch import cluster
from serve.settings import Settings, load
from serve.streams.status import StreamStatus

STREAMS, READERS = 5000, 100
SETTLE_S, WINDOW_S, WINDOWS = 30.0, 10.0, 5
FPS = 5.0
SOURCE_CORES, ANALYSIS_CORES = 0.03, 0.06


class PretendedReader:
    """Holds what it is given, and tells that all is well."""

    def __init__(self, name: str, held: dict[str, int], link: RegistryLink) -> None:
        self._name, self._held, self._link = name, held, link
        self.streams: dict[str, Assignment] = {}
        self._reports = Reports()
        self._heartbeat_s = HEARTBEAT_S
        self._begun_s = time.monotonic()

    async def follow(self) -> None:
        greeting = Greeting(self._name, self._held, cores=12.0, capacity=12.0)  # of no node: the database is a file
        async for desired in self._link.session(greeting):
            self._heartbeat_s = desired.heartbeat_s
            self.streams |= {name: work.assignment for name, work in desired.work.items()}
            for name in desired.dropped:
                self.streams.pop(name, None)

    async def beat(self) -> None:
        since_s = time.time()
        while True:
            await asyncio.sleep(self._heartbeat_s)
            elapsed_s = time.monotonic() - self._begun_s
            frames = int(FPS * elapsed_s)
            status = StreamStatus(
                StreamState.RUNNING,
                since_s,
                codec="h264",
                width=1280,
                height=720,
                fps_in=15.0,
                fps_processed=FPS,
                frame_age_s=0.2,
                frames=3 * frames,
                analysed=frames,
                source_cpu_s=SOURCE_CORES * elapsed_s,
                analysis_cpu_s=ANALYSIS_CORES * elapsed_s,
            )
            streams = {name: Reported(one.epoch, status) for name, one in self.streams.items()}
            told = {name: replace(one, status=replace(status)) for name, one in self._reports.choose(streams).items()}
            others = {name: one.epoch for name, one in streams.items() if name not in told}
            if await self._link.heartbeat(Heartbeat(self._name, told, others=others)) is not None:
                self._reports.heard(told, streams)


def register(store: DatabaseStore, number_of_streams: int, readers: int) -> dict[str, dict[str, int]]:
    """Streams of readers, evenly, with their epochs."""
    geometry = {"lines": [{"id": "door", "a": [0.5, 0.1], "b": [0.5, 0.9]}], "zones": []}
    for number in range(number_of_streams):
        source = {"type": "rtsp", "url": f"rtsp://10.0.{number // 250}.{number % 250 + 1}/stream"}
        definition = {"name": f"Camera {number}", "site": f"Site {number % 7}", "source": source}
        definition |= {"analysis_fps": FPS}
        store.put_stream(StreamRecord(f"cam-{number:05d}", definition, geometry))
    # As they have been measured before: while they are learned, a reader may be told of more of them than another, and
    # some streams move.
    least = SOURCE_CORES + ANALYSIS_CORES / FPS
    store.weigh({f"cam-{number:05d}": (SOURCE_CORES + ANALYSIS_CORES, least) for number in range(number_of_streams)})
    owners = {f"cam-{number:05d}": f"reader-{number % readers}" for number in range(number_of_streams)}
    held: dict[str, dict[str, int]] = {}
    for stream, epoch in store.assign(owners).items():
        held.setdefault(owners[stream], {})[stream] = epoch
    return held


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pid() -> int:
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        if command_line.read_bytes().startswith(b"ray::ServeReplica:load:Registry"):
            return int(command_line.parent.name)
    raise RuntimeError("the registry's process is not found")


async def _measure(link: RegistryLink, held: dict[str, dict[str, int]]) -> list[float]:
    readers = [PretendedReader(name, streams, link) for name, streams in held.items()]
    tasks = [asyncio.create_task(run()) for one in readers for run in (one.follow, one.beat)]
    try:
        deadline = time.monotonic() + 120
        while sum(len(one.streams) for one in readers) < STREAMS:
            for task in tasks:
                if task.done():
                    task.result()  # raises what ended it
            if time.monotonic() > deadline:
                raise TimeoutError(f"{sum(len(one.streams) for one in readers)} of {STREAMS} streams were given")
            await asyncio.sleep(0.5)
        await asyncio.sleep(SETTLE_S)  # weights are measured and stored
        began_with = [dict(one.streams) for one in readers]
        pid, shares = _pid(), []
        for _ in range(WINDOWS):
            before_s, begun_s = _cpu_s(pid), time.monotonic()
            await asyncio.sleep(WINDOW_S)
            shares.append((_cpu_s(pid) - before_s) / (time.monotonic() - begun_s))
        if any(one.streams != began for one, began in zip(readers, began_with, strict=True)):
            raise RuntimeError("streams have moved: this is not what it costs while nothing changes")
        return shares
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def measure() -> dict[str, Any]:
    """Share of a core that the registry's replica takes."""
    with tempfile.TemporaryDirectory() as folder:
        settings: Settings = load(None, data_dir=folder, log_level="ERROR", reader={"capacity": 12})
        store = DatabaseStore(settings.store_url)
        store.migrate()
        held = register(store, STREAMS, READERS)
        store.close()
        with cluster.told(cluster.environment(Path(folder), os.environ)):
            import ray
            from ray import serve

            from serve.deployments.arguments import arguments_for
            from serve.deployments.graph import _deploy
            from serve.deployments.handles import HandleRegistryLink
            from serve.deployments.replicas.registry import RegistryReplica

            ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            try:
                registry = _deploy(RegistryReplica, name="Registry", num_cpus=0.1, max_ongoing_requests=1000)
                handle = serve.run(registry.bind(arguments_for("Registry", settings)), name="load", route_prefix=None)
                shares = asyncio.run(_measure(HandleRegistryLink(handle, handle), held))
            finally:
                serve.shutdown()
                ray.shutdown()
    return {
        "streams": STREAMS,
        "readers": READERS,
        "core_share": round(statistics.median(shares), 3),
        "core_share_most": round(max(shares), 3),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
