"""A reader: holds many cameras, from their packets to their rows.

A plain class, which `serve.deployments.graph` makes a deployment of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable

from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from analytics.storage.spool import Spool
from pipelines.batching.collector import BatchCollector, BatchDetector, ThreadedDetector
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import resolve
from pipelines.sources.base import SourceLimits
from serve.control.link import RegistryLink
from serve.control.messages import Assignment, DesiredState, Heartbeat, Reported, Work
from serve.settings import Settings
from serve.streams.live import LivePublisher
from serve.streams.worker import StreamWorker, WorkerPlan

logger = logging.getLogger(__name__)
HEARTBEAT_S = 1.0
RETRY_S = 0.3
CALL_TIMEOUT_S = 5.0
LAST_CALL_TIMEOUT_S = 1.0
ConnectDetector = Callable[[], Awaitable[BatchDetector]]


class StreamReader:
    """Works on the streams that the registry gives it.

    It holds no ongoing request of Ray Serve, so that Serve can drain it at any moment; what it is to do comes over the
    session that it opened itself.

    Args:
        settings: of the service.
        name: unique for ever.
        registry: what tells it what to do.
        connect_detector: reaches the detector's replicas, and is tried until it does; None runs the detector in here.
        store: made from the settings if absent.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        registry: RegistryLink,
        connect_detector: ConnectDetector | None = None,
        store: Store | None = None,
    ) -> None:
        self._settings = settings
        self._name = name
        self._registry = registry
        self._connect_detector = connect_detector
        self._store: Store = store or DatabaseStore(settings.store_url)
        self._collector: BatchCollector | None = None
        self._workers: dict[str, StreamWorker] = {}
        self._assignments: dict[str, Assignment] = {}
        self._work: dict[str, Work] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._total_weight = 0.0
        self._closing = False
        self._publisher = LivePublisher(settings.privacy.blurs)
        self._checkpoints_stop = threading.Event()
        self._checkpoints = threading.Thread(target=self._write_checkpoints, name="checkpoints", daemon=True)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(run()) for run in (self._hold_session, self._send_heartbeats, self._publish)]
        self._checkpoints.start()

    # -- what the registry wants

    async def _hold_session(self) -> None:
        """Open a session and follow it; open it again whenever it breaks."""
        self._collector = await self._collector_ready()
        while not self._closing:
            held = {name: worker.plan.epoch for name, worker in self._workers.items()}
            session = self._registry.session(self._name, self._settings.reader.capacity, held)
            try:
                # Closed in every case: a session that is only forgotten counts as one of ours for ever.
                async with contextlib.aclosing(session):
                    async for desired in session:
                        await self._reconcile(desired)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger.warning("the session with the registry broke: %s", type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _collector_ready(self) -> BatchCollector:
        detector = await self._make_detector()
        settings = self._settings.detector
        collector = BatchCollector(detector, max_batch=settings.max_batch, max_wait_s=settings.max_wait_s)
        collector.start()
        logger.info("reader %s is ready, detector %s", self._name, type(detector).__name__)
        return collector

    async def _make_detector(self) -> BatchDetector:
        settings = self._settings.detector
        if self._connect_detector is None:
            path = resolve(settings.model)
            workers = settings.threads or os.cpu_count() or 1
            detector = await asyncio.to_thread(OnnxDetector, path, threads=1, target_class="person")
            return ThreadedDetector(detector, workers)
        while True:
            try:
                return await asyncio.wait_for(self._connect_detector(), CALL_TIMEOUT_S)
            except Exception as error:
                logger.warning("no detector yet: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _reconcile(self, desired: DesiredState) -> None:
        """Bring the workers to the desired state; nothing here waits for a camera."""
        if self._closing:
            return
        self._total_weight = desired.total_weight
        self._work |= desired.work
        wanted = desired.assignments
        for name, worker in list(self._workers.items()):
            if name not in wanted or worker.plan.epoch != wanted[name].epoch:
                self._let_go(name)
        for name, assigned in wanted.items():
            # Its old worker must have written its last row first: the new epoch goes on from that.
            if name in self._stopping:
                continue
            running = self._workers.get(name)
            if running is None:
                self._take_up(name, assigned)
            elif self._assignments.get(name) != assigned:
                running.use_geometry(self._work[name].geometry)
            self._assignments[name] = assigned
        self._work = {name: work for name, work in self._work.items() if name in wanted}
        self._publisher.watch(desired.watched)
        for name, worker in self._workers.items():
            worker.keep_video_frames(name in self._publisher.watched)

    def _take_up(self, name: str, assigned: Assignment) -> None:
        assert self._collector is not None
        work, reader = self._work[name], self._settings.reader
        limits = SourceLimits(reader.open_timeout_s, reader.read_timeout_s, reader.stall_timeout_s)
        source = work.definition.source
        plan = WorkerPlan(
            stream=name,
            epoch=assigned.epoch,
            make_source=source.opener(name, limits),
            live=source.live,
            geometry=work.geometry,
            analysis_fps=work.definition.analysis_fps,
            origin=source.origin,
        )
        spool = Spool(self._settings.spool_dir, name, max_bytes=reader.spool_bytes)
        worker = StreamWorker(plan, self._collector, self._store, spool, on_frame=self._publisher.sink(name))
        self._workers[name] = worker
        worker.start()
        logger.info("takes up epoch %d", assigned.epoch, extra={"stream": name})

    def _let_go(self, name: str) -> None:
        """Drain a stream beside everything else and hand it back."""
        worker = self._workers.pop(name)
        self._assignments.pop(name, None)
        if name not in self._stopping:
            self._stopping[name] = asyncio.get_running_loop().create_task(self._drain(name, worker))

    async def _drain(self, name: str, worker: StreamWorker) -> None:
        try:
            await asyncio.to_thread(worker.stop)
            logger.info("hands back epoch %d", worker.plan.epoch, extra={"stream": name})
            # At the end of the whole service the registry may have gone first.
            wait_s = LAST_CALL_TIMEOUT_S if self._closing else CALL_TIMEOUT_S
            await asyncio.wait_for(self._registry.handback(self._name, {name: worker.plan.epoch}), wait_s)
        except Exception as error:
            level = logging.DEBUG if self._closing else logging.WARNING
            logger.log(level, "a hand-over was not heard: %s", type(error).__name__, extra={"stream": name})
        finally:
            self._stopping.pop(name, None)

    # -- heartbeats, live frames, checkpoints

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            reported = {name: Reported(s.plan.epoch, s.status()) for name, s in self._workers.items()}
            try:
                told = Heartbeat(self._name, reported)
                lost = await asyncio.wait_for(self._registry.heartbeat(told), CALL_TIMEOUT_S)
            except Exception as error:
                logger.debug("a heartbeat was not heard: %s", type(error).__name__)
                continue
            fenced = [name for name, worker in self._workers.items() if worker.fenced]
            for name in {*lost, *fenced} & self._workers.keys() & reported.keys():
                # While the answer was on its way, the stream may have been taken up again in the next epoch.
                if reported[name].epoch == self._workers[name].plan.epoch:
                    self._let_go(name)

    async def _publish(self) -> None:
        """Send the newest frame of every watched stream, a few times a second."""
        while True:
            await asyncio.sleep(self._publisher.interval_s)
            for name, frame in await asyncio.to_thread(self._publisher.render):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._registry.publish(name, frame), CALL_TIMEOUT_S)

    def _write_checkpoints(self) -> None:
        interval_s = self._settings.reader.checkpoint_s
        due_s = time.monotonic()
        while not self._checkpoints_stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = time.monotonic() + interval_s
            away = False
            for worker in list(self._workers.values()):
                try:
                    away = not worker.checkpoint(database_away=away)
                except Exception:
                    logger.exception("a checkpoint failed", extra={"stream": worker.plan.stream})

    # -- whoever hosts the reader

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The weight of all registered streams: what readers scale on."""
        return {"registered_weight": self._total_weight}

    async def check_health(self) -> None:
        """A reader one of whose loops has ended is replaced."""
        collecting = self._collector is None or self._collector.healthy
        if any(task.done() for task in self._tasks) or not self._checkpoints.is_alive() or not collecting:
            raise RuntimeError("a loop of the reader has ended")

    async def stop(self) -> None:
        """Stop all streams, hand them back, and let go of everything. Idempotent."""
        if self._closing:
            return
        self._closing = True
        for name in list(self._workers):
            self._let_go(name)
        if self._stopping:
            await asyncio.wait(list(self._stopping.values()), timeout=15.0)
        # The session ends last: its end would tell the registry to give away what is still being drained.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._checkpoints_stop.set()
        # Before the store is closed: a checkpoint that is being written needs it.
        await asyncio.to_thread(self._checkpoints.join, CALL_TIMEOUT_S)
        if self._collector is not None:
            await asyncio.to_thread(self._collector.stop)
        self._store.close()
