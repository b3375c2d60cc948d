"""Streams that are registered, changed and deleted, each by one caller at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from analytics.alerts.book import SERVICE
from analytics.errors import StoreError, UnknownStream
from analytics.geometry import Geometry
from analytics.storage.base import Store, StreamRecord
from serve.control.acceptance import Acceptance
from serve.control.assignments import Assignments
from serve.control.changes import Changing, to_its_end
from serve.control.entry import StreamEntry
from serve.control.preconditions import ANY, Precondition
from serve.control.sealing import Sealing
from serve.definitions.stream import StreamDefinition
from serve.errors import DefinitionRefused, GeometryConflict

RELEASE_WAIT_S = 3.0


class Edits(Changing):
    """Keeps database, memory and readers together through every change. All methods run on the registry's loop.

    Args:
        entries: all streams, shared with the registry.
        assignments: which readers have to hear of what has changed.
        sealing: of passwords.
        acceptance: of definitions.
        ready: waits for the store.
        entry_of: parses what is stored.
    """

    def __init__(
        self,
        entries: dict[str, StreamEntry],
        assignments: Assignments,
        sealing: Sealing,
        acceptance: Acceptance,
        ready: Callable[[], Awaitable[Store]],
        entry_of: Callable[[StreamRecord], StreamEntry],
    ) -> None:
        super().__init__()
        self._entries = entries
        self._assignments = assignments
        self._sealing = sealing
        self._acceptance = acceptance
        self._ready = ready
        self._entry_of = entry_of
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def entry(self, stream: str) -> StreamEntry:
        """Raises UnknownStream if there is none."""
        entry = self._entries.get(stream)
        if entry is None:
            raise UnknownStream(f"there is no stream {stream!r}")
        return entry

    def _editing(self, stream: str) -> asyncio.Lock:
        """One change of a stream at a time: between question, database and memory nobody else may come."""
        return self._locks.setdefault(stream, asyncio.Lock())

    @to_its_end
    async def put(
        self, stream: str, wanted: StreamDefinition, geometry: Geometry | None, expected: Precondition = ANY
    ) -> tuple[StreamEntry, bool]:
        """Register or change a stream; one that is the same runs on undisturbed, or begins anew if it had failed.

        Args:
            stream: id.
            wanted: its definition.
            geometry: None keeps what is drawn.
            expected: what the caller believes to be there.

        Returns:
            The stream, and whether it is new.

        Raises:
            DefinitionRefused: the definition asks for what is not to be had.
            PreconditionFailed: something else is there.
        """
        store = await self._ready()
        async with self._editing(stream):
            entry = self._entries.get(stream)
            expected.check(entry.etag if entry is not None else None)
            definition = self._acceptance.of(wanted, entry.definition if entry is not None else None)
            if entry is not None:
                if not await self._change(store, entry, definition, geometry) and entry.failed:
                    await self._assignments.release(entry, RELEASE_WAIT_S)  # whoever asks again wants another try
                    await self._assignments.plan_soon()
            elif stream == SERVICE:
                raise DefinitionRefused(f"alerts about the service itself are filed under {SERVICE!r}: take another id")
            else:
                entry = await self._register(store, stream, definition, geometry or Geometry())
                await self._assignments.plan_soon()
                return entry, True
            return entry, False

    @to_its_end
    async def patch(
        self, stream: str, changes: Mapping[str, Any], geometry: Geometry | None, expected: Precondition = ANY
    ) -> StreamEntry:
        """Change parts of a stream; a changed source replaces the whole source.

        Raises:
            ValidationError: the parts make no whole.
            DefinitionRefused, PreconditionFailed: see `put`.
        """
        store = await self._ready()
        async with self._editing(stream):
            entry = self.entry(stream)
            expected.check(entry.etag)
            wanted = StreamDefinition.model_validate({**entry.definition.model_dump(mode="json"), **changes})
            await self._change(store, entry, self._acceptance.of(wanted, entry.definition), geometry)
            return entry

    @to_its_end
    async def delete(self, stream: str, purge: bool, expected: Precondition = ANY) -> None:
        """Drain and forget a stream; its minutes stay unless they are purged.

        Raises:
            PreconditionFailed: it is not what the caller believes.
        """
        store = await self._ready()
        async with self._editing(stream):
            entry = self.entry(stream)
            expected.check(entry.etag)
            wanted, entry.definition = entry.definition, entry.definition.model_copy(update={"enabled": False})
            await self._assignments.release(entry, RELEASE_WAIT_S)
            async with self._assignments.changing:
                try:
                    await asyncio.to_thread(store.delete_stream, stream, purge=purge)
                except StoreError:
                    entry.definition = wanted  # it is registered still, so it runs on
                    self._assignments.changed(stream, entry.record.owner)
                    raise
                self._entries.pop(stream, None)
            self._assignments.changed(stream, entry.record.owner)

    @to_its_end
    async def draw(
        self, stream: str, geometry: Geometry, version: int | None, expected: Precondition = ANY
    ) -> StreamEntry:
        """Draw lines and zones; the stream runs on.

        Raises:
            GeometryConflict: ``version`` is not the one that is drawn now.
            PreconditionFailed: the geometry is not what the caller believes.
        """
        store = await self._ready()
        async with self._editing(stream):
            entry = self.entry(stream)
            expected.check(entry.geometry_etag)
            if version is not None and version != entry.record.geometry_version:
                raise GeometryConflict(
                    f"the geometry has version {entry.record.geometry_version} by now, the change was made to {version}"
                )
            await self._change(store, entry, entry.definition, geometry)
            return entry

    @to_its_end
    async def renew_reference(self, stream: str) -> StreamEntry:
        """What its camera shows from now on is how it should be; the stream runs on."""
        store = await self._ready()
        async with self._editing(stream):
            entry = self.entry(stream)
            record = replace(entry.record, reference_version=entry.record.reference_version + 1)
            await asyncio.to_thread(store.put_stream, self._sealing.sealed(record))
            self._written(entry, record)
            await self._assignments.plan_soon()
            return entry

    async def _register(
        self, store: Store, stream: str, definition: StreamDefinition, geometry: Geometry
    ) -> StreamEntry:
        record = StreamRecord(stream, definition.model_dump(mode="json"), geometry.to_json())
        # Under the lock: a plan must not see a stream whose epoch it does not know yet.
        async with self._assignments.changing:
            await asyncio.to_thread(store.put_stream, self._sealing.sealed(record))
            stored = await asyncio.to_thread(store.get_stream, stream)
            assert stored is not None
            entry = self._entries[stream] = self._entry_of(stored)
            self._assignments.changed(stream, None)
            return entry

    async def _change(
        self, store: Store, entry: StreamEntry, definition: StreamDefinition, geometry: Geometry | None
    ) -> bool:
        """Persist and apply a change, and tell the stream's reader; False if there is none."""
        record = entry.record
        if definition != entry.definition:
            version = record.definition_version + 1
            record = replace(record, definition=definition.model_dump(mode="json"), definition_version=version)
        if geometry is not None and geometry != entry.geometry:
            version = record.geometry_version + 1
            record = replace(record, geometry=geometry.to_json(), geometry_version=version)
        if record is entry.record:
            return False
        await asyncio.to_thread(store.put_stream, self._sealing.sealed(record))
        restart = entry.definition.work_differs(definition)
        entry.definition, entry.shard = definition, None if restart else entry.shard
        entry.geometry = geometry if geometry is not None else entry.geometry
        self._written(entry, record)
        if restart:  # its reader sees that it has to begin anew, and hands it back
            await self._assignments.parted(entry, RELEASE_WAIT_S)
        await self._assignments.plan_soon()
        return True

    def _written(self, entry: StreamEntry, record: StreamRecord) -> None:
        """A changed record is stored; its reader is to hear of it."""
        # Owner and epoch may have changed while the database was asked: they are the plan's, not this edit's.
        entry.record = replace(record, epoch=entry.record.epoch, owner=entry.record.owner)
        self._assignments.changed(record.id, entry.record.owner)
