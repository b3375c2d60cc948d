"""What every store does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analytics.counting.base import Analytic
from analytics.counting.catalogue import ANALYTICS
from analytics.events import Event
from analytics.minutes import MinuteRow, Totals


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A registered stream.

    Attributes:
        id: chosen by whoever registered it.
        definition: everything but the geometry, as JSON types, with credentials.
        geometry: as JSON types.
        geometry_version: 1 for the first, one more with every change.
        definition_version: likewise.
        epoch: of the newest assignment; 0 before the first.
        owner: reader of that assignment; None if nobody has it.
        created_s: seconds since the epoch.
        updated_s: likewise.
        weight: CPU cores that it wants, as last measured; None before it was.
        least_weight: likewise, that it cannot do without.
        reference_version: of what its camera shows when all is well; one more whenever somebody says that it is what
            it shows now.
    """

    id: str
    definition: Mapping[str, Any]
    geometry: Mapping[str, Any] = field(default_factory=dict)
    geometry_version: int = 1
    definition_version: int = 1
    epoch: int = 0
    owner: str | None = None
    created_s: float = 0.0
    updated_s: float = 0.0
    weight: float | None = None
    least_weight: float | None = None
    reference_version: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that one epoch of one stream owes the store at one frame; written whole or not at all.

    Attributes:
        stream: id.
        epoch: of the assignment; the store refuses one that is not the newest.
        rows: minutes that changed.
        state: of tracker and counters, with a format; what the next epoch goes on from.
        resume: where a replayable source goes on; None for a live one.
        time_s: capture time of the frame.
        cut: one more with every checkpoint of an epoch; 0 where nobody has numbered them.
        made_s: when it was cut, by the clock of the machine, seconds since the epoch; 0 if nobody knows.
        events: that happened in the frames since the checkpoint before, in their order; written with the rows.
    """

    stream: str
    epoch: int
    rows: Sequence[MinuteRow]
    state: Mapping[str, Any]
    resume: Mapping[str, Any] | None
    time_s: float
    cut: int = 0
    made_s: float = 0.0
    events: Sequence[Event] = ()


class Store(Protocol):
    """Streams, assignments, minutes and checkpoints. Thread-safe; every call is one transaction.

    Every method raises `StoreUnavailable` when the database is away, locked for too long, or full.
    """

    def put_stream(self, record: StreamRecord) -> bool:
        """Register or change a stream; its epoch, owner and weight are left as they are.

        Returns:
            True if it is new.
        """
        ...

    def get_stream(self, stream: str) -> StreamRecord | None: ...

    def list_streams(self) -> list[StreamRecord]:
        """All streams, by id."""
        ...

    def delete_stream(self, stream: str, *, purge: bool = False) -> bool:
        """Forget a registration and its checkpoint; with ``purge`` also minutes and events. False if there was none.

        Purged minutes are out of sight at once; `sweep` removes them.
        """
        ...

    def sweep(self) -> bool:
        """Remove a piece of what was purged, in a short transaction; False once nothing is left to remove."""
        ...

    # -- who leads

    def lead(self) -> None:
        """Be the one who changes streams from now on; whoever was so before is refused (`LeaseLost`).

        A store that never led is not bound by this: its changes are always taken.
        """
        ...

    def renew(self) -> None:
        """Say that this one still leads.

        Raises:
            LeaseLost: somebody else does.
        """
        ...

    def leader(self) -> tuple[int, int]:
        """Term of the newest leader, and how often it has said so; a leader whose number stands still is gone."""
        ...

    # -- assignments; whoever led before is refused

    def assign(self, owners: Mapping[str, str | None]) -> dict[str, int]:
        """Give streams to their new owners (a new epoch) or to nobody (the epoch stays), all or none.

        Returns:
            Their epochs; streams that there are not are left out.

        Raises:
            LeaseLost: somebody else leads.
        """
        ...

    def weigh(self, weights: Mapping[str, tuple[float, float]]) -> None:
        """Remember what streams weigh: (weight, least weight) each.

        Raises:
            LeaseLost: somebody else leads.
        """
        ...

    def reclaim(self, owner: str, streams: Mapping[str, int]) -> set[str]:
        """Give streams that nobody has back to ``owner``, in the epochs that it works on; returns those it was given.

        The others are over: they are gone, in another epoch, or somebody has them.

        Raises:
            LeaseLost: somebody else leads.
        """
        ...

    # -- minutes and checkpoints

    def begin(self, stream: str, epoch: int) -> Checkpoint | None:
        """Begin an epoch: the state that it goes on from, without rows; None for the first.

        From now on nothing that an earlier epoch left behind can change that state.

        Raises:
            StaleEpoch: the stream is in a newer epoch, or gone, or somebody has counted in this one: whoever begins
                has counted nothing, and would write over that.
        """
        ...

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write rows and state in one transaction; one that is not newer than what is there changes nothing.

        Raises:
            StaleEpoch: the stream is in a newer epoch, or gone.
        """
        ...

    def deliver(self, late: Checkpoint) -> None:
        """Write what is wanted of a checkpoint that waited on a disk; see `analytics.storage.lateness.verdict`.

        Whoever finds it may hand it in, in the order in which it was cut. Several may hand in the same: who comes
        second changes nothing, also if newer ones were written meanwhile.

        Raises:
            StaleEpoch: nothing of it is wanted.
        """
        ...

    def load_checkpoint(self, stream: str) -> Checkpoint | None:
        """The newest state of a stream, without rows."""
        ...

    def minutes(
        self, stream: str, start: int, end: int, analytics: Collection[Analytic[Any]] = ANALYTICS
    ) -> list[MinuteRow]:
        """Minutes with ``start <= minute < end`` (seconds since the epoch), by minute and epoch.

        Args:
            stream: id.
            start: first minute.
            end: after the last minute.
            analytics: what to read of them; a heatmap's cells are most of the bytes.
        """
        ...

    def sums(
        self, stream: str, start: int, end: int, step_s: int, analytics: Collection[Analytic[Any]]
    ) -> list[tuple[int, Totals]]:
        """Minutes merged by the database into steps, oldest first; what there is nothing of is left out.

        Args:
            stream: id.
            start: first minute.
            end: after the last minute.
            step_s: length of a step, whole minutes; steps begin at multiples of it, seconds since the epoch.
            analytics: what to merge; every column of theirs says how.
        """
        ...

    def extent(self, stream: str) -> tuple[int, int]:
        """Start of the first stored minute and end of the last, seconds since the epoch; (0, 0) if there is none."""
        ...

    def check(self) -> None:
        """Ask the database something trivial."""
        ...

    def close(self) -> None: ...
