"""What every `Outbox` keeps, and how events get there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from analytics.counting.base import Crossing
from analytics.errors import LeaseLost, StaleEpoch
from analytics.events import SITE_OCCUPANCY, STREAM_STATE, Event, EventContext, EventMaker, identity
from analytics.storage import tables
from analytics.storage.base import Checkpoint, Store, StreamRecord
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import DatabaseOutbox, EventFilter, Outbox, Waiting
from pipelines.types import FrameStamp
from tests.analytics.storage.conftest import Postgres
from tests.analytics.storage.minutes import NOON, row
from tests.assigning import assign
from tests.fakes import MemoryOutbox, MemoryStore
from tests.waiting import wait_until


def crossing(at_s: float, stream: str = "cam", site: str = "", line: str = "door", epoch: int = 1) -> Event:
    context = EventContext(stream, site, epoch, "nanodet-g")
    stamp = FrameStamp(0, at_s, resume={"position": 1})
    (event,) = EventMaker().make([Crossing(line, 3, "in", at_s)], context, stamp)
    return event


def outbox_of(store: Store) -> Outbox:
    if isinstance(store, MemoryStore):
        return MemoryOutbox(store)
    assert isinstance(store, DatabaseStore)
    return DatabaseOutbox(store, wall_clock=store._wall_clock)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return outbox_of(store)


def begun(store: Store, stream: str = "cam") -> int:
    """The epoch of a stream that somebody works on."""
    store.put_stream(StreamRecord(stream, {}))
    epoch = assign(store, stream, "reader")
    store.begin(stream, epoch)
    return epoch


def cut(epoch: int, number: int, *events: Event, live: bool = True, stream: str = "cam") -> Checkpoint:
    resume = None if live else {"position": number}
    return Checkpoint(stream, epoch, [row(stream, epoch=epoch)], {"n": number}, resume, NOON + 1.0, number, 0.0, events)


def test_events_have_numbers_without_holes_in_the_order_in_which_they_were_written(outbox: Outbox) -> None:
    assert (outbox.number(), outbox.after(0, 10), outbox.oldest()) == (0, [], 1)
    events = [crossing(float(number)) for number in range(5)]
    outbox.append(events[:2])
    assert outbox.number() == 2
    outbox.append(events[2:])
    outbox.append(())
    assert outbox.number() == outbox.number() == 5
    assert [(one.number, one.event) for one in outbox.after(0, 10)] == list(enumerate(events, 1))
    assert [one.number for one in outbox.after(2, 2)] == [3, 4]
    assert outbox.after(5, 10) == []


def test_an_event_is_there_once_however_often_it_is_written(outbox: Outbox) -> None:
    event = crossing(1.0)
    outbox.append([event])
    outbox.append([replace(event, data={"other": 1}), crossing(2.0)])
    assert outbox.number() == 2
    assert [one.event for one in outbox.after(0, 10)] == [event, crossing(2.0)]


def test_events_come_with_the_rows_that_they_belong_to(store: Store, outbox: Outbox) -> None:
    epoch = begun(store)
    store.checkpoint(cut(epoch, 1, crossing(1.0), crossing(2.0)))
    store.checkpoint(cut(epoch, 1, crossing(1.0), crossing(2.0)))
    store.checkpoint(cut(epoch, 2))
    store.checkpoint(cut(epoch, 3, crossing(3.0)))
    assert outbox.number() == 3
    assert [one.event.time_s for one in outbox.after(0, 10)] == [1.0, 2.0, 3.0]


def test_who_may_not_write_rows_writes_no_events(store: Store, outbox: Outbox) -> None:
    epoch = begun(store)
    assign(store, "cam", "another")
    with pytest.raises(StaleEpoch):
        store.checkpoint(cut(epoch, 1, crossing(1.0)))
    assert outbox.number() == 0


@pytest.mark.parametrize("live", [True, False])
def test_what_waited_on_a_disk_brings_its_events_as_far_as_its_rows_are_wanted(
    store: Store, outbox: Outbox, live: bool
) -> None:
    epoch = begun(store)
    waited = replace(cut(epoch, 1, crossing(1.0), live=live), made_s=-1.0)  # stores' clocks may stand at zero
    store.begin("cam", assign(store, "cam", "another"))
    if live:  # nobody else has seen what it saw
        store.deliver(waited)
        store.deliver(waited)
    else:  # the next one sees it again, and tells of it
        with pytest.raises(StaleEpoch):
            store.deliver(waited)
    assert outbox.number() == (1 if live else 0)


def test_a_purged_streams_events_go_with_it_and_may_come_again(store: Store, outbox: Outbox) -> None:
    for stream in ("cam", "gate"):
        store.checkpoint(cut(begun(store, stream), 1, crossing(1.0, stream), stream=stream))
    assert outbox.number() == 2
    store.delete_stream("cam", purge=True)
    store.delete_stream("gate")
    assert [one.event.context.stream for one in outbox.after(0, 10)] == ["gate"]
    store.checkpoint(cut(begun(store), 1, crossing(1.0)))
    assert outbox.number() == 3
    assert [one.event for one in outbox.after(2, 10)] == [crossing(1.0)]


def state(at_s: float, stream: str, now: str = "running") -> Event:
    data = {"state": now, "before": None, "error": None, "error_code": None}
    return Event(identity(stream, at_s), STREAM_STATE, EventContext(stream, "", 1, ""), "", at_s, data)


def full(at_s: float, site: str, over: bool = True) -> Event:
    data = {"over": over, "people": 9}
    return Event(identity(site, at_s), SITE_OCCUPANCY, EventContext("cam0", site, 0, ""), site, at_s, data)


def test_what_was_told_last_is_known_for_as_long_as_it_holds(store: Store, outbox: Outbox) -> None:
    for stream in ("cam0", "cam1"):
        begun(store, stream)
    outbox.append(
        [state(0.0, "cam0"), state(1.0, "cam1", "failed"), state(2.0, "cam0", "stopped"), full(3.0, "b" * 200)]
    )
    outbox.append([state(0.0, "gone"), crossing(9.0)])

    def told() -> dict[str, float]:
        return {name: event.time_s for name, event in outbox.told_last(STREAM_STATE).items()}

    assert told() == {"cam0": 2.0, "cam1": 1.0, "gone": 0.0}  # before anybody has given them numbers
    assert outbox.told_last("footfall.crossing.v1") == {}
    outbox.number()
    outbox.forget(1e12, keep=0)
    assert outbox.after(0, 10) == []
    assert told() == {"cam0": 2.0, "cam1": 1.0}
    assert outbox.told_last(STREAM_STATE)["cam0"] == state(2.0, "cam0", "stopped")
    assert list(outbox.told_last(SITE_OCCUPANCY)) == ["b" * 200]
    outbox.append([full(4.0, "b" * 200, over=False)])
    (site,) = outbox.told_last(SITE_OCCUPANCY).values()
    assert (site.data["over"], site.time_s) == (False, 4.0)
    store.delete_stream("cam0", purge=True)
    assert told() == {"cam1": 1.0}


def test_who_does_not_lead_any_more_tells_of_nothing(store: Store, another: Store, outbox: Outbox) -> None:
    store.lead()
    another.lead()
    with pytest.raises(LeaseLost):
        outbox.append([state(1.0, "cam0")])
    outbox_of(another).append([state(2.0, "cam0")])
    assert outbox.number() == 1
    assert outbox.told_last(STREAM_STATE)["cam0"].time_s == 2.0


def test_a_name_that_is_too_long_is_cut_and_nothing_is_lost(outbox: Outbox) -> None:
    event = crossing(1.0)
    outbox.append([replace(event, context=replace(event.context, model="/a" * 400))])
    outbox.number()
    (stored,) = outbox.after(0, 10)
    assert stored.event.id == event.id
    assert stored.event.context.model.startswith("/a/a")


def test_who_wants_some_has_those_alone(outbox: Outbox) -> None:
    outbox.append([crossing(float(n), f"cam{n % 2}", ("berlin", "paris", "rome")[n % 3]) for n in range(12)])
    outbox.number()

    def times(**wanted: object) -> list[float]:
        return [one.event.time_s for one in outbox.after(0, 100, EventFilter(**wanted))]  # type: ignore[arg-type]

    assert times(streams=frozenset({"cam1"})) == [1, 3, 5, 7, 9, 11]
    assert times(sites=frozenset({"berlin", "rome"}), streams=frozenset({"cam0"})) == [0, 2, 6, 8]
    assert times(types=frozenset({"footfall.crossing.v1"}), since_s=9.5) == [10, 11]
    assert times(types=frozenset({"footfall.queue.v1"})) == []


def test_what_somebody_has_not_read_is_counted(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outbox.waiting(0) == Waiting(0, None)
    outbox.append([crossing(float(number), stream=stream) for number in range(3) for stream in ("cam", "other")])
    outbox.number()
    first = outbox.after(0, 1)[0]
    assert outbox.waiting(0) == Waiting(6, first.stored_s)
    assert outbox.waiting(4).events == 2
    assert outbox.waiting(6) == Waiting(0, None)
    assert outbox.waiting(0, EventFilter(streams=frozenset({"cam"}))).events == 3
    assert outbox.waiting(0, EventFilter(types=frozenset({"footfall.queue.v1"}))) == Waiting(0, None)
    monkeypatch.setattr("analytics.storage.outbox.MOST_LOOKED_AT", 2)
    outbox.append([crossing(9.0, stream="rare")])
    outbox.number()
    assert outbox.waiting(0, EventFilter(streams=frozenset({"rare"}))).events == 1


def test_it_is_not_looked_for_ever_for_what_somebody_has_not_read(
    database: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = DatabaseOutbox(database)
    outbox.append([crossing(float(number)) for number in range(6)])
    outbox.append([crossing(9.0, stream="rare")])
    outbox.number()
    rare = EventFilter(streams=frozenset({"rare"}))
    monkeypatch.setattr("analytics.storage.outbox.MOST_LOOKED_AT", 2)
    monkeypatch.setattr("analytics.storage.outbox.MOST_PASSED", 4)
    assert (outbox.waiting(0, rare).events, outbox.waiting(3, rare).events) == (0, 1)


def test_one_may_begin_at_a_time(outbox: Outbox) -> None:
    outbox.append([crossing(at_s) for at_s in (10.0, 20.0, 15.0, 30.0)])  # streams tell of the same time not at once
    outbox.number()
    assert [outbox.before(at_s) for at_s in (0.0, 12.0, 20.0, 25.0, 31.0)] == [0, 1, 1, 3, 4]


def test_what_is_old_or_too_much_is_forgotten_and_its_numbers_are_not_used_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(store, "_wall_clock", lambda: now_s[0])
    outbox = outbox_of(store)
    for number in range(6):
        now_s[0] = 1e9 - number  # writers' clocks may be anything
        outbox.append([crossing(float(number))])
        now_s[0] = 100.0 + number
        outbox.number()
    assert outbox.forget(102.0, keep=100) == 2
    assert (outbox.oldest(), [one.number for one in outbox.after(0, 10)]) == (3, [3, 4, 5, 6])
    assert outbox.forget(0.0, keep=2) == 2
    assert outbox.forget(0.0, keep=2) == 0
    assert outbox.forget(1e9, keep=2) == 2
    assert outbox.forget(1e9, keep=2) == 0
    assert (outbox.number(), outbox.oldest(), outbox.before(0.0)) == (6, 7, 6)
    outbox.append([crossing(9.0)])
    assert outbox.number() == 7


@pytest.mark.integration
def test_what_is_purged_while_it_gets_its_number_leaves_a_hole_and_nothing_worse(
    postgres: Postgres, migrated: str
) -> None:
    url = postgres.fresh_database(template=migrated)
    store, other = DatabaseStore(url), DatabaseStore(url)
    outbox = DatabaseOutbox(store)
    outbox.append([crossing(1.0, "gone"), crossing(2.0, "stays"), crossing(3.0, "stays")])
    numbering = threading.Thread(target=outbox.number)
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with other._transaction() as connection:
        connection.execute(sa.delete(tables.events).where(tables.events.c.stream == "gone"))
        numbering.start()
        wait_until(lambda: other_waits(postgres, url, waits), 10, "who numbers to wait for who purges")
    numbering.join(10)
    outbox.append([crossing(4.0, "stays")])
    newest = outbox.number()
    found = outbox.after(0, 10)
    assert [one.event.time_s for one in found] == [2.0, 3.0, 4.0]
    assert len({one.number for one in found}) == 3
    assert found[-1].number == newest
    for one in (store, other):
        one.close()


def other_waits(postgres: Postgres, url: str, question: str) -> bool:
    """Whether somebody waits for a lock."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(question).scalar())


@pytest.mark.parametrize("kind", [pytest.param("postgres", marks=pytest.mark.integration), "sqlite"])
def test_nothing_appears_behind_a_number_that_was_read_while_many_write(
    request: pytest.FixtureRequest, kind: str, tmp_path: object
) -> None:
    """Writers, each with a stream of its own; two who read, and number, at the same time."""
    if kind == "postgres":
        url = request.getfixturevalue("postgres").fresh_database(template=request.getfixturevalue("migrated"))
    else:
        url = f"sqlite:///{tmp_path}/footfall.db"
    first = DatabaseStore(url)
    first.migrate()
    streams = [f"cam{number}" for number in range(4)]
    epochs = {stream: begun(first, stream) for stream in streams}
    each, over = 60, threading.Event()
    seen: list[list[tuple[str, float]]] = [[], []]
    failed: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failed.append(error)

        return run

    def write(stream: str) -> None:
        store = DatabaseStore(url)
        for number in range(1, each + 1):
            event = crossing(float(number), stream, epoch=epochs[stream])
            store.checkpoint(cut(epochs[stream], number, event, stream=stream))
        store.close()

    def read(into: list[tuple[str, float]]) -> None:
        store = DatabaseStore(url)
        outbox, at = DatabaseOutbox(store), 0
        while not (over.is_set() and at == outbox.number() == each * len(streams)):
            outbox.number()
            for one in outbox.after(at, 7):
                assert one.number == at + 1
                at = one.number
                into.append((one.event.context.stream, one.event.time_s))
        store.close()

    writers = [threading.Thread(target=guarded(lambda stream=stream: write(stream))) for stream in streams]  # type: ignore[misc]
    readers = [threading.Thread(target=guarded(lambda into=into: read(into)), daemon=True) for into in seen]  # type: ignore[misc]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    over.set()
    for thread in readers:
        thread.join(20)
    first.close()
    assert failed == []
    assert seen[0] == seen[1]
    for stream in streams:
        assert [at_s for name, at_s in seen[0] if name == stream] == [float(n) for n in range(1, each + 1)]
