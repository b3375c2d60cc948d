"""Which streams there are, which reader has which, and how they are: one replica, with nothing that the store has not.

Readers hold a session with the registry (a streaming call: its end tells of their death at once) and beat every second
(silence tells that they froze). Every assignment carries an epoch; the store refuses rows of an older one, so a reader
that was given up by mistake does no harm. When the registry itself dies, no stream moves: readers work on, come back
with what they hold, and reclaim it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError

from analytics.errors import StoreError, StoreUnavailable, UnknownStream
from analytics.geometry import Geometry
from analytics.storage.base import Store, StreamRecord
from analytics.storage.database import DatabaseStore
from serve import logs
from serve.control.assignments import TICK_S, Assignments
from serve.control.entry import StreamEntry, keep_start
from serve.control.live_hub import LiveHub
from serve.definitions import StreamDefinition
from serve.errors import DefinitionRefused, GeometryConflict
from serve.settings import Settings

logger = logging.getLogger(__name__)
LOAD_WAIT_S = 5.0
RELEASE_WAIT_S = 3.0


class Registry:
    """See the module. All methods run on one event loop; the store is asked in threads.

    Args:
        arguments: `Settings.to_arguments`.
        store: for tests; made from the settings if absent.
        clock: monotonic seconds.
    """

    def __init__(
        self, arguments: dict[str, Any], store: Store | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = Settings.of(arguments)
        logs.configure(self._settings.log_level, self._settings.log_format)
        self._store = store
        self._clock = clock
        self._entries: dict[str, StreamEntry] = {}
        self._live = LiveHub(lambda: self._assignments.wake_all())
        self._assignments = Assignments(
            self._entries,
            self._open,
            lambda: self._live.watched,
            self._settings.reader.beat_timeout_s,
            clock,
        )
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._loaded = False
        self._store_error: str | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    # -- life

    async def _run(self) -> None:
        while True:
            try:
                if not self._loaded:
                    await self._load()
                await self._assignments.tick()
                self._store_error = None
            except StoreError as error:
                if self._store_error is None:
                    logger.error("%s", error)
                self._store_error = str(error)
            except Exception:
                logger.exception("the registry's round failed")
            await asyncio.sleep(TICK_S)

    async def _load(self) -> None:
        store = self._open()
        if isinstance(store, DatabaseStore):
            await asyncio.to_thread(store.migrate)
        for record in await asyncio.to_thread(store.list_streams):
            try:
                self._entries[record.id] = StreamEntry.of(record)
            except ValidationError as error:  # of another version; it must not keep all others from running
                reasons = "; ".join(str(problem["msg"]) for problem in error.errors())
                logger.error("left out until it is registered again: %s", reasons, extra={"stream": record.id})
        self._assignments.begin()
        self._loaded = True
        logger.info("%d streams are registered", len(self._entries))

    def _open(self) -> Store:
        if self._store is None:
            self._store = DatabaseStore(self._settings.store_url)
        return self._store

    async def _ready(self) -> Store:
        """The store, once the streams are loaded.

        Raises:
            StoreUnavailable: they could not be loaded so far.
        """
        deadline = self._clock() + LOAD_WAIT_S
        while not self._loaded:
            if self._clock() > deadline:
                raise StoreUnavailable(self._store_error or "the database has not answered yet")
            await asyncio.sleep(0.05)
        return self._open()

    async def check_health(self) -> None:
        """Called by Serve; a registry whose loop has ended is replaced."""
        if self._task.done():
            raise RuntimeError("the registry's loop has ended")

    # -- what readers call

    async def session(self, reader: str, capacity: float, held: Mapping[str, int]) -> AsyncIterator[dict[str, Any]]:
        """A reader's wishes, for as long as it lives.

        Args:
            reader: its name, unique for ever.
            capacity: weight that it takes.
            held: streams that it is working on, with their epochs; reclaimed if nobody else has them.

        Yields:
            ``streams``: id to (epoch, geometry version) of all it is to work on; ``details`` of those that are new or
            changed; ``watched``: streams somebody looks at.
        """
        await self._ready()
        async for message in self._assignments.session(reader, capacity, held):
            yield message

    async def beat(self, reader: str, statuses: Mapping[str, tuple[int, Mapping[str, Any]]]) -> list[str]:
        """A sign of life, with the state of every stream; returns streams that the reader does not have any more."""
        return self._assignments.beat(reader, statuses)

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        """These streams are drained and their last checkpoint is written."""
        await self._ready()
        await self._assignments.handback(reader, streams)

    async def publish(self, stream: str, payload: Mapping[str, Any]) -> bool:
        """A live frame of a watched stream; False if nobody watches any more."""
        return self._live.publish(stream, payload)

    # -- what the API calls

    async def watch(self, stream: str) -> AsyncIterator[Mapping[str, Any]]:
        """Live frames of a stream, newest first served, as they come."""
        await self._ready()
        self._entry(stream)
        async for payload in self._live.watch(stream):
            yield payload

    async def list_streams(self) -> list[dict[str, Any]]:
        """All streams, desired and observed, without credentials."""
        await self._ready()
        return [self._view(self._entries[name]) for name in sorted(self._entries)]

    async def get_stream(self, stream: str) -> dict[str, Any]:
        """One of them."""
        await self._ready()
        return self._view(self._entry(stream))

    def _entry(self, stream: str) -> StreamEntry:
        entry = self._entries.get(stream)
        if entry is None:
            raise UnknownStream(f"there is no stream {stream!r}")
        return entry

    def _editing(self, stream: str) -> asyncio.Lock:
        """One change of a stream at a time: between question, database and memory nobody else may come."""
        return self._locks.setdefault(stream, asyncio.Lock())

    async def put_stream(
        self, stream: str, document: dict[str, Any], geometry: dict[str, Any] | None
    ) -> tuple[dict[str, Any], bool]:
        """Register or change a stream; one that is the same runs on undisturbed.

        Args:
            stream: id.
            document: a `StreamDefinition` as JSON.
            geometry: None keeps what is drawn.

        Returns:
            The stream as `get_stream` has it, and whether it is new.
        """
        store = await self._ready()
        async with self._editing(stream):
            definition = self._accepted(StreamDefinition.model_validate(document))
            drawn = Geometry.parse(geometry).to_json() if geometry is not None else None
            known = self._entries.get(stream)
            if known is None:
                _refuse_hidden(definition)
                record = StreamRecord(
                    stream, definition.with_start().model_dump(mode="json"), drawn or Geometry().to_json()
                )
                async with self._assignments.changing:
                    await asyncio.to_thread(store.put_stream, record)
                    stored = await asyncio.to_thread(store.get_stream, stream)
                    assert stored is not None
                    self._entries[stream] = StreamEntry.of(stored)
                await self._assignments.plan_soon()
                return self._view(self._entries[stream]), True
            await self._change(store, known, definition.with_secrets_of(known.definition), drawn)
            return self._view(known), False

    async def patch_stream(
        self, stream: str, changes: dict[str, Any], geometry: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Change parts of a stream; a changed source replaces the whole source."""
        store = await self._ready()
        async with self._editing(stream):
            entry = self._entry(stream)
            changed = entry.definition.model_dump(mode="json") | changes
            definition = self._accepted(StreamDefinition.model_validate(changed))
            drawn = Geometry.parse(geometry).to_json() if geometry is not None else None
            await self._change(store, entry, definition.with_secrets_of(entry.definition), drawn)
            return self._view(entry)

    def _accepted(self, definition: StreamDefinition) -> StreamDefinition:
        """Raises DefinitionRefused for what is well formed, but not to be had."""
        if definition.model not in (None, self._settings.detector.model):
            raise DefinitionRefused(f"this service runs the model {self._settings.detector.model!r} and no other")
        return definition

    async def _change(
        self, store: Store, entry: StreamEntry, definition: StreamDefinition, geometry: dict[str, Any] | None
    ) -> None:
        """Store a change and make it so; a stream whose work changes is drained and assigned anew."""
        old = entry.definition
        _refuse_hidden(definition)
        definition = keep_start(definition, old).with_start()
        restart = entry.work_differs(definition)
        record = replace(entry.record, definition=definition.model_dump(mode="json"))
        if geometry is not None and geometry != entry.record.geometry:
            record = replace(record, geometry=geometry, geometry_version=record.geometry_version + 1)
        if definition == old and record.geometry_version == entry.record.geometry_version:
            return
        await asyncio.to_thread(store.put_stream, record)
        entry.definition = definition
        entry.record = replace(record, epoch=entry.record.epoch, owner=entry.record.owner)
        if restart:
            await self._assignments.release(entry, RELEASE_WAIT_S)
        self._assignments.wake_all()
        await self._assignments.plan_soon()

    async def delete_stream(self, stream: str, purge: bool) -> None:
        """Drain and forget a stream; its minutes stay unless they are purged."""
        store = await self._ready()
        async with self._editing(stream):
            entry = self._entry(stream)
            wanted, entry.definition = entry.definition, entry.definition.model_copy(update={"enabled": False})
            await self._assignments.release(entry, RELEASE_WAIT_S)
            async with self._assignments.changing:
                try:
                    await asyncio.to_thread(store.delete_stream, stream, purge=purge)
                except StoreError:
                    entry.definition = wanted  # it is registered still, so it runs on
                    raise
                self._entries.pop(stream, None)
            self._live.drop(stream)
            self._assignments.wake_all()

    async def put_geometry(self, stream: str, geometry: dict[str, Any], version: int | None) -> dict[str, Any]:
        """Draw lines and zones; the stream runs on.

        Raises:
            GeometryConflict: ``version`` is not the one that is drawn now.
        """
        store = await self._ready()
        async with self._editing(stream):
            entry = self._entry(stream)
            if version is not None and version != entry.record.geometry_version:
                raise GeometryConflict(
                    f"the geometry has version {entry.record.geometry_version} by now, the change was made to {version}"
                )
            await self._change(store, entry, entry.definition, Geometry.parse(geometry).to_json())
            return self._view(entry)

    async def overview(self) -> dict[str, Any]:
        """Readers, store and counts, for health and metrics."""
        return {
            "loaded": self._loaded,
            "store_error": self._store_error,
            "readers": self._assignments.readers,
            "streams": len(self._entries),
        }

    def _view(self, entry: StreamEntry) -> dict[str, Any]:
        return entry.view(self._clock(), 2 * TICK_S, len(self._assignments.readers))


def _refuse_hidden(definition: StreamDefinition) -> None:
    try:
        definition.refuse_hidden()
    except ValueError as error:
        raise DefinitionRefused(str(error)) from None
