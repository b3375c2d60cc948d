"""What readers, registry and API tell one another; every message is a value that is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.geometry import Geometry
from serve.control.heartbeat import HEARTBEAT_S
from serve.control.weights import Weight
from serve.definitions.stream import StreamDefinition
from serve.streams.status import StreamStatus
from serve.streams.travelling import travels


@travels
@dataclass(frozen=True, slots=True)
class Greeting:
    """Reader to registry, at the beginning of a session.

    Attributes:
        reader: its name, unique for ever.
        held: streams that it is working on, with their epochs; it keeps those that nobody else has.
        node: where it runs; readers of one node share its cores.
        cores: that this process may use, CPU seconds a second.
        capacity: of these, what it takes streams for; None for its share of the node.
    """

    reader: str
    held: Mapping[str, int] = field(default_factory=dict)
    node: str = ""
    cores: float = 1.0
    capacity: float | None = None


@travels
@dataclass(frozen=True, slots=True)
class Assignment:
    """A stream that a reader is to work on.

    Attributes:
        epoch: of the assignment; the store refuses rows of an older one.
        definition_version: of what there is to do.
        geometry_version: of the lines and zones to count with.
        reference_version: of what its camera shows when all is well.
    """

    epoch: int
    definition_version: int
    geometry_version: int
    reference_version: int = 1


@travels
@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do for a stream, and in which capacity."""

    assignment: Assignment
    definition: StreamDefinition
    geometry: Geometry


@travels
@dataclass(frozen=True, slots=True)
class DesiredState:
    """Registry to reader: what has changed of all that the reader is to work on.

    Attributes:
        work: streams that are new to it, or whose assignment has changed.
        dropped: streams that are not its own any more, nor to be prepared.
        prepare: streams that it is to have soon, and whose cameras it opens ahead of time.
        watched: all streams of its own whose live frames somebody looks at.
        total_weight: CPU cores that all streams want that are switched on, whoever has them; what readers scale on.
        whole: the first of a session: what it does not name is not the reader's.
        heartbeat_s: seconds between its heartbeats.
        capacity: CPU cores that it takes streams for, of those of its node.
    """

    work: Mapping[str, Work]
    dropped: tuple[str, ...]
    watched: tuple[str, ...]
    total_weight: float
    whole: bool = False
    heartbeat_s: float = HEARTBEAT_S
    prepare: Mapping[str, Work] = field(default_factory=dict)
    capacity: float | None = None


@travels
@dataclass(frozen=True, slots=True)
class Reported:
    """How a stream is in the epoch that a reader works on."""

    epoch: int
    status: StreamStatus


@travels
@dataclass(frozen=True, slots=True)
class ReaderFigures:
    """How a reader does with the frames of all its streams.

    Attributes:
        waiting: frames that wait for a place in a batch.
        oldest_s: for how long the oldest of them has.
        latency: frames by how long they took from capture to count, since it began: so many in each bin of
            `pipelines.durations.BOUNDS_S`; empty while nobody knows.
        latency_s: what these took together, seconds.
    """

    waiting: int = 0
    oldest_s: float = 0.0
    latency: tuple[int, ...] = ()
    latency_s: float = 0.0


@travels
@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Reader to registry, every second or two: a sign of life.

    Attributes:
        reader: its name.
        streams: that it works on, and how they are.
        draining: that it is handing back.
        prepared: that it does not have yet, and whose cameras it has open.
        others: that it works on, too, with their epochs: they go on as was told before.
        disk_free: share of the disk that rows wait on; None if nobody knows.
        stages: frames and seconds in each stage since it began, of all streams.
        batches: frames, batches, and batches that failed, likewise.
        figures: more of that.
    """

    reader: str
    streams: Mapping[str, Reported] = field(default_factory=dict)
    draining: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    disk_free: float | None = None
    stages: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    batches: tuple[int, int, int] = (0, 0, 0)
    figures: ReaderFigures = ReaderFigures()

    @property
    def epochs(self) -> dict[str, int]:
        """Of all that it works on."""
        return {name: one.epoch for name, one in self.streams.items()} | dict(self.others)


@travels
@dataclass(frozen=True, slots=True)
class StreamView:
    """Registry to API: a stream, desired and observed.

    Attributes:
        id: of the stream.
        definition: what is wanted; with its secrets, so answers are made of ``definition.redacted()``.
        geometry: lines and zones.
        geometry_version: 1 for the first, one more with every change.
        etag: names this very definition and geometry of this very registration.
        geometry_etag: likewise, the geometry alone.
        status: what was last heard of it.
        reader: who has it; None if nobody has.
        epoch: of the newest assignment.
        heard: whether ``status`` comes from a reader; until one reports, its counters are not zero, but unknown.
        weight: CPU cores that it takes; None until that was measured.
    """

    id: str
    definition: StreamDefinition
    geometry: Geometry
    geometry_version: int
    etag: str
    geometry_etag: str
    status: StreamStatus
    reader: str | None
    epoch: int
    heard: bool = True
    weight: Weight | None = None


@travels
@dataclass(frozen=True, slots=True)
class ReaderView:
    """Registry to API: a reader.

    Attributes:
        node: where it runs.
        capacity: CPU cores that it takes streams for.
        wanted: CPU cores that its streams want; more than its capacity where frames are skipped.
        streams: how many it has.
        leaving: it hands back what it has.
        disk_free: share of the disk that its rows wait on; None if nobody knows.
        stages: frames and seconds in each stage since it began, of all its streams.
        batches: frames, batches, and batches that failed, likewise.
        figures: more of that.
    """

    node: str
    capacity: float
    wanted: float
    streams: int
    leaving: bool
    disk_free: float | None = None
    stages: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    batches: tuple[int, int, int] = (0, 0, 0)
    figures: ReaderFigures = ReaderFigures()


@travels
@dataclass(frozen=True, slots=True)
class Overview:
    """Registry to API: how the whole is.

    Attributes:
        loaded: whether the streams are known.
        store_error: why the database does not answer; None while it does.
        readers: with a session.
        streams: how many are registered.
        moves: streams that were taken from a reader since the registry began, by why: it was ``lost``, was ``leaving``,
            or for ``balance``.
    """

    loaded: bool
    store_error: str | None
    readers: Mapping[str, ReaderView]
    streams: int
    moves: Mapping[str, int] = field(default_factory=dict)
