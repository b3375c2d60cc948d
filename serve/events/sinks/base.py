"""What a sink is: somewhere that events go, and the definition that says where."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from analytics.storage.alerts import AlertStore
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import EventFilter, NumberedEvent, Outbox
from pipelines.sources.reach import Reach
from serve.definitions.secretive import Secretive


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of events that were handed to a sink, in their order.

    Attributes:
        done: how many of the first ones need not be sent again.
        refused: of these, those that the sink will never take, each with the reason.
        error: why it went no further, in plain words; None if all are done.
        answered: whether somebody was there to say so: then it may be the event's fault.
        pause_s: how long they ask us to wait; None if they do not say.
    """

    done: int
    refused: list[tuple[NumberedEvent, str]] = field(default_factory=list)
    error: str | None = None
    answered: bool = False
    pause_s: float | None = None


class Sink(Protocol):
    """Somewhere that events go. Used by one task at a time.

    What blocks, blocks in threads of its own: a sink that is dead takes nothing from the others.
    """

    @property
    def at_once(self) -> int:
        """Events that it is handed at most."""
        ...

    @property
    def idle_s(self) -> float | None:
        """How long it can be left alone: afterwards it is handed no events, but asked; None: for ever."""
        ...

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        """Bring events there, in order; returns once they are, or cannot be brought now. Never raises for its sake."""
        ...

    async def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink is opened with.

    Attributes:
        id: of the sink.
        reach: where receivers may be.
        outbox: for those who have to know what was before; asked in threads.
        streams: for those who tell of cameras, lines and zones; asked in threads.
        alerts: for those who tell of what is on; asked in threads.
        wanted: the events that are to go there; it may hear of others, see `Target.heard`.
        position: number of the last event that is there already.
    """

    id: str
    reach: Reach
    outbox: Outbox
    streams: Callable[[], Sequence[StreamRecord]]
    alerts: AlertStore
    wanted: EventFilter
    position: int


class Target(Secretive):
    """One type of sink. A subclass in a module beside this one is all that a new type needs here.

    Attributes:
        tells: types of the events that it can tell of; empty: of all.
    """

    must_say = ("title", "secrets")
    tells: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def place(self) -> str:
        """Where events go, without secrets, for people."""

    @property
    def claim(self) -> str | None:
        """What two sinks must not share, or each would spoil what the other does; None if nothing."""
        return None

    def heard(self, wanted: EventFilter) -> EventFilter:
        """The events that the sink is handed, of those that are to go there."""
        return wanted

    @abstractmethod
    def check(self, reach: Reach) -> None:
        """Refuse what lies outside of what may be reached, as far as that can be told without asking anybody.

        Raises:
            SourceNotAllowed: it does; the reason is the same whatever is there.
        """

    @abstractmethod
    def open(self, context: SinkContext) -> Sink:
        """The sink; asks nobody anything."""

    @abstractmethod
    def open_trial(self, reach: Reach) -> Sink:
        """For a single event that somebody sends by hand: tells of nothing else, and disturbs nobody."""
