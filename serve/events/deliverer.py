"""Delivers to every sink that nobody else delivers to; several of these share the work, and take over in turn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from analytics.errors import LeaseLost, StoreError
from analytics.storage.outbox import EventFilter
from analytics.storage.sinks import Lease, SinkRecord, SinkStore, Standing
from serve.events.delivery import Delivery
from serve.events.sinks.base import Sink
from serve.events.tail import EventTail

logger = logging.getLogger(__name__)
LOOK_S = 0.5
SILENT_S = 4.0
"""A deliverer whose number stands still for so long is gone; its clock is not asked."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A sink as its definition says.

    Attributes:
        sink: where events go.
        wanted: which of them.
        again_s: when it is to be opened anew, as it may be another by then; None: once its definition changes.
    """

    sink: Sink
    wanted: EventFilter
    again_s: float | None = None


@dataclass(slots=True)
class _Running:
    record: SinkRecord
    lease: Lease
    task: asyncio.Task[None]
    until_s: float


class Deliverer:
    """One of them; one event loop's.

    Args:
        name: unique for ever.
        store: of sinks, asked in threads.
        tail: where events come from.
        open_sink: makes a sink of its record and the number that it is at; None for one that is switched off.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        store: SinkStore,
        tail: EventTail,
        open_sink: Callable[[SinkRecord, int], Opened | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._store = store
        self._tail = tail
        self._open_sink = open_sink
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._seen: dict[str, tuple[int, int, float]] = {}

    @property
    def delivers_to(self) -> list[str]:
        """Sinks that are this one's business just now."""
        return sorted(self._running)

    async def run(self) -> None:
        """Until it is cancelled; then the sinks are free at once."""
        try:
            while True:
                try:
                    await self._look()
                except StoreError as error:
                    self._seen.clear()  # whoever was silent meanwhile may not have been heard
                    logger.debug("sinks cannot be looked at: %s", error)
                except Exception:
                    logger.exception("sinks cannot be looked at")
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.gather(*(self._end(name) for name in list(self._running)))

    async def _look(self) -> None:
        records = {record.id: record for record in await asyncio.to_thread(self._store.sinks)}
        standings = await asyncio.to_thread(self._store.standings)
        for name, running in list(self._running.items()):
            if running.task.done() or records.get(name) != running.record or self._clock() >= running.until_s:
                await self._end(name)
        self._seen = {name: seen for name, seen in self._seen.items() if name in standings}
        for name, record in records.items():
            standing = standings.get(name)
            if name not in self._running and standing is not None and self._is_free(standing):
                try:
                    await self._take(record, standing)
                except StoreError:
                    raise
                except Exception:
                    logger.exception("sink %s cannot be opened", name)

    def _is_free(self, standing: Standing) -> bool:
        """Whether nobody delivers, or whoever did has fallen silent."""
        if standing.owner is None:
            return True
        now_s = self._clock()
        term, renewals, since_s = self._seen.get(standing.sink, (0, -1, now_s))
        if (term, renewals) != (standing.term, standing.renewals):
            self._seen[standing.sink] = standing.term, standing.renewals, now_s
            return False
        return now_s - since_s >= SILENT_S

    async def _take(self, record: SinkRecord, standing: Standing) -> None:
        # Not further than there are events, which it is where the database was set back.
        standing = replace(standing, position=min(standing.position, await self._tail.newest()))
        opened = self._open_sink(record, standing.position)
        if opened is None:
            return
        asked_s = self._clock()
        try:
            lease = await asyncio.to_thread(self._store.take, record.id, self._name, standing)
        except BaseException:
            await opened.sink.close()
            raise
        if lease is None:
            await opened.sink.close()
            return
        at, error = standing.position, standing.error
        logger.info("delivers to sink %s from event %d on", record.id, at)
        sink, wanted = opened.sink, opened.wanted
        made = Delivery(record.id, sink, wanted, self._tail, self._store, lease, at, error, held_s=asked_s)
        task = asyncio.get_running_loop().create_task(made.run())
        until_s = math.inf if opened.again_s is None else self._clock() + opened.again_s
        self._running[record.id] = _Running(record, lease, task, until_s)

    async def _end(self, name: str) -> None:
        running = self._running.pop(name)
        running.task.cancel()
        (result,) = await asyncio.gather(running.task, return_exceptions=True)
        if isinstance(result, Exception) and not isinstance(result, LeaseLost):
            logger.error("deliveries to sink %s ended", name, exc_info=result)
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(self._store.let_go, name, running.lease)
