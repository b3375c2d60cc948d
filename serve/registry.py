"""Which streams there are, which reader has which, and how they are: one replica, with nothing that the store has not.

Readers hold a session with the registry (a streaming call: its end tells of their death at once) and beat every second
(silence tells that they froze). Every assignment carries an epoch; the store refuses rows of an older one, so a reader
that was given up by mistake does no harm. When the registry itself dies, no stream moves: readers work on, come back
with what they hold, and reclaim it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.geometry import Geometry
from analytics.storage.base import Store, StreamRecord
from analytics.storage.database import DatabaseStore
from pipelines.errors import FootfallError, StoreError, StoreUnavailable, UnknownStream
from serve import logs
from serve.definitions import StreamDefinition
from serve.live import LiveBoard
from serve.planner import Claim, Plan, plan
from serve.settings import Settings

logger = logging.getLogger(__name__)
SETTLING_S = 4.0
RELEASE_TIMEOUT_S = 20.0
TICK_S = 1.0


class GeometryConflict(FootfallError):
    """Somebody else changed the geometry in between."""

    code = "geometry-conflict"


@dataclass(slots=True)
class _Entry:
    """A stream: what is wanted, who has it, and what was last heard."""

    record: StreamRecord
    definition: StreamDefinition
    status: Mapping[str, Any] = field(default_factory=dict)
    heard_s: float = 0.0
    release_asked_s: float | None = None
    waiting: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Reader:
    """A reader with an open session."""

    capacity: float
    beat_s: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)


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
        self._begun_s = clock()
        self._entries: dict[str, _Entry] = {}
        self._readers: dict[str, _Reader] = {}
        self._live = LiveBoard(self._wake_all)
        self._changing = asyncio.Lock()
        self._loaded = False
        self._store_error: str | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    # -- life

    async def _run(self) -> None:
        while True:
            try:
                await self._tick()
            except StoreError as error:
                if self._store_error is None:
                    logger.error("%s", error)
                self._store_error = str(error)
            except Exception:
                logger.exception("the registry's round failed")
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        if not self._loaded:
            await self._load()
        now = self._clock()
        for name, reader in list(self._readers.items()):
            if now - reader.beat_s > self._settings.reader.beat_timeout_s:
                logger.warning("reader %s is silent; its streams move", name)
                self._readers.pop(name)
                reader.wake.set()
        await self._plan()
        self._store_error = None

    async def _load(self) -> None:
        store = self._open()
        migrate = getattr(store, "migrate", None)
        if migrate is not None:
            await asyncio.to_thread(migrate)
        for record in await asyncio.to_thread(store.list_streams):
            definition = StreamDefinition.model_validate(record.definition)
            self._entries[record.id] = _Entry(record, definition)
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
        deadline = self._clock() + 5.0
        while not self._loaded:
            if self._clock() > deadline:
                raise StoreUnavailable(self._store_error or "the database has not answered yet")
            await asyncio.sleep(0.05)
        return self._open()

    async def check_health(self) -> None:
        """Called by Serve; a registry whose loop has ended is replaced."""
        if self._task.done():
            raise RuntimeError("the registry's loop has ended")

    # -- planning

    async def _plan(self) -> None:
        """Carry out what the planner says; one plan at a time."""
        async with self._changing:
            if not self._loaded:
                return
            made = plan(
                self._claims(), {name: r.capacity for name, r in self._readers.items()}, settling=self._settling
            )
            await self._carry_out(made)
            self._give_up_releases()

    @property
    def _settling(self) -> bool:
        return self._clock() - self._begun_s < SETTLING_S

    def _claims(self) -> dict[str, Claim]:
        return {
            name: Claim(1.0, e.record.owner, e.definition.enabled, e.release_asked_s is not None)
            for name, e in self._entries.items()
        }

    async def _carry_out(self, made: Plan) -> None:
        now, store = self._clock(), self._open()
        touched: set[str] = set()
        for stream in made.orphaned:
            if stream not in made.assign:
                await self._assign(store, stream, None)
        for stream, owner in made.assign.items():
            await self._assign(store, stream, owner)
            touched.add(owner)
        for stream in made.release:
            entry = self._entries[stream]
            entry.release_asked_s = now
            touched.add(entry.record.owner or "")
        for stream, entry in self._entries.items():
            entry.waiting = stream in made.waiting
        for name in touched & self._readers.keys():
            self._readers[name].wake.set()

    async def _assign(self, store: Store, stream: str, owner: str | None) -> None:
        epoch = await asyncio.to_thread(store.assign, stream, owner)
        entry = self._entries.get(stream)
        if entry is None:
            return
        entry.record = replace(entry.record, owner=owner, epoch=epoch)
        entry.release_asked_s = None
        entry.status = {}
        if owner is None:
            entry.free.set()
        else:
            entry.free.clear()

    def _give_up_releases(self) -> None:
        """A reader that does not let go in time is treated as if it had: the epoch keeps it out."""
        now = self._clock()
        for entry in self._entries.values():
            if entry.release_asked_s is not None and now - entry.release_asked_s > RELEASE_TIMEOUT_S:
                logger.warning("reader %s does not let go", entry.record.owner, extra={"stream": entry.record.id})
                entry.record = replace(entry.record, owner=None)
                entry.release_asked_s = None

    def _wake_all(self) -> None:
        for reader in self._readers.values():
            reader.wake.set()

    async def _release(self, entry: _Entry, timeout_s: float) -> None:
        """Ask the owner to drain a stream and wait until it has, or the time is up."""
        owner = entry.record.owner
        if owner is None or owner not in self._readers:
            return
        entry.free.clear()
        entry.release_asked_s = self._clock()
        self._readers[owner].wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(entry.free.wait(), timeout_s)

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
        link = self._readers[reader] = _Reader(capacity, self._clock())
        logger.info("reader %s opens a session, holding %d streams", reader, len(held))
        async with self._changing:
            for stream, epoch in held.items():
                entry = self._entries.get(stream)
                if entry is not None and entry.record.owner is None and entry.record.epoch == epoch:
                    entry.record = replace(entry.record, owner=reader)
        await self._plan_quietly()
        told: dict[str, tuple[int, int]] = {}
        try:
            while self._readers.get(reader) is link:
                message = self._wishes(reader, told)
                told = dict(message["streams"])
                yield message
                link.wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(link.wake.wait(), TICK_S)
        finally:
            if self._readers.get(reader) is link:
                del self._readers[reader]
                logger.info("reader %s has gone", reader)
                asyncio.get_running_loop().create_task(self._plan_quietly())

    async def _plan_quietly(self) -> None:
        try:
            await self._plan()
        except StoreError as error:
            self._store_error = str(error)  # the next tick tries again

    def _wishes(self, reader: str, told: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
        mine = {
            name: entry
            for name, entry in self._entries.items()
            if entry.record.owner == reader and entry.release_asked_s is None
        }
        streams = {name: (e.record.epoch, e.record.geometry_version) for name, e in mine.items()}
        details = {
            name: {"definition": mine[name].definition.model_dump(mode="json"), "geometry": mine[name].record.geometry}
            for name, version in streams.items()
            if told.get(name) != version
        }
        return {
            "streams": streams,
            "details": details,
            "watched": [name for name in self._live.watched if name in mine],
            "total_weight": float(sum(e.definition.enabled for e in self._entries.values())),
        }

    async def beat(self, reader: str, statuses: Mapping[str, tuple[int, Mapping[str, Any]]]) -> list[str]:
        """A sign of life, with the state of every stream; returns streams that the reader does not have any more."""
        link = self._readers.get(reader)
        if link is None:
            return []
        link.beat_s = self._clock()
        lost = []
        for stream, (epoch, status) in statuses.items():
            entry = self._entries.get(stream)
            if entry is None or entry.record.owner != reader or entry.record.epoch != epoch:
                lost.append(stream)
            else:
                entry.status, entry.heard_s = status, self._clock()
        return lost

    async def handback(self, reader: str, streams: Mapping[str, int]) -> None:
        """These streams are drained and their last checkpoint is written."""
        store = await self._ready()
        async with self._changing:
            for stream, epoch in streams.items():
                entry = self._entries.get(stream)
                if entry is not None and entry.record.owner == reader and entry.record.epoch == epoch:
                    await self._assign(store, stream, None)
        await self._plan_quietly()

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

    def _entry(self, stream: str) -> _Entry:
        entry = self._entries.get(stream)
        if entry is None:
            raise UnknownStream(f"there is no stream {stream!r}")
        return entry

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
        definition = StreamDefinition.model_validate(document)
        drawn = Geometry.parse(geometry).to_json() if geometry is not None else None
        known = self._entries.get(stream)
        if known is None:
            record = StreamRecord(
                stream, definition.with_start().model_dump(mode="json"), drawn or Geometry().to_json()
            )
            async with self._changing:
                await asyncio.to_thread(store.put_stream, record)
                stored = await asyncio.to_thread(store.get_stream, stream)
                assert stored is not None
                self._entries[stream] = _Entry(stored, StreamDefinition.model_validate(stored.definition))
            await self._plan_quietly()
            return self._view(self._entries[stream]), True
        await self._change(store, known, definition.with_secrets_of(known.definition), drawn)
        return self._view(known), False

    async def patch_stream(
        self, stream: str, changes: dict[str, Any], geometry: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Change parts of a stream; a changed source replaces the whole source."""
        store = await self._ready()
        entry = self._entry(stream)
        definition = StreamDefinition.model_validate(entry.definition.model_dump(mode="json") | changes)
        drawn = Geometry.parse(geometry).to_json() if geometry is not None else None
        await self._change(store, entry, definition.with_secrets_of(entry.definition), drawn)
        return self._view(entry)

    async def _change(
        self, store: Store, entry: _Entry, definition: StreamDefinition, geometry: dict[str, Any] | None
    ) -> None:
        """Store a change and make it so; a stream whose work changes is drained and assigned anew."""
        old = entry.definition
        definition = _keep_start(definition, old).with_start()
        restart = (definition.source, definition.analysis_fps, definition.enabled) != (
            old.source,
            old.analysis_fps,
            old.enabled,
        )
        record = replace(entry.record, definition=definition.model_dump(mode="json"))
        if geometry is not None and geometry != entry.record.geometry:
            record = replace(record, geometry=geometry, geometry_version=record.geometry_version + 1)
        if definition == old and record.geometry_version == entry.record.geometry_version:
            return
        await asyncio.to_thread(store.put_stream, record)
        entry.definition = definition
        entry.record = replace(record, epoch=entry.record.epoch, owner=entry.record.owner)
        if restart:
            await self._release(entry, timeout_s=3.0)
        self._wake_all()
        await self._plan_quietly()

    async def delete_stream(self, stream: str, purge: bool) -> None:
        """Drain and forget a stream; its minutes stay unless they are purged."""
        store = await self._ready()
        entry = self._entry(stream)
        entry.definition = entry.definition.model_copy(update={"enabled": False})
        await self._release(entry, timeout_s=3.0)
        async with self._changing:
            await asyncio.to_thread(store.delete_stream, stream, purge=purge)
            self._entries.pop(stream, None)
        self._live.drop(stream)
        self._wake_all()

    async def put_geometry(self, stream: str, geometry: dict[str, Any], version: int | None) -> dict[str, Any]:
        """Draw lines and zones; the stream runs on.

        Raises:
            GeometryConflict: ``version`` is not the one that is drawn now.
        """
        store = await self._ready()
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
            "readers": {name: link.capacity for name, link in self._readers.items()},
            "streams": len(self._entries),
        }

    def _view(self, entry: _Entry) -> dict[str, Any]:
        record, status = entry.record, dict(entry.status)
        if status.get("frame_age_s") is not None:  # a reader that has fallen silent makes its frames older
            silence_s = max(0.0, self._clock() - entry.heard_s - 2 * TICK_S)
            status["frame_age_s"] = round(status["frame_age_s"] + silence_s, 3)
        view = {
            "id": record.id,
            **entry.definition.redacted(),
            "geometry": dict(record.geometry) | {"version": record.geometry_version},
            "state": "starting",
            "since_s": record.updated_s,
            "error": None,
            "error_code": None,
            "fps_in": 0.0,
            "fps_processed": 0.0,
            "frame_age_s": None,
            "skipped": 0,
            **status,
            "reader": record.owner,
            "epoch": record.epoch,
        }
        if not entry.definition.enabled:
            view |= {"state": "stopped", "error": None, "error_code": None}
        elif not status and entry.waiting:
            reason = "every reader is full" if self._readers else "no reader is running yet"
            view |= {"error": reason, "error_code": "no-reader"}
        return view


def _keep_start(new: StreamDefinition, old: StreamDefinition) -> StreamDefinition:
    """A recording that is put again without a start keeps the one it was given."""
    source, before = new.source, old.source
    if source.type == "file" and before.type == "file" and source.start_s is None and source.path == before.path:
        return new.model_copy(update={"source": source.model_copy(update={"start_s": before.start_s})})
    return new
