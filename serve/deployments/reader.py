"""A reader replica: holds many cameras, from their packets to their rows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from ray import serve as rayserve

from analytics.geometry import Geometry
from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from analytics.storage.spool import Spool
from pipelines.batching.collector import BatchCollector, BatchDetector, ThreadedDetector
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import resolve
from pipelines.sources.base import SourceLimits
from serve import logs
from serve.definitions import StreamDefinition, is_live, origin_of, source_factory
from serve.deployments.detector import RemoteDetector
from serve.settings import Settings
from serve.streams.live import LivePublisher
from serve.streams.worker import SessionPlan, StreamSession

logger = logging.getLogger(__name__)
BEAT_S = 1.0
RETRY_S = 0.3
CALL_TIMEOUT_S = 5.0
LAST_CALL_TIMEOUT_S = 1.0


class StreamReader:
    """Works on the streams that the registry gives it.

    It holds no ongoing request of Ray Serve, so that Serve can drain it at any moment; what it is to do comes over the
    session that it opened itself.

    Args:
        arguments: `Settings.to_arguments`.
        registry: handle of the registry.
        detector: handle of the detector deployment; None runs the detector in here.
    """

    def __init__(self, arguments: dict[str, Any], registry: Any, detector: Any = None) -> None:
        self._settings = Settings.of(arguments)
        logs.configure(self._settings.log_level, self._settings.log_format)
        self._name: str = rayserve.get_replica_context().replica_tag
        by_value = registry.options(_by_reference=False)
        self._session_call = registry.options(method_name="session", stream=True, _by_reference=False)
        self._beat_call, self._handback_call = by_value.beat, by_value.handback
        self._publish_call = by_value.publish
        self._detector_handle = detector
        self._store: Store = DatabaseStore(self._settings.store_url)
        self._collector: BatchCollector | None = None
        self._sessions: dict[str, StreamSession] = {}
        self._versions: dict[str, int] = {}
        self._details: dict[str, Mapping[str, Any]] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._total_weight = 0.0
        self._closing = False
        self._publisher = LivePublisher(self._settings.privacy.blurs)
        self._checkpoints_stop = threading.Event()
        self._checkpoints = threading.Thread(target=self._write_checkpoints, name="checkpoints", daemon=True)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(run()) for run in (self._hold_session, self._beat, self._publish)]
        self._checkpoints.start()

    # -- the registry's wishes

    async def _hold_session(self) -> None:
        """Open a session and follow it; open it again whenever it breaks."""
        self._collector = await self._collector_ready()
        while not self._closing:
            calls = None
            try:
                held = {name: session.plan.epoch for name, session in self._sessions.items()}
                calls = self._session_call.remote(self._name, self._settings.reader.capacity, held)
                async for message in calls:
                    await self._follow(message)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger.warning("the session with the registry broke: %s", type(error).__name__)
            finally:
                if calls is not None:
                    with contextlib.suppress(Exception):
                        calls.cancel()
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
        if self._detector_handle is None:
            path = resolve(settings.model)
            workers = settings.threads or os.cpu_count() or 1
            return ThreadedDetector(await asyncio.to_thread(OnnxDetector, path, threads=1, only="person"), workers)
        while True:
            try:
                size = await asyncio.wait_for(self._ask_size(), CALL_TIMEOUT_S)
                return RemoteDetector(self._detector_handle, (int(size[0]), int(size[1])))
            except Exception as error:
                logger.warning("no detector yet: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _ask_size(self) -> tuple[int, int]:
        size: tuple[int, int] = await self._detector_handle.input_size.remote()
        return size

    async def _follow(self, message: Mapping[str, Any]) -> None:
        """Make the sessions what the registry wishes; nothing here waits for a camera."""
        if self._closing:
            return
        self._total_weight = float(message["total_weight"])
        self._details |= message["details"]
        wanted: Mapping[str, tuple[int, int]] = message["streams"]
        for name in [n for n, s in self._sessions.items() if n not in wanted or s.plan.epoch != wanted[n][0]]:
            self._let_go(name)
        for name, (epoch, version) in wanted.items():
            if name in self._stopping:
                continue
            session = self._sessions.get(name)
            if session is None:
                await self._take_up(name, epoch)
            elif self._versions.get(name) != version:
                session.use_geometry(Geometry.parse(self._details[name]["geometry"]))
            self._versions[name] = version
        self._details = {name: details for name, details in self._details.items() if name in wanted}
        self._publisher.watch(message["watched"])
        for name, session in self._sessions.items():
            session.keep_pictures(name in self._publisher.watched)

    async def _take_up(self, name: str, epoch: int) -> None:
        assert self._collector is not None
        details = self._details[name]
        definition = StreamDefinition.model_validate(details["definition"])
        reader = self._settings.reader
        limits = SourceLimits(reader.open_timeout_s, reader.read_timeout_s, reader.stall_timeout_s)
        plan = SessionPlan(
            stream=name,
            epoch=epoch,
            make_source=source_factory(name, definition.source, limits),
            live=is_live(definition.source),
            geometry=Geometry.parse(details["geometry"]),
            analysis_fps=definition.analysis_fps,
            origin=origin_of(definition.source),
        )
        spool = Spool(self._settings.spool_dir, name, max_bytes=reader.spool_bytes)
        session = StreamSession(plan, self._collector, self._store, spool, on_frame=self._publisher.sink(name))
        self._sessions[name] = session
        session.start()
        logger.info("takes up epoch %d", epoch, extra={"stream": name})

    def _let_go(self, name: str) -> None:
        """Drain a stream beside everything else and hand it back."""
        session = self._sessions.pop(name)
        self._versions.pop(name, None)
        if name not in self._stopping:
            self._stopping[name] = asyncio.get_running_loop().create_task(self._drain(name, session))

    async def _drain(self, name: str, session: StreamSession) -> None:
        try:
            await asyncio.to_thread(session.stop)
            logger.info("hands back epoch %d", session.plan.epoch, extra={"stream": name})
            # At the end of the whole service the registry may have gone first.
            wait_s = LAST_CALL_TIMEOUT_S if self._closing else CALL_TIMEOUT_S
            await asyncio.wait_for(self._hand_back({name: session.plan.epoch}), wait_s)
        except Exception as error:
            level = logging.DEBUG if self._closing else logging.WARNING
            logger.log(level, "a hand-over was not heard: %s", type(error).__name__, extra={"stream": name})
        finally:
            self._stopping.pop(name, None)

    async def _hand_back(self, streams: dict[str, int]) -> None:
        await self._handback_call.remote(self._name, streams)

    # -- beats, live frames, checkpoints

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            statuses = {name: (s.plan.epoch, s.status()) for name, s in self._sessions.items()}
            try:
                lost = await asyncio.wait_for(self._send_beat(statuses), CALL_TIMEOUT_S)
            except Exception as error:
                logger.debug("a beat was not heard: %s", type(error).__name__)
                continue
            fenced = [name for name, session in self._sessions.items() if session.fenced]
            for name in {*lost, *fenced} & self._sessions.keys():
                if statuses.get(name, (None,))[0] == self._sessions[name].plan.epoch:
                    self._let_go(name)

    async def _send_beat(self, statuses: Mapping[str, tuple[int, Mapping[str, Any]]]) -> list[str]:
        lost: list[str] = await self._beat_call.remote(self._name, statuses)
        return lost

    async def _publish(self) -> None:
        """Send the newest frame of every watched stream, a few times a second."""
        while True:
            await asyncio.sleep(self._publisher.interval_s)
            for name, payload in await asyncio.to_thread(self._publisher.render):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._send_frame(name, payload), CALL_TIMEOUT_S)

    async def _send_frame(self, name: str, payload: Mapping[str, Any]) -> None:
        await self._publish_call.remote(name, payload)

    def _write_checkpoints(self) -> None:
        interval_s = self._settings.reader.checkpoint_s
        due_s = time.monotonic()
        while not self._checkpoints_stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = time.monotonic() + interval_s
            away = False
            for session in list(self._sessions.values()):
                try:
                    away = not session.checkpoint(database_away=away)
                except Exception:
                    logger.exception("a checkpoint failed", extra={"stream": session.plan.stream})

    # -- Serve

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The weight of all registered streams: what readers scale on."""
        return {"registered_weight": self._total_weight}

    async def check_health(self) -> None:
        """A reader one of whose loops has ended is replaced."""
        collecting = self._collector is None or self._collector.alive
        if any(task.done() for task in self._tasks) or not self._checkpoints.is_alive() or not collecting:
            raise RuntimeError("a loop of the reader has ended")

    async def __del__(self) -> None:
        """Serve's only shutdown hook, after the drain: stop all streams, hand them back."""
        self._closing = True
        for name in list(self._sessions):
            self._let_go(name)
        if self._stopping:
            await asyncio.wait(list(self._stopping.values()), timeout=15.0)
        # The session ends last: its end would tell the registry to give away what is still being drained.
        for task in self._tasks:
            task.cancel()
        self._checkpoints_stop.set()
        if self._collector is not None:
            await asyncio.to_thread(self._collector.stop)
        self._store.close()
