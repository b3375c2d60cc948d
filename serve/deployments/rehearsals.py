"""Cameras that a reader opens ahead of time, of streams that it is to have soon."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping

from pipelines.sources.base import SourceLimits
from serve.control.messages import Work
from serve.definitions.stream import StreamDefinition
from serve.streams.rehearsal import Rehearsal

logger = logging.getLogger(__name__)


class Rehearsals:
    """All of a reader's.

    Args:
        limits: of sources.
    """

    def __init__(self, limits: SourceLimits) -> None:
        self._limits = limits
        self._begun: dict[str, tuple[Rehearsal, StreamDefinition]] = {}

    @property
    def ready(self) -> tuple[str, ...]:
        """Streams whose pictures come."""
        return tuple(name for name, (rehearsal, _) in self._begun.items() if rehearsal.ready)

    def update(self, prepare: Mapping[str, Work], wanted: Mapping[str, Work], taken: Collection[str]) -> None:
        """Open the cameras of streams that are to be ours soon, and let go of those that are not any more.

        Args:
            prepare: streams that are to be ours.
            wanted: streams that are ours by now.
            taken: those that run already.
        """
        for name, (rehearsal, definition) in list(self._begun.items()):
            work = prepare.get(name) or wanted.get(name)
            if work is None or name in taken or definition.work_differs(work.definition):
                del self._begun[name]
                rehearsal.end()
        for name, work in prepare.items():
            source = work.definition.source
            if name in self._begun or name in taken or source.hides_a_secret:
                continue
            try:
                rehearsal = Rehearsal(name, source.opener(name, self._limits), work.definition.analysis_fps)
                rehearsal.start()
            except Exception:  # then it is handed over with a gap
                logger.exception("the camera cannot be opened ahead of time", extra={"stream": name})
                continue
            self._begun[name] = rehearsal, work.definition

    def take(self, name: str, definition: StreamDefinition) -> Rehearsal | None:
        """The one of a stream whose work begins; None if there is none, or it was for other work."""
        rehearsal, rehearsed = self._begun.pop(name, (None, None))
        if rehearsal is not None and rehearsed is not None and rehearsed.work_differs(definition):
            rehearsal.end()
            return None
        return rehearsal

    def give_up(self, taken: Rehearsal | None) -> None:
        """One that was taken, and that nobody could go on with."""
        if taken is not None:
            taken.end()

    def end(self) -> None:
        """All of them; their threads end by themselves."""
        for rehearsal, _ in self._begun.values():
            rehearsal.end()

    def join(self, deadline_s: float) -> None:
        """Wait for their threads, no longer than until a time in monotonic seconds."""
        for rehearsal, _ in self._begun.values():
            rehearsal.thread.join(max(0.0, deadline_s - time.monotonic()))
