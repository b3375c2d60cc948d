"""Stand-ins that behave: a store in memory, a detector that sees what it is told, a source that follows a script."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import av
import numpy as np

from analytics.counting.base import Analytic
from analytics.counting.catalogue import ANALYTICS
from analytics.errors import LeaseLost, StaleEpoch, StoreUnavailable, TokenConflict
from analytics.events import STREAM_STATE, Event
from analytics.minutes import MinuteRow, Totals
from analytics.storage import lateness
from analytics.storage.access import MAX_AUDITED, MAX_TOKENS, AuditRecord, TokenRecord
from analytics.storage.alerts import AlertRecord
from analytics.storage.base import Checkpoint, StreamRecord
from analytics.storage.event_rows import LASTING, about
from analytics.storage.lateness import KEPT_S, Standing, Verdict, verdict
from analytics.storage.outbox import EVERYTHING, MOST_COUNTED, EventFilter, NumberedEvent, Waiting
from analytics.storage.references import StoredReference
from analytics.storage.view_pictures import StoredView, ViewKind
from pipelines.batching.mailbox import WaitingFrame
from pipelines.sources.base import Position, Reached, SourceFrame
from pipelines.types import Detections, FrameStamp, Image, ImageBatch, StreamInfo


class MemoryStore:
    """`analytics.storage.base.Store` without a database; passes the same contract suite.

    Attributes:
        away: while set, every call raises `StoreUnavailable`, as if the database were gone.
        closed: whether it was closed, which changes nothing here.
    """

    def __init__(self, *, wall_clock: Callable[[], float] = lambda: 0.0) -> None:
        self.away = self.closed = False
        self.checkpoints_written = 0
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._streams: dict[str, StreamRecord] = {}
        self._epochs: dict[str, tuple[int, str | None]] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._minutes: dict[tuple[str, int, int], MinuteRow] = {}
        self._begun: dict[str, dict[int, float]] = {}
        self._purged: dict[str, int] = {}
        self._forgotten: dict[str, int] = {}
        self._cuts: dict[tuple[str, int], int] = {}
        self._weights: dict[str, tuple[float, float]] = {}
        self._events: dict[str, NumberedEvent] = {}
        self.told: dict[tuple[str, str], NumberedEvent] = {}
        self._numbered = [0]
        self._leases = [0, 0]
        self._term: int | None = None

    def shared(self) -> MemoryStore:
        """Another connection to the same database, for somebody who leads by himself."""
        other = copy.copy(self)
        other._term = None
        return other

    def _ask(self) -> threading.Lock:
        if self.away:
            raise StoreUnavailable("the database is away")
        return self._lock

    def put_stream(self, record: StreamRecord) -> bool:
        with self._ask():
            self._fence()
            known = self._streams.get(record.id)
            now = self._wall_clock()
            stored = replace(
                record,
                definition=_as_json(record.definition),
                geometry=_as_json(record.geometry),
                created_s=known.created_s if known else now,
                updated_s=now,
            )
            self._streams[record.id] = stored
            self._epochs.setdefault(record.id, (0, None))
            return known is None

    def _record(self, stream: str) -> StreamRecord:
        epoch, owner = self._epochs[stream]
        weight, least = self._weights.get(stream, (None, None))
        return replace(self._streams[stream], epoch=epoch, owner=owner, weight=weight, least_weight=least)

    def get_stream(self, stream: str) -> StreamRecord | None:
        with self._ask():
            return self._record(stream) if stream in self._streams else None

    def list_streams(self) -> list[StreamRecord]:
        with self._ask():
            return [self._record(stream) for stream in sorted(self._streams)]

    def delete_stream(self, stream: str, *, purge: bool = False) -> bool:
        with self._ask():
            self._fence()
            removed = self._streams.pop(stream, None) is not None
            self._checkpoints.pop(stream, None)
            if stream in self._epochs:
                epoch = self._epochs[stream][0] + 1
                self._epochs[stream] = (epoch, None)
                self._begin(stream, epoch)
                if purge:
                    self._purged[stream] = epoch
                    for name in [name for name, one in self._events.items() if one.event.context.stream == stream]:
                        del self._events[name]
                    self.told.pop((STREAM_STATE, stream), None)
            return removed

    def sweep(self) -> bool:
        with self._ask():
            over = [key for key in self._minutes if key[2] <= self._purged.get(key[0], 0)]
            for key in over:
                del self._minutes[key]
            return bool(over)

    def lead(self) -> None:
        with self._ask():
            self._leases[0] += 1
            self._leases[1] += 1
            self._term = self._leases[0]

    def renew(self) -> None:
        with self._ask():
            self._fence()

    def leader(self) -> tuple[int, int]:
        with self._ask():
            return self._leases[0], self._leases[1]

    def _fence(self) -> None:
        if self._term is None:
            return
        if self._term != self._leases[0]:
            raise LeaseLost("another registry has taken over")
        self._leases[1] += 1

    def assign(self, owners: Mapping[str, str | None]) -> dict[str, int]:
        with self._ask():
            self._fence()
            there = {stream: owner for stream, owner in owners.items() if stream in self._streams}
            for stream, owner in there.items():
                self._epochs[stream] = (self._epochs[stream][0] + (owner is not None), owner)
            return {stream: self._epochs[stream][0] for stream in there}

    def weigh(self, weights: Mapping[str, tuple[float, float]]) -> None:
        with self._ask():
            self._fence()
            self._weights |= weights

    def reclaim(self, owner: str, streams: Mapping[str, int]) -> set[str]:
        with self._ask():
            self._fence()
            free = {s for s, epoch in streams.items() if s in self._streams and self._epochs[s] == (epoch, None)}
            self._epochs |= {stream: (streams[stream], owner) for stream in free}
            return free

    def begin(self, stream: str, epoch: int) -> Checkpoint | None:
        with self._ask():
            self._hold(stream, epoch)
            if self._cuts.get((stream, epoch)):
                raise StaleEpoch(f"in epoch {epoch} of stream {stream!r} somebody else has counted")
            self._begin(stream, epoch)
            return self._checkpoints.get(stream)

    def _begin(self, stream: str, epoch: int) -> None:
        begun = self._begun.setdefault(stream, {})
        begun.setdefault(epoch, self._wall_clock())
        kept = max((e for e, begun_s in begun.items() if begun_s < self._wall_clock() - KEPT_S), default=0)
        kept = max(kept, epoch - lateness.KEPT_EPOCHS + 1)
        for over in [e for e in begun if e < kept]:
            del begun[over]
            self._forgotten[stream] = kept - 1

    def _hold(self, stream: str, epoch: int) -> None:
        if stream not in self._streams or self._epochs[stream][0] != epoch:
            raise StaleEpoch(f"epoch {epoch} of stream {stream!r} is over")

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        with self._ask():
            self._hold(checkpoint.stream, checkpoint.epoch)
            if not 0 < checkpoint.cut <= self._cuts.get((checkpoint.stream, checkpoint.epoch), 0):
                self._write(checkpoint, Verdict.WHOLE)

    def deliver(self, late: Checkpoint) -> None:
        with self._ask():
            epoch = self._epochs.get(late.stream, (0, None))[0]
            later = [s for e, s in sorted(self._begun.get(late.stream, {}).items()) if e > late.epoch]
            over = max(self._purged.get(late.stream, 0), self._forgotten.get(late.stream, 0))
            if 0 < late.cut <= self._cuts.get((late.stream, late.epoch), 0):
                return
            wanted = verdict(late, Standing(epoch, late.stream in self._streams, over, next(iter(later), None)))
            if wanted is Verdict.NOTHING:
                raise StaleEpoch(f"what epoch {late.epoch} of stream {late.stream!r} left behind comes too late")
            self._write(late, wanted)

    def _write(self, checkpoint: Checkpoint, wanted: Verdict) -> None:
        if wanted is Verdict.WHOLE:
            self._checkpoints[checkpoint.stream] = Checkpoint(
                checkpoint.stream,
                checkpoint.epoch,
                (),
                _as_json(checkpoint.state),
                None if checkpoint.resume is None else _as_json(checkpoint.resume),
                checkpoint.time_s,
            )
        for row in checkpoint.rows:
            self._minutes[row.stream, row.minute, row.epoch] = copy.deepcopy(row)
        self._add_events(checkpoint.events)
        if checkpoint.epoch in self._begun.get(checkpoint.stream, {}):
            key = checkpoint.stream, checkpoint.epoch
            self._cuts[key] = max(self._cuts.get(key, 0), checkpoint.cut)
        self.checkpoints_written += 1

    def _add_events(self, events: Collection[Event]) -> None:
        for event in events:
            written = NumberedEvent(0, event, self._wall_clock())
            self._events.setdefault(event.id, written)
            if event.type in LASTING:
                self.told[event.type, about(event)] = written

    def give_numbers(self) -> int:
        """To all events that have none yet; returns the newest number."""
        for name, one in self._events.items():
            if not one.number:
                self._numbered[0] += 1
                self._events[name] = replace(one, number=self._numbered[0], stored_s=self._wall_clock())
        return self._numbered[0]

    @property
    def numbered(self) -> dict[str, NumberedEvent]:
        """Events that have a number, by id."""
        return {name: one for name, one in self._events.items() if one.number}

    @property
    def newest_number(self) -> int:
        """The newest event's number."""
        return self._numbered[0]

    @property
    def events(self) -> list[Event]:
        """All of them, in their order."""
        return [numbered.event for numbered in self._events.values()]

    def load_checkpoint(self, stream: str) -> Checkpoint | None:
        with self._ask():
            return self._checkpoints.get(stream)

    def minutes(
        self, stream: str, start: int, end: int, analytics: Collection[Analytic[Any]] = ANALYTICS
    ) -> list[MinuteRow]:
        with self._ask():
            found = [
                copy.deepcopy(self._minutes[key])
                for key in sorted(self._minutes)
                if key[0] == stream and start <= key[1] < end and key[2] > self._purged.get(stream, 0)
            ]
        for row in found:
            for analytic in row.totals.values.keys() - set(analytics):
                del row.totals.values[analytic]
        return found

    def sums(
        self, stream: str, start: int, end: int, step_s: int, analytics: Collection[Analytic[Any]]
    ) -> list[tuple[int, Totals]]:
        found: dict[int, Totals] = {}
        for row in self.minutes(stream, start, end, analytics):
            found.setdefault(row.minute - row.minute % step_s, Totals()).add(row.totals)
        return sorted(found.items(), key=lambda item: item[0])

    def extent(self, stream: str) -> tuple[int, int]:
        with self._ask():
            found = [minute for name, minute, e in self._minutes if name == stream and e > self._purged.get(name, 0)]
        return (min(found), max(found) + 60) if found else (0, 0)

    def check(self) -> None:
        with self._ask():
            pass

    def close(self) -> None:
        self.closed = True

    # -- shorthands for tests

    def register(self, stream: str) -> None:
        self.put_stream(StreamRecord(stream, {}))

    def write(self, stream: str, epoch: int, rows: Sequence[MinuteRow], **state: Any) -> None:
        self.checkpoint(Checkpoint(stream, epoch, rows, state, None, 0.0))


class MemoryOutbox:
    """`analytics.storage.outbox.Outbox` over a `MemoryStore`; passes the same contract suite."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def append(self, events: Collection[Event]) -> None:
        with self._store._ask():
            self._store._fence()
            self._store._add_events(events)

    def number(self) -> int:
        with self._store._ask():
            return self._store.give_numbers()

    def _numbered(self) -> list[NumberedEvent]:
        return list(self._store.numbered.values())

    def after(self, number: int, limit: int, wanted: EventFilter = EVERYTHING) -> list[NumberedEvent]:
        with self._store._ask():
            return [one for one in self._numbered() if one.number > number and wanted.fits(one.event)][:limit]

    def waiting(self, number: int, wanted: EventFilter = EVERYTHING) -> Waiting:
        found = self.after(number, MOST_COUNTED, wanted)
        return Waiting(len(found), min((one.stored_s for one in found), default=None))

    def before(self, time_s: float) -> int:
        with self._store._ask():
            found = [one.number for one in self._numbered() if one.event.time_s >= time_s]
            return min(found) - 1 if found else self._store.newest_number

    def told_last(self, kind: str) -> dict[str, Event]:
        with self._store._ask():
            return {name: one.event for (told, name), one in self._store.told.items() if told == kind}

    def oldest(self) -> int:
        with self._store._ask():
            return next((one.number for one in self._numbered()), self._store.newest_number + 1)

    def forget(self, stored_before_s: float, keep: int) -> int:
        with self._store._ask():
            newest = self._store.newest_number
            over = [
                name
                for name, one in self._store.numbered.items()
                if one.stored_s < stored_before_s or one.number <= newest - keep
            ]
            for name in over:
                del self._store._events[name]
            for (kind, name), one in list(self._store.told.items()):
                if kind == STREAM_STATE and one.stored_s < stored_before_s and name not in self._store._streams:
                    del self._store.told[kind, name]
            return len(over)


class MemoryReferences:
    """`analytics.storage.references.ReferenceStore` without a database; passes the same contract suite."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.kept: dict[str, StoredReference] = {}

    def find(self, stream: str) -> StoredReference | None:
        with self._store._ask():
            return self.kept.get(stream)

    def keep(self, stream: str, epoch: int, version: int, state: Mapping[str, Any]) -> None:
        with self._store._ask():
            self._store._hold(stream, epoch)
            if stream not in self.kept or self.kept[stream].version <= version:
                self.kept[stream] = StoredReference(version, self._store._wall_clock(), _as_json(state))


class MemoryViewPictures:
    """`analytics.storage.view_pictures.ViewPictureStore` without a database; passes the same contract suite."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.kept: dict[tuple[str, ViewKind], tuple[StoredView, bytes]] = {}

    def find(self, stream: str) -> dict[ViewKind, StoredView]:
        with self._store._ask():
            version = self._wanted(stream)
            views = [view for (of, _), (view, _) in self.kept.items() if of == stream and view.version == version]
            return {view.kind: view for view in views}

    def _wanted(self, stream: str) -> int | None:
        return self._store._record(stream).reference_version if stream in self._store._streams else None

    def jpeg(self, stream: str, kind: ViewKind) -> tuple[StoredView, bytes] | None:
        return self.kept[stream, kind] if kind in self.find(stream) else None

    def keep(self, stream: str, epoch: int, view: StoredView, jpeg: bytes) -> bool:
        with self._store._ask():
            self._store._hold(stream, epoch)
            if self._wanted(stream) != view.version:
                return False
            if view.kind is ViewKind.BEFORE:
                self.kept.pop((stream, ViewKind.AFTER), None)
            self.kept[stream, view.kind] = view, jpeg
            return True

    def forget(self, stream: str | None = None) -> None:
        with self._store._ask():
            for key in [key for key in self.kept if stream in (None, key[0])]:
                del self.kept[key]


class MemoryAlertStore:
    """`analytics.storage.alerts.AlertStore` without a database; passes the same contract suite."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._book: dict[str, Any] | None = None
        self._rules: dict[str, Any] = {}
        self._records: dict[str, AlertRecord] = {}
        self.saved = 0

    def load(self) -> dict[str, Any] | None:
        with self._store._ask():
            return self._book

    def save(self, book: Mapping[str, Any], records: Collection[AlertRecord], events: Collection[Event]) -> None:
        with self._store._ask():
            self._store._fence()
            self._book = _as_json(book)
            self._records |= {record.id: record for record in records}
            self._store._add_events(events)
            self.saved += 1

    def history(
        self, limit: int, before: tuple[float, str] | None = None, subject: str | None = None
    ) -> Sequence[AlertRecord]:
        with self._store._ask():
            found = sorted(self._records.values(), key=lambda one: (one.since_s, one.id), reverse=True)
        wanted = [one for one in found if subject is None or one.subject == subject]
        return [one for one in wanted if before is None or (one.since_s, one.id) < before][:limit]

    def open_records(self) -> Sequence[AlertRecord]:
        with self._store._ask():
            return [one for one in self._records.values() if one.cleared_s is None]

    def records(self, ids: Collection[str]) -> Mapping[str, AlertRecord]:
        with self._store._ask():
            return {id: self._records[id] for id in ids if id in self._records}

    def rules(self) -> dict[str, Any]:
        with self._store._ask():
            return dict(self._rules)

    def save_rules(self, rules: Mapping[str, Any]) -> None:
        with self._store._ask():
            self._store._fence()
            self._rules = _as_json(rules)

    def forget(self, before_s: float) -> int:
        with self._store._ask():
            self._store._fence()
            over = [one.id for one in self._records.values() if one.cleared_s is not None and one.cleared_s < before_s]
            for id in over:
                del self._records[id]
            return len(over)


class MemoryAccessStore:
    """`analytics.storage.access.AccessStore` without a database; passes the same contract suite.

    Attributes:
        away: while set, every call raises `StoreUnavailable`.
        times_asked: how often `tokens` was called.
    """

    def __init__(self, *, max_audited: int = MAX_AUDITED) -> None:
        self.away = False
        self.times_asked = 0
        self._max_audited = max_audited
        self._tokens: dict[str, TokenRecord] = {}
        self._entries: list[AuditRecord] = []
        self._written = 0

    def _ask(self) -> None:
        if self.away:
            raise StoreUnavailable("the database is away")

    def tokens(self) -> list[TokenRecord]:
        self.times_asked += 1
        self._ask()
        return [self._tokens[name] for name in sorted(self._tokens)]

    def add_token(self, token: TokenRecord) -> None:
        self._ask()
        if token.name in self._tokens or len(self._tokens) >= MAX_TOKENS:
            raise TokenConflict(f"there is a token {token.name!r} already, or there are too many")
        self._tokens[token.name] = token

    def revoke_token(self, name: str) -> bool:
        self._ask()
        return self._tokens.pop(name, None) is not None

    def append_audit(self, entry: AuditRecord) -> None:
        self._ask()
        self._written += 1
        self._entries = [*self._entries, replace(entry, number=self._written)][-self._max_audited :]

    def audit(self, limit: int, before: int | None = None) -> list[AuditRecord]:
        self._ask()
        found = [entry for entry in reversed(self._entries) if before is None or entry.number < before]
        return found[:limit]


def _as_json(value: Mapping[str, Any]) -> Any:
    """What a database would give back."""
    return json.loads(json.dumps(value))


SMALL_INPUT = (32, 48)
"""Height and width of the fake detector's input, pixels."""
Find: TypeAlias = Callable[[Image], Detections]


def nobody(image: Image) -> Detections:
    return Detections.empty()


class FakeDetector:
    """`pipelines.detection.base.Detector` that finds what a function finds, and fails or waits when told to.

    Attributes:
        failing: while set, every call raises it.
        failing_with: batches of which it says so fail too.
        gate: calls wait until it is set.
        gated: only calls with batches of which it says so wait.
        sizes: of the batches so far.
        thresholds: of score and overlap.
    """

    def __init__(self, find: Find = nobody, input_size: tuple[int, int] = SMALL_INPUT) -> None:
        self.input_size = input_size
        self.classes = ("person",)
        self.failing: Exception | None = None
        self.failing_with: Callable[[ImageBatch], bool] = lambda batch: False
        self.gate = threading.Event()
        self.gate.set()
        self.gated: Callable[[ImageBatch], bool] = lambda batch: True
        self.sizes: list[int] = []
        self.closed = 0
        self.thresholds = (0.1, 0.5)
        self._find = find

    def use_thresholds(self, *, score: float, overlap: float) -> None:
        self.thresholds = score, overlap

    def detect(self, batch: ImageBatch) -> list[Detections]:
        self.sizes.append(len(batch))
        if self.gated(batch):
            self.gate.wait(20.0)
        if self.failing is not None:
            raise self.failing
        if self.failing_with(batch):
            raise ValueError("not with these")
        return [self._find(image) for image in batch]

    def close(self) -> None:
        self.closed += 1


def brightness_as_box(image: Image) -> Detections:
    """One detection whose score tells the image's first pixel: to see whether answers reach their frames."""
    value = float(image[0, 0, 0])
    return Detections(np.array([[0, 0, 10, 20]], np.float32), np.array([value], np.float32), np.zeros(1, np.int32))


class Collected:
    """`pipelines.batching.flights.FrameConsumer` that keeps everything.

    Attributes:
        failing: while set, every call raises it, after the frame was kept.
        when: called with every frame.
    """

    def __init__(self) -> None:
        self.when: Callable[[WaitingFrame], None] = lambda frame: None
        self.frames: list[WaitingFrame] = []
        self.detections: list[Detections] = []
        self.failing: Exception | None = None

    def consume(self, frame: WaitingFrame, detections: Detections) -> None:
        self.frames.append(frame)
        self.detections.append(detections)
        self.when(frame)
        if self.failing is not None:
            raise self.failing

    @property
    def indices(self) -> list[int]:
        return [frame.stamp.index for frame in self.frames]


def picture(value: int = 0, size: tuple[int, int] = SMALL_INPUT) -> av.VideoFrame:
    """A plain grey frame of that brightness."""
    return av.VideoFrame.from_ndarray(np.full((*size, 3), value, np.uint8), format="bgr24")


@dataclass
class Sink:
    """`pipelines.sources.supervisor.FrameSink` that keeps stamps; while ``full`` it blocks like a mailbox does."""

    stamps: list[FrameStamp] = field(default_factory=list)
    full: bool = False

    def offer(
        self, video_frame: av.VideoFrame, stamp: FrameStamp, stop: threading.Event, *, wait: bool = False
    ) -> None:
        while self.full and not stop.wait(0.01):
            pass
        if not stop.is_set():
            self.stamps.append(stamp)


Step: TypeAlias = "float | tuple[float, dict[str, Any]] | Exception | Callable[[threading.Event], None]"
"""A frame's time, or that and its position; an error to raise; or something to do, such as to wait."""


@dataclass
class ScriptedSource:
    """`pipelines.sources.base.Source` that does what a script says, step by step.

    Attributes:
        steps: of ``frames``.
        refusal: raised by ``connect``.
        live: as in the protocol.
        brighter_per_s: how frames change with their time, so that a `FakeDetector` can find something else in each.
        has_reached: what ``reached`` tells; a step may change it.
        first_fingerprint: of its first frame, one more of each that follows; None if it has none.
        off_s: how far the times that it tells are ahead of those of the script.
    """

    steps: Sequence[Step] = ()
    refusal: Exception | None = None
    live: bool = True
    on_connect: Callable[[], None] = lambda: None
    resumed_at: Position | None = None
    closed: int = 0
    acknowledged: list[Position] = field(default_factory=list)
    connected: bool = False
    brighter_per_s: float = 0.0
    has_reached: Reached | None = None
    first_fingerprint: int | None = None
    off_s: float = 0.0

    def connect(self, resume: Position | None) -> StreamInfo:
        self.resumed_at = resume
        self.on_connect()
        if self.refusal is not None:
            raise self.refusal
        self.connected = True
        return StreamInfo("scripted", SMALL_INPUT[1], SMALL_INPUT[0], 25.0)

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        if not self.connected:
            raise RuntimeError("connect() comes first")
        number = self.first_fingerprint
        for step in self._rest():
            if stop.is_set():
                return
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step(stop)
                continue
            time_s, position = step if isinstance(step, tuple) else (step, None)
            seen = picture(int(time_s * self.brighter_per_s) % 256)
            yield SourceFrame(seen, time_s + self.off_s, position, fingerprint=number)
            number = None if number is None else number + 1

    def _rest(self) -> Sequence[Step]:
        """The steps behind the position to go on from, if the script knows it."""
        places = [step[1] if isinstance(step, tuple) else None for step in self.steps]
        known = self.resumed_at is not None and self.resumed_at in places
        return self.steps[places.index(self.resumed_at) + 1 :] if known else self.steps

    def reached(self) -> Reached | None:
        return self.has_reached

    def acknowledge(self, position: Position) -> None:
        self.acknowledged.append(position)

    def close(self) -> None:
        self.closed += 1
