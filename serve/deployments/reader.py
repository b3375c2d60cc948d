"""A reader: holds many cameras, from their packets to their rows.

A plain class, which `serve.deployments.graph` makes a deployment of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from analytics.storage.references import DatabaseReferences, ReferenceStore
from pipelines.batching.collector import BatchCollector
from pipelines.cores import usable_cores
from pipelines.errors import FootfallError
from pipelines.sources.supervisor import StreamState
from serve.control.heartbeat import HEARTBEAT_S
from serve.control.link import RegistryLink
from serve.control.messages import DesiredState, Greeting, Heartbeat, ReaderView, Reported, Work
from serve.deployments.collecting import ConnectDetector, collected, open_collector
from serve.deployments.detection import Detection
from serve.deployments.hand_over import hand_over
from serve.deployments.input_size import watch_input_size
from serve.deployments.keepers import Keepers
from serve.deployments.policies import CAPACITY, WEIGHT
from serve.deployments.rehearsals import Rehearsals
from serve.deployments.reports import Reports
from serve.deployments.worker_factory import WorkerFactory
from serve.settings import Settings
from serve.streams.checkpoints import Checkpoints
from serve.streams.delivery import Leftovers
from serve.streams.disk import FreeShare
from serve.streams.freed_memory import FreedMemory
from serve.streams.live import LivePublisher
from serve.streams.status import StreamStatus
from serve.streams.worker import StreamWorker

logger = logging.getLogger(__name__)
RETRY_S = 0.3
LOOK_S = 0.1
HEARD_WITHIN_S = 2.0
"""One that hangs is sent anew in time: silence looks like death."""
CALL_TIMEOUT_S = 5.0
LAST_CALL_TIMEOUT_S = 1.0
PARTING_S = 3.0
DRAINS = 64
CONNECTIONS = 3
"""To a database server: there may be hundreds of readers, and servers count connections."""


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
        references: what cameras show when all is well; the store's if absent, or none if that has none.
        node: where it runs.
        service_ends: whether this one goes because all do; blocks for a moment.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        registry: RegistryLink,
        connect_detector: ConnectDetector | None = None,
        store: Store | None = None,
        node: str = "",
        references: ReferenceStore | None = None,
        service_ends: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._service_ends = service_ends
        self._name = name
        self._node = node
        self._registry = registry
        self._connect_detector = connect_detector
        cores = min(usable_cores(), settings.reader.capacity or math.inf)
        self._threads = settings.detector.threads or math.ceil(cores)
        self._detection = Detection(settings.detector, at_once=self._threads)
        self._store: Store = store or DatabaseStore(settings.store_url, connections=CONNECTIONS)
        if references is None and isinstance(self._store, DatabaseStore):
            references = DatabaseReferences(self._store)
        self._references = references if settings.monitoring.drift else None
        self._collector: BatchCollector | None = None
        self._factory: WorkerFactory | None = None
        self._keepers = Keepers(settings, self._store)
        self._workers: dict[str, StreamWorker] = {}
        self._epochs: dict[str, int] = {}
        self._wanted: dict[str, Work] = {}
        self._running: dict[str, Work] = {}
        self._refused: dict[str, Reported] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._to_prepare: dict[str, Work] = {}
        self._rehearsals = Rehearsals(settings.source_limits)
        self._parting: list[StreamWorker] = []
        self._following: asyncio.Task[None] | None = None
        # Draining waits; many streams at once must not wait for one another, nor keep anybody else's threads.
        self._drains = ThreadPoolExecutor(DRAINS, thread_name_prefix="drain")
        self._reports = Reports()
        self._freed = FreedMemory()
        self._free_share = FreeShare(settings.spool_dir)
        self._total_weight: float | None = None  # until the registry has said it
        self._capacity: float | None = None
        self._heartbeat_s = HEARTBEAT_S
        self._told_ready: set[str] = set()
        self._leaving = False
        self._closing = False
        self._in_session = False
        self._publisher = LivePublisher(settings.privacy.blurs)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(run()) for run in (self._hold_session, self._send_heartbeats, self._publish)]
        leftovers = Leftovers(settings.spool_dir, self._store, lambda: self._workers.keys() | self._stopping.keys())
        self._checkpoints = Checkpoints(
            lambda: list(self._workers.values()), settings.reader.checkpoint_s, leftovers, self._freed
        )

    # -- what the registry wants

    async def _hold_session(self) -> None:
        """Open a session and follow it; open it again whenever it breaks."""
        self._collector = await open_collector(
            self._settings.detector, self._detection, self._threads, self._connect_detector
        )
        self._factory = WorkerFactory(
            self._settings,
            self._collector,
            self._store,
            self._references,
            lambda: self._detection.used.model,
            self._name,
            self._keepers,
        )
        logger.info("reader %s is ready", self._name)
        if self._connect_detector is not None:
            watching = watch_input_size(self._collector.input_size, self._connect_detector)
            self._tasks.append(asyncio.get_running_loop().create_task(watching))
        while not self._closing:
            # A task of its own, so that the session can be given up without giving up this loop.
            self._following = asyncio.get_running_loop().create_task(self._follow_session())
            try:
                await asyncio.wait({self._following})
            except asyncio.CancelledError:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)
                raise
            await asyncio.sleep(RETRY_S)

    async def _follow_session(self) -> None:
        held = {name: worker.plan.epoch for name, worker in self._workers.items()}
        greeting = Greeting(self._name, held, self._node, usable_cores(), self._settings.reader.capacity)
        session = self._registry.session(greeting)
        try:
            # Closed in every case: a session that is only forgotten counts as one of ours for ever.
            async with contextlib.aclosing(session):
                async for desired in session:
                    if desired.whole:
                        self._reports = Reports()  # whoever listens now has heard nothing so far
                    self._in_session = True
                    self._take(desired)
                    self._reconcile()
        except Exception as error:
            logger.warning("the session with the registry broke: %s", type(error).__name__)
        finally:
            self._in_session = False

    def _take(self, desired: DesiredState) -> None:
        """Remember what is wanted by now."""
        if desired.whole:
            self._wanted.clear()
            self._to_prepare.clear()
        self._wanted |= desired.work
        self._to_prepare |= desired.prepare
        for name in desired.dropped:
            self._wanted.pop(name, None)
        for name in (*desired.dropped, *desired.work):
            self._to_prepare.pop(name, None)
        for name in desired.prepare:
            self._wanted.pop(name, None)
        self._total_weight, self._heartbeat_s = desired.total_weight, desired.heartbeat_s
        self._capacity = desired.capacity
        self._publisher.watch(desired.watched)

    def _reconcile(self) -> None:
        """Bring the workers to the desired state; nothing here waits for a camera."""
        if self._closing:
            return
        for name in list(self._workers):
            if self._must_go(name):
                self._let_go(name)
        self._refused = {name: refused for name, refused in self._refused.items() if name in self._wanted}
        for name, work in self._wanted.items():
            # Its old worker must have written its last row first: the new epoch goes on from that.
            if name in self._stopping or self._running.get(name) == work:
                continue
            try:
                self._bring_about(name, work)
            except Exception as error:  # one stream that cannot be made must not keep the others from running
                self._refuse(name, work, error)
        self._rehearsals.update(self._to_prepare, self._wanted, self._workers.keys())
        for name, worker in self._workers.items():
            worker.keep_video_frames(name in self._publisher.watched)

    def _must_go(self, name: str) -> bool:
        """Whether a stream is not ours any more, or has to begin anew, in an epoch of its own."""
        wanted, running = self._wanted.get(name), self._running[name]
        if wanted is None or wanted.assignment.epoch != running.assignment.epoch:
            return True
        return running.definition.work_differs(wanted.definition)

    def _bring_about(self, name: str, work: Work) -> None:
        worker = self._workers.get(name)
        if worker is None:
            worker = self._take_up(name, work)
        else:
            running = self._running[name]
            if running.geometry != work.geometry:
                worker.use_geometry(work.geometry)
            if running.assignment.reference_version != work.assignment.reference_version:
                worker.use_reference(work.assignment.reference_version)
        self._epochs[name] = work.assignment.epoch
        # Both or neither: a worker whose work is not known could not be judged, nor could any other beside it.
        self._workers[name], self._running[name] = worker, work
        self._refused.pop(name, None)

    def _refuse(self, name: str, work: Work, error: Exception) -> None:
        if name not in self._refused or self._refused[name].epoch != work.assignment.epoch:
            logger.error("the stream cannot be taken up", exc_info=error, extra={"stream": name})
            reason = str(error) if isinstance(error, FootfallError) else f"internal error: {type(error).__name__}"
            status = StreamStatus(StreamState.FAILED, time.time(), reason, getattr(error, "code", "error"))
            self._refused[name] = Reported(work.assignment.epoch, status)

    def _take_up(self, name: str, work: Work) -> StreamWorker:
        """A worker that has started."""
        assert self._factory is not None
        rehearsal = self._rehearsals.take(name, work.definition)
        try:
            worker = self._factory.make(name, work, self._publisher.sink(name), rehearsal)
            worker.start()
        except BaseException:
            self._rehearsals.give_up(rehearsal)
            raise
        logger.info("takes up epoch %d", worker.plan.epoch, extra={"stream": name})
        return worker

    def _let_go(self, name: str) -> None:
        """Drain a stream beside everything else and hand it back."""
        worker = self._workers.pop(name)
        self._running.pop(name, None)
        if name not in self._stopping:
            self._stopping[name] = asyncio.get_running_loop().create_task(self._drain(name, worker))

    async def _drain(self, name: str, worker: StreamWorker) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._drains, worker.drain)
            self._parting = [parting for parting in (*self._parting, worker) if not parting.join(0)]
            logger.info("hands back epoch %d", worker.plan.epoch, extra={"stream": name})
            await self._hand_back(name, worker.plan.epoch)
        except Exception:
            logger.exception("a stream could not be drained", extra={"stream": name})
        finally:
            self._stopping.pop(name, None)
            if name not in self._workers:
                self._epochs.pop(name, None)
            self._freed.stream_ended()
            if name in self._wanted:  # the next epoch may have been ours before this one had ended
                self._reconcile()

    async def _hand_back(self, name: str, epoch: int) -> None:
        """Tell the registry until it hears; as long as it has not, it believes that we have the stream."""
        level = logging.WARNING  # once: a registry that is replaced may be away for a while, for many streams
        while True:
            # At the end of the whole service the registry may have gone first.
            wait_s = LAST_CALL_TIMEOUT_S if self._closing else CALL_TIMEOUT_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._registry.handback(self._name, {name: epoch})
                break
            except Exception as error:
                level = logging.DEBUG if self._closing else level
                logger.log(level, "a hand-over was not heard: %s", type(error).__name__, extra={"stream": name})
                level = logging.DEBUG
            if self._closing:
                return
            await asyncio.sleep(RETRY_S)
        wanted = self._wanted.get(name)
        if wanted is not None and wanted.assignment.epoch == epoch:  # what was said before it heard
            del self._wanted[name]

    # -- heartbeats, live frames

    async def _send_heartbeats(self) -> None:
        while True:
            await self._until_due()
            if not self._in_session:
                continue  # nobody would know of us
            session = self._following
            try:
                reported = {name: Reported(s.plan.epoch, s.status()) for name, s in self._workers.items()}
                lost = await self._tell(self._refused | reported)
            except Exception as error:
                logger.debug("a heartbeat was not heard: %s", type(error).__name__)
                continue
            if lost is None:
                self._open_anew(session)
                continue
            over = [name for name, worker in self._workers.items() if worker.over]
            for name in {*lost, *over} & self._workers.keys() & reported.keys():
                # While the answer was on its way, the stream may have been taken up again in the next epoch.
                if reported[name].epoch == self._workers[name].plan.epoch:
                    self._let_go(name)

    async def _until_due(self) -> None:
        """Until the next heartbeat, or until a camera is open ahead of time: its stream's old reader waits for that."""
        due_s = time.monotonic() + self._heartbeat_s
        while (left_s := due_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, LOOK_S))
            if self._in_session and not set(self._rehearsals.ready) <= self._told_ready:
                return

    async def _tell(self, streams: Mapping[str, Reported]) -> list[str] | None:
        """Send a heartbeat; returns what `serve.control.registry.Registry.heartbeat` does."""
        reports = self._reports
        told = reports.choose(streams)
        others = {name: one.epoch for name, one in streams.items() if name not in told}
        # Not wait_for(): before Python 3.12 it loses a cancellation that comes together with the answer.
        ready = self._rehearsals.ready
        self._told_ready = set(ready)
        async with asyncio.timeout(HEARD_WITHIN_S):
            lost = await self._registry.heartbeat(
                Heartbeat(
                    self._name,
                    told,
                    tuple(self._stopping),
                    ready,
                    others,
                    self._free_share(),
                    *collected(self._collector),
                )
            )
        if lost is not None:
            reports.heard(told, streams)
        return lost

    def _open_anew(self, session: asyncio.Task[None] | None) -> None:
        """The registry that answers is not the one that we have a session with: another has taken over.

        Args:
            session: that we had when we asked; the answer tells nothing of one that was opened meanwhile.
        """
        if self._in_session and session is not None and session is self._following:
            logger.warning("the registry does not know this reader; it opens a new session")
            self._in_session = False
            session.cancel()

    async def _publish(self) -> None:
        """Send the newest frame of every watched stream, a few times a second."""
        while True:
            await asyncio.sleep(self._publisher.interval_s)
            for name, frame in await asyncio.to_thread(self._publisher.render):
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(CALL_TIMEOUT_S):
                        await self._registry.publish(name, frame)

    # -- whoever hosts the reader

    def statuses(self) -> list[StreamStatus]:
        """Of all streams that it works on."""
        return [worker.status() for worker in self._workers.values()]

    def view(self) -> ReaderView:
        """How it is, as the registry would show it; without what its streams want, which the registry knows."""
        stages, batches, figures = collected(self._collector)
        capacity, free = self._capacity or usable_cores(), self._free_share()
        return ReaderView(self._node, capacity, 0.0, len(self._workers), self._leaving, free, stages, batches, figures)

    def epoch_of(self, stream: str) -> int | None:
        """Of a stream that it works on, or is about to hand back; None if it does neither."""
        return self._epochs.get(stream)

    async def reconfigure(self, user_config: Mapping[str, Any] | None) -> None:
        """Find people with another model or other thresholds from now on; see `serve.deployments.detection`."""
        if self._connect_detector is None:
            await self._detection.reconfigure(user_config)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What readers scale on: CPU cores that all streams want, and those that this one takes streams for."""
        if self._total_weight is None or not self._in_session:  # what was so before would be taken for the newest
            return {}
        return {WEIGHT: self._total_weight, CAPACITY: self._capacity or usable_cores()}

    async def check_health(self) -> None:
        """A reader one of whose loops has ended is replaced."""
        collecting = self._collector is None or self._collector.healthy
        if any(task.done() for task in self._tasks) or not self._checkpoints.alive or not collecting:
            raise RuntimeError("a loop of the reader has ended")

    async def stop(self) -> None:
        """Stop all streams, hand them back, and let go of everything. Idempotent."""
        if self._leaving:
            return
        self._leaving = True
        # Said first: a planner that does not know would give back what is being handed over, to who has least by then.
        await hand_over(self._registry, self._name, self._service_ends)
        self._closing = True
        self._rehearsals.end()
        for name in list(self._workers):
            self._let_go(name)
        if self._stopping:
            await asyncio.wait(list(self._stopping.values()), timeout=12.0)
        # The session ends last: its end would tell the registry to give away what is still being drained.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Before the store is closed: a checkpoint that is being written needs it.
        await asyncio.to_thread(self._checkpoints.stop, CALL_TIMEOUT_S)
        if self._collector is not None:
            await asyncio.to_thread(self._collector.stop)
        if self._factory is not None:
            await asyncio.to_thread(self._factory.close)
        await asyncio.to_thread(self._part)
        await asyncio.to_thread(self._keepers.stop)
        self._drains.shutdown(wait=False)
        self._store.close()

    def _part(self) -> None:
        """Give cameras that still hang a moment, all at once."""
        deadline = time.monotonic() + PARTING_S
        for worker in self._parting:
            worker.join(max(0.0, deadline - time.monotonic()))
        self._rehearsals.join(deadline)
