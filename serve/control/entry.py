"""One registered stream in the registry's memory: what is wanted, who has it, what was last heard of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pydantic import ValidationError

from analytics.errors import GeometryError
from analytics.geometry import Geometry
from analytics.storage.base import StreamRecord
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Assignment, StreamView, Work
from serve.control.planner import Claim
from serve.control.sealing import shown
from serve.control.weights import Weight, WeightMeter, first_guess
from serve.definitions.stream import StreamDefinition
from serve.streams.status import StreamStatus

logger = logging.getLogger(__name__)
Condition: TypeAlias = tuple[StreamState, str | None]
"""State and code of what is wrong, if anything is."""
GUESSED_S = 60.0
"""For so long nothing is moved for the sake of a stream that is not measured yet."""


@dataclass(slots=True)
class StreamEntry:
    """A stream, desired and observed.

    Attributes:
        record: as stored, with its owner and epoch.
        definition: the record's, parsed.
        geometry: likewise.
        status: from the owner's last heartbeat; None before the first.
        heard_s: when that was, monotonic seconds.
        release_asked_s: when the owner was asked to let go; None if it was not.
        given_s: when its owner was given it, or was first heard of, monotonic seconds.
        target: reader that is to have it next; None if it stays.
        target_since_s: when that was decided, monotonic seconds.
        meter: measures what it weighs.
        waiting: no reader has room for it.
        shard: what it reads, if that is shared with other streams; as last heard.
        free: set while nobody has it.
    """

    record: StreamRecord
    definition: StreamDefinition
    geometry: Geometry
    meter: WeightMeter
    status: StreamStatus | None = None
    heard_s: float = 0.0
    release_asked_s: float | None = None
    given_s: float = 0.0
    target: str | None = None
    target_since_s: float = 0.0
    waiting: bool = False
    shard: str | None = None
    free: asyncio.Event = field(default_factory=asyncio.Event)

    @staticmethod
    def of(record: StreamRecord, min_fps: float) -> StreamEntry:
        """Raises ValidationError or GeometryError if what is stored is of another version.

        Args:
            record: as it is stored.
            min_fps: analysed frames a second below which a stream is not worth running.
        """
        definition = StreamDefinition.model_validate(shown(record.definition))
        known = record.weight, record.least_weight
        weight = Weight(known[0], known[1]) if known[0] is not None and known[1] is not None else None
        return StreamEntry(record, definition, Geometry.parse(record.geometry), WeightMeter(min_fps, weight))

    def claim(self, now_s: float) -> Claim:
        """As the planner sees it, at a time in monotonic seconds."""
        # Until its reader has told how it is, too: who has just been given a stream would have to let go of it again.
        unknown = self.status is None or (self.status.state is StreamState.RUNNING and self.meter.weight is None)
        # One that shows something now and then is never measured, and must not hold up all others for ever.
        unknown = unknown and now_s - self.given_s < GUESSED_S
        return Claim(
            self.weight,
            self.record.owner,
            self.definition.enabled,
            releasing=self.release_asked_s is not None,
            guessed=self.record.owner is not None and unknown,
            target=self.target,
            shard=self.shard,
        )

    @property
    def weight(self) -> Weight:
        """As measured, or as guessed until then."""
        return self.meter.weight or first_guess(self.status, self.definition.analysis_fps, self.meter.min_fps)

    def hear(self, status: StreamStatus, now_s: float) -> bool:
        """Take what its owner reports at a time, monotonic seconds; returns whether it weighs something else now."""
        self.status, self.heard_s = status, now_s
        self.shard = status.shard or self.shard  # not known for a moment, when it begins
        return self.meter.hear(self.record.epoch, status, now_s)

    @property
    def moving(self) -> bool:
        """Whether it is on its way to another reader."""
        return self.definition.enabled and (self.release_asked_s is not None or self.target is not None)

    @property
    def may_rehearse(self) -> bool:
        """Whether another reader can open its camera ahead of time: what can be replayed misses nothing without."""
        running = self.status is not None and self.status.state is StreamState.RUNNING
        return running and self.definition.enabled and self.definition.source.live

    @property
    def failed(self) -> bool:
        """Whether its reader says that it cannot go on."""
        return self.status is not None and self.status.state is StreamState.FAILED

    @property
    def condition(self) -> Condition:
        """What it is shown to be, in short: asked for all streams, every second."""
        status = self.status
        if not self.definition.enabled:
            return StreamState.STOPPED, None
        if status is None:
            return StreamState.STARTING, "no-reader" if self.waiting else None
        if status.error is None and status.state is StreamState.RUNNING and self.meter.overload:
            return StreamState.RUNNING, "overloaded"
        return status.state, status.error_code

    @property
    def assignment(self) -> Assignment:
        record = self.record
        return Assignment(record.epoch, record.definition_version, record.geometry_version, record.reference_version)

    @property
    def work(self) -> Work:
        return Work(self.assignment, self.definition, self.geometry)

    @property
    def etag(self) -> str:
        """Of definition and geometry; a stream that was deleted and registered again has another."""
        return f'"{self._registration}-{self.record.definition_version}-{self.record.geometry_version}"'

    @property
    def geometry_etag(self) -> str:
        """Of the geometry alone."""
        return f'"{self._registration}-{self.record.geometry_version}"'

    @property
    def _registration(self) -> str:
        return f"{round(self.record.created_s * 1e3):x}"

    def view(self, now_s: float, silence_s: float, readers: int) -> StreamView:
        """What the API is told.

        Args:
            now_s: monotonic seconds.
            silence_s: time without a heartbeat that is normal.
            readers: how many there are.
        """
        record = self.record
        return StreamView(
            id=record.id,
            definition=self.definition,
            geometry=self.geometry,
            geometry_version=record.geometry_version,
            etag=self.etag,
            geometry_etag=self.geometry_etag,
            status=self._status(now_s, silence_s, readers),
            reader=record.owner,
            epoch=record.epoch,
            heard=self.status is not None,
            weight=self.meter.weight,
        )

    def _status(self, now_s: float, silence_s: float, readers: int) -> StreamStatus:
        status = self.status or StreamStatus(StreamState.STARTING, self.record.updated_s)
        if status.frame_age_s is not None:  # a reader that has fallen silent makes its frames older
            overdue_s = max(0.0, now_s - self.heard_s - silence_s)
            status = replace(status, frame_age_s=round(status.frame_age_s + overdue_s, 3))
        if not self.definition.enabled:
            return replace(status, state=StreamState.STOPPED, error=None, error_code=None)
        if self.status is None and self.waiting:
            reason = "every reader is full" if readers else "no reader is running yet"
            return replace(status, error=reason, error_code="no-reader")
        overload = self.meter.overload
        if overload and status.state is StreamState.RUNNING and status.error is None:
            return replace(status, error=overload, error_code="overloaded")
        return status


def read_entries(
    records: Iterable[StreamRecord], entry_of: Callable[[StreamRecord], StreamEntry]
) -> dict[str, StreamEntry]:
    """Entries of what is stored, by stream; what is of another version must not keep all others from running."""
    entries = {}
    for record in records:
        try:
            entries[record.id] = entry_of(record)
        except (ValidationError, GeometryError) as error:
            reasons = "; ".join(_reasons_of(error))
            logger.error("left out until it is registered again: %s", reasons, extra={"stream": record.id})
    return entries


def _reasons_of(error: ValidationError | GeometryError) -> list[str]:
    """Why what is stored is no stream, without what is stored."""
    if isinstance(error, GeometryError):
        return [str(error)]
    return [str(problem["msg"]) for problem in error.errors()]  # without the input, which may hold a password
