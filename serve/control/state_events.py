"""Tells others when a stream is in another state: once for each change that lasts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from analytics.events import STREAM_STATE, Event, EventContext, StreamStateChanged, identity
from pipelines.sources.supervisor import StreamState
from serve.control.entry import Condition, StreamEntry
from serve.streams.status import StreamStatus


class StateEvents:
    """Looked after once a second, by the registry that leads.

    A state is told once it is found a second time: what is over by then, such as the moment in which a stream changes
    its reader, is nobody's business. Its time is when it was found first: a camera that gets overloaded has been
    running for days.

    Args:
        wall_clock: seconds since the epoch.
    """

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._told: dict[str, Condition] = {}
        self._found: dict[str, tuple[Condition, float]] = {}
        self._seen: dict[str, StreamEntry] = {}

    def begin(self, told: Mapping[str, Mapping[str, object]]) -> None:
        """Take up what was told last, by whoever did, of each stream; data of events."""
        self._found, self._seen = {}, {}
        self._told = {
            name: (StreamState(str(data["state"])), None if data["error_code"] is None else str(data["error_code"]))
            for name, data in told.items()
        }

    def look(self, entries: Mapping[str, StreamEntry]) -> list[str]:
        """The streams of which something is to be told now."""
        changed = []
        for name, entry in entries.items():
            if self._seen.get(name, entry) is not entry:  # it was deleted, and registered again since
                self._told.pop(name, None)
            now = entry.condition
            if now == self._told.get(name):
                self._found.pop(name, None)
                continue
            found = self._found.get(name)
            if found is None or found[0] != now:
                self._found[name] = now, self._wall_clock()
            elif now != (StreamState.STARTING, None):
                changed.append(name)
        if self._told.keys() - entries.keys():
            self._told = {name: told for name, told in self._told.items() if name in entries}
        self._found = {name: found for name, found in self._found.items() if name in entries}
        self._seen = dict(entries)
        return changed

    def events(self, changed: Collection[StreamEntry], statuses: Mapping[str, StreamStatus]) -> Iterator[Event]:
        """What is to be told of them, with what they are shown to be."""
        for entry in changed:
            name = entry.record.id
            status, before = statuses[name], self._told.get(name)
            told = StreamStateChanged(
                state=entry.condition[0].value,
                before=None if before is None else before[0].value,
                error=status.error,
                error_code=entry.condition[1],
                time_s=self._found[name][1],
            )
            data = dataclasses.asdict(told)
            del data["time_s"]
            context = EventContext(name, entry.definition.site, entry.record.epoch, "")
            key = identity(STREAM_STATE, name, context.epoch, round(told.time_s * 1e6), told.state, told.error_code)
            yield Event(key, STREAM_STATE, context, "", told.time_s, data)

    def told(self, conditions: Mapping[str, Condition]) -> None:
        """This was written, of each of these streams."""
        self._told |= conditions
        for name in conditions:
            self._found.pop(name, None)
