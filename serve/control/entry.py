"""One registered stream in the registry's memory: what is wanted, who has it, what was last heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.storage.base import StreamRecord
from serve.control.planner import Claim
from serve.definitions import StreamDefinition

WEIGHT = 1.0
"""Of a camera, until its cost is measured."""


@dataclass(slots=True)
class StreamEntry:
    """A stream, desired and observed.

    Attributes:
        record: as stored, with its owner and epoch.
        definition: the record's, parsed.
        status: from the owner's last beat; empty before the first.
        heard_s: when that was, monotonic seconds.
        release_asked_s: when the owner was asked to let go; None if it was not.
        waiting: no reader has room for it.
        free: set while nobody has it.
    """

    record: StreamRecord
    definition: StreamDefinition
    status: Mapping[str, Any] = field(default_factory=dict)
    heard_s: float = 0.0
    release_asked_s: float | None = None
    waiting: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    @staticmethod
    def of(record: StreamRecord) -> StreamEntry:
        """Raises ValidationError if the stored definition is of another version."""
        return StreamEntry(record, StreamDefinition.model_validate(record.definition))

    def claim(self) -> Claim:
        """As the planner sees it."""
        return Claim(WEIGHT, self.record.owner, self.definition.enabled, self.release_asked_s is not None)

    def work_differs(self, definition: StreamDefinition) -> bool:
        """Whether a reader would have to begin anew for another definition."""
        old = self.definition
        return (definition.source, definition.analysis_fps, definition.enabled) != (
            old.source,
            old.analysis_fps,
            old.enabled,
        )

    def view(self, now_s: float, silence_s: float, readers: int) -> dict[str, Any]:
        """What the API tells, without credentials.

        Args:
            now_s: monotonic seconds.
            silence_s: time without a beat that is normal.
            readers: how many there are.
        """
        record, status = self.record, dict(self.status)
        if status.get("frame_age_s") is not None:  # a reader that has fallen silent makes its frames older
            overdue_s = max(0.0, now_s - self.heard_s - silence_s)
            status["frame_age_s"] = round(status["frame_age_s"] + overdue_s, 3)
        view = {
            "id": record.id,
            **self.definition.redacted(),
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
        if not self.definition.enabled:
            view |= {"state": "stopped", "error": None, "error_code": None}
        elif not status and self.waiting:
            reason = "every reader is full" if readers else "no reader is running yet"
            view |= {"error": reason, "error_code": "no-reader"}
        return view


def keep_start(new: StreamDefinition, old: StreamDefinition) -> StreamDefinition:
    """A recording that is put again without a start keeps the one it was given."""
    source, before = new.source, old.source
    if source.type == "file" and before.type == "file" and source.start_s is None and source.path == before.path:
        return new.model_copy(update={"source": source.model_copy(update={"start_s": before.start_s})})
    return new
