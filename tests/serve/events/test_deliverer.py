"""Who delivers: one at a time for each sink, in order, whoever dies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from analytics.errors import StoreUnavailable
from analytics.storage import event_rows, tables
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import EVERYTHING, DatabaseOutbox, EventFilter, NumberedEvent
from analytics.storage.sinks import DatabaseSinkStore, Lease, Progress, SinkRecord, Standing
from serve.events import deliverer as deliverer_module
from serve.events import delivery as delivery_module
from serve.events import tail as tail_module
from serve.events.deliverer import Deliverer, Opened
from serve.events.sinks.base import Outcome
from serve.events.tail import EventTail
from tests.analytics.storage.test_outbox import crossing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "POLL_S", 0.01)
    monkeypatch.setattr(deliverer_module, "LOOK_S", 0.01)
    monkeypatch.setattr(deliverer_module, "SILENT_S", 0.2)
    monkeypatch.setattr(delivery_module, "RENEW_S", 0.02)
    monkeypatch.setattr(delivery_module, "HELD_S", 0.15)
    monkeypatch.setattr(delivery_module, "FIRST_S", 0.01)
    monkeypatch.setattr(delivery_module, "LONGEST_S", 0.05)


class Receiver:
    """Where events go: remembers all that it gets, and fails when it is told to.

    Attributes:
        got: numbers of events, repeats included.
        away: while set, nothing is taken.
        refuses: numbers that are never taken.
        at_once: see `serve.events.sinks.base.Sink`.
    """

    def __init__(self) -> None:
        self.got: list[int] = []
        self.away = False
        self.refuses: set[int] = set()
        self.at_once = 3
        self.idle_s: float | None = None
        self.opened = self.closed = self.asked = 0
        self.slow_to_close: asyncio.Event | None = None

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        await asyncio.sleep(0)
        self.asked += not events
        if self.away:
            return Outcome(0, error="it is away")
        refused = [(one, "no") for one in events if one.number in self.refuses]
        self.got += [one.number for one in events if one.number not in self.refuses]
        return Outcome(len(events), refused)

    async def close(self) -> None:
        if self.slow_to_close is not None:
            await self.slow_to_close.wait()
        self.closed += 1

    @property
    def once(self) -> list[int]:
        """What is left after dropping repeats."""
        return list(dict.fromkeys(self.got))


class Freezing(DatabaseSinkStore):
    """A store whose answers do not come while somebody is frozen: it still sends what it has, as a frozen one may."""

    def __init__(self, database: DatabaseStore) -> None:
        super().__init__(database)
        self.frozen = threading.Event()

    def _wait(self) -> None:
        while self.frozen.is_set():
            time.sleep(0.01)

    def proceed(self, sink: str, lease: Lease, progress: Progress) -> None:
        self._wait()
        super().proceed(sink, lease, progress)

    def standings(self, *, with_dead: bool = False) -> dict[str, Standing]:
        self._wait()
        return super().standings(with_dead=with_dead)


class Refusing:
    """A store that lets nobody deliver."""

    def take(self, sink: str, owner: str, seen: Standing) -> Lease | None:
        raise StoreUnavailable("it is away")


class House:
    """A database with events, receivers, and deliverers."""

    def __init__(self, folder: Path) -> None:
        self.store = DatabaseStore(f"sqlite:///{folder / 'footfall.db'}")
        self.store.migrate()
        self.outbox = DatabaseOutbox(self.store)
        self.sinks = DatabaseSinkStore(self.store)
        self.receivers: dict[str, Receiver] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.deliverers: dict[str, Deliverer] = {}
        self.stores: dict[str, Freezing] = {}
        self.wanted: dict[str, EventFilter] = {}
        self.wrote = 0

    def add(self, name: str) -> Receiver:
        self.sinks.add_sink(name, {"type": "test"}, 0)
        return self.receivers.setdefault(name, Receiver())

    def write(self, count: int) -> None:
        self.outbox.append([crossing(float(self.wrote + number)) for number in range(count)])
        self.wrote += count

    def start(self, name: str) -> None:
        def open_sink(record: SinkRecord, _: int) -> Opened | None:
            if record.definition.get("off"):
                return None
            self.receivers[record.id].opened += 1
            return Opened(self.receivers[record.id], self.wanted.get(record.id, EVERYTHING))

        store = self.stores[name] = Freezing(self.store)
        made = self.deliverers[name] = Deliverer(name, store, EventTail(self.outbox), open_sink)
        self.tasks[name] = asyncio.create_task(made.run())

    async def stop(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks.pop(name), return_exceptions=True)

    def owner(self, sink: str) -> str | None:
        return self.sinks.standings()[sink].owner

    def standing_at(self, number: int) -> bool:
        return self.sinks.standings()["till"].position >= number

    async def until(self, condition: Callable[[], object], what: str) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"waited in vain for {what}")


def set_back(connection: sa.Connection) -> None:
    """To where there were five events, and the sink had three of them."""
    connection.execute(sa.delete(tables.events).where(tables.events.c.number > 5))
    connection.execute(sa.update(tables.numbering).values(last=5))
    connection.execute(sa.update(tables.deliveries).values(position=3))


def run(folder: Path, test: Callable[[House], Awaitable[None]]) -> None:
    async def whole() -> None:
        house = House(folder)
        try:
            await asyncio.wait_for(test(house), 30)
        finally:
            for store in house.stores.values():
                store.frozen.clear()
            for name in list(house.tasks):
                await house.stop(name)
            house.store.close()

    asyncio.run(whole())


def test_a_sink_gets_everything_in_order_and_once(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.write(10)
        house.start("one")
        await house.until(lambda: len(receiver.got) == 10, "ten events")
        house.write(5)
        await house.until(lambda: len(receiver.got) == 15, "five more")
        await house.stop("one")
        assert receiver.got == list(range(1, 16))
        standing = house.sinks.standings()["till"]
        assert (standing.position, standing.delivered, standing.owner, standing.error) == (15, 15, None, None)
        assert receiver.opened == receiver.closed == 1

    run(tmp_path, test)


def test_whoever_leaves_in_the_middle_of_storing_stores_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "RENEW_S", 0.0)  # at any moment, it stores

    async def test(house: House) -> None:
        receiver = house.add("till")
        receiver.refuses = set(range(1, 1000, 3))
        for _ in range(12):
            house.start("one")
            there = len(receiver.got)
            house.write(9)
            await house.until(lambda there=there: len(receiver.got) > there, "some of them")  # type: ignore[misc]
            await house.stop("one")
        house.start("one")
        await house.until(lambda: house.standing_at(house.wrote), "all of them")
        await house.stop("one")
        standing = house.sinks.standings(with_dead=True)["till"]
        assert (standing.delivered, standing.dead) == (2 * house.wrote // 3, house.wrote // 3)

    run(tmp_path, test)


def test_what_was_forgotten_before_it_could_be_sent_is_counted_once(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.write(10)
        house.outbox.number()
        house.outbox.forget(0.0, 4)
        for _ in range(2):
            house.start("one")
            await house.until(lambda: house.standing_at(house.wrote), "all that is left")
            await house.stop("one")
            assert receiver.got == [7, 8, 9, 10]
            standing = house.sinks.standings()["till"]
            assert (standing.missed, standing.delivered) == (6, 4)

    run(tmp_path, test)


def test_a_dead_sink_disturbs_no_other_and_gets_everything_once_it_is_back(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        dead, alive = house.add("dead"), house.add("alive")
        dead.away = True
        house.start("one")
        house.write(10)
        await house.until(lambda: len(alive.got) == 10, "the other's events")
        await house.until(lambda: house.sinks.standings()["dead"].error, "its error")
        assert house.sinks.standings()["dead"].error == "it is away"
        dead.away = False
        await house.until(lambda: len(dead.got) == 10, "its events")
        await house.until(lambda: house.sinks.standings()["dead"].error is None, "the end of its error")
        assert dead.got == alive.got == list(range(1, 11))

    run(tmp_path, test)


def test_what_is_refused_for_good_is_kept_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        receiver.refuses = {2, 5}
        house.write(7)
        house.start("one")
        await house.until(lambda: receiver.got == [1, 3, 4, 6, 7], "the rest")
        await house.until(lambda: house.sinks.standings(with_dead=True)["till"].dead == 2, "dead letters")
        assert [letter.event_number for letter in house.sinks.dead_letters("till", 10)] == [2, 5]
        assert house.sinks.standings()["till"].delivered == 5

    run(tmp_path, test)


def test_one_that_freezes_is_followed_by_another_and_stops_when_it_wakes_up(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        house.write(5)
        await house.until(lambda: len(receiver.got) == 5, "five events")
        house.stores["one"].frozen.set()
        house.start("two")
        house.write(5)
        await house.until(lambda: house.owner("till") == "two", "the other to take over")
        house.stores["one"].frozen.clear()
        await house.until(lambda: house.deliverers["one"].delivers_to == [], "the first to hear of it")
        house.write(5)
        await house.until(lambda: len(receiver.once) == 15, "the rest")
        assert receiver.once == list(range(1, 16))
        assert house.owner("till") == "two"

    run(tmp_path, test)


def test_one_that_cannot_renew_its_lease_sends_nothing_for_others_may_have_followed(tmp_path: Path) -> None:
    """At an MQTT broker, each of the two would throw the other out, again and again."""

    async def test(house: House) -> None:
        receivers = {name: Receiver() for name in ("one", "two")}
        house.sinks.add_sink("till", {"type": "test"}, 0)
        for name, receiver in receivers.items():
            receiver.idle_s = 0.02
            house.receivers["till"] = receiver  # each opens its own
            house.start(name)
            if name == "one":
                await house.until(lambda: receivers["one"].asked, "the first to look after it")
                house.stores["one"].frozen.set()  # from here on, the store answers to the second alone
            await house.until(lambda name=name: house.owner("till") == name, f"{name} to deliver")  # type: ignore[misc]
        asked = receivers["one"].asked
        house.write(10)
        await house.until(lambda: len(receivers["two"].got) == 10, "events")
        assert (receivers["one"].asked, receivers["one"].got) == (asked, [])
        house.stores["one"].frozen.clear()
        await house.until(lambda: receivers["one"].closed, "the first to hear of it")
        assert receivers["one"].got == []

    run(tmp_path, test)


def test_the_time_without_a_lease_is_no_reason_to_give_up_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "PATIENCE_S", 0.5)

    async def test(house: House) -> None:
        receiver = house.add("till")
        busy = asyncio.Event()

        async def send(events: Sequence[NumberedEvent]) -> Outcome:
            receiver.asked += 1
            if not busy.is_set():
                return Outcome(0, error="it is busy", answered=True)
            receiver.got += [one.number for one in events]
            return Outcome(len(events))

        monkeypatch.setattr(receiver, "send", send)
        house.start("one")
        house.write(1)
        await house.until(lambda: receiver.asked, "the first try")
        house.stores["one"].frozen.set()
        await asyncio.sleep(0.8)  # longer than its patience
        asked = receiver.asked
        house.stores["one"].frozen.clear()
        await house.until(lambda: receiver.asked > asked + 1, "further tries")
        busy.set()
        await house.until(lambda: receiver.got == [1], "the event")

    run(tmp_path, test)


def test_a_database_that_is_set_back_is_delivered_from_anew(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        house.write(25)
        await house.until(lambda: house.standing_at(25), "all of them")
        with house.store._transaction() as connection:
            set_back(connection)
        house.write(8)  # before anybody has seen it
        house.outbox.number()
        await house.until(lambda: receiver.got[-1] == 13, "what happened since then")
        assert receiver.got[-10:] == list(range(4, 14))
        house.sinks.rewind("till", 99)  # which nobody can have reached
        await house.until(lambda: house.sinks.standings()["till"].position == 13, "it to begin behind what there is")
        house.write(1)
        await house.until(lambda: receiver.got[-1] == 14, "what happened since then")

    run(tmp_path, test)


def test_a_database_that_is_set_back_and_overtakes_is_noticed(tmp_path: Path) -> None:
    """What happens in it before anybody looks may have numbers beyond where the sink was."""

    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        house.write(25)
        await house.until(lambda: house.standing_at(25), "all of them")
        house.stores["one"].frozen.set()
        with house.store._transaction() as connection:
            set_back(connection)
            event_rows.write(connection, [crossing(float(1000 + number)) for number in range(40)], 0.0)
            fresh, seq = tables.events.c.number.is_(None), tables.events.c.seq
            first = connection.execute(sa.select(sa.func.min(seq)).where(fresh)).scalar_one()
            connection.execute(sa.update(tables.events).where(fresh).values(number=seq - first + 6, stored_s=0.0))
            connection.execute(sa.update(tables.numbering).values(last=45))
        house.stores["one"].frozen.clear()
        await house.until(lambda: house.standing_at(45), "what happened since then")
        assert receiver.got[25:].count(4) == 1
        assert set(receiver.got[25:]) == set(range(4, 46))

    run(tmp_path, test)


def test_a_sink_that_was_opened_in_vain_is_closed(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        take, house.stores["one"].take = house.stores["one"].take, Refusing().take  # type: ignore[method-assign]
        await house.until(lambda: receiver.closed > 2, "it to be closed")
        house.stores["one"].take = take  # type: ignore[method-assign]
        house.write(1)
        await house.until(lambda: receiver.got == [1], "the event")
        assert receiver.opened == receiver.closed + 1

    run(tmp_path, test)


def test_one_that_leaves_is_followed_at_once(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        house.start("two")
        house.write(20)
        for _ in range(6):
            await house.until(lambda: house.owner("till") is not None, "somebody who delivers")
            owner = house.owner("till")
            assert owner is not None
            await house.stop(owner)
            house.write(20)
            house.start(owner)
        await house.until(lambda: len(receiver.once) == house.wrote, "all of them")
        assert receiver.got == list(range(1, house.wrote + 1))  # who leaves has stored how far it is

    run(tmp_path, test)


def test_a_sink_that_is_changed_is_opened_anew_and_one_that_is_switched_off_is_left_alone(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.add("till")
        house.start("one")
        house.write(3)
        await house.until(lambda: len(receiver.got) == 3, "events")
        house.sinks.change_sink("till", {"type": "test", "off": True}, 1)
        await house.until(lambda: house.owner("till") is None, "its end")
        house.write(3)
        await asyncio.sleep(0.1)
        assert len(receiver.got) == 3
        house.sinks.change_sink("till", {"type": "test"}, 2)
        await house.until(lambda: len(receiver.got) == 6, "the rest")
        assert (receiver.got, receiver.opened) == ([1, 2, 3, 4, 5, 6], 2)
        house.sinks.delete_sink("till")
        await house.until(lambda: receiver.closed == 2 and not house.deliverers["one"].delivers_to, "its end")

    run(tmp_path, test)


def test_a_sink_that_is_left_alone_is_looked_after_however_much_goes_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "LONGEST_S", 10.0)

    async def test(house: House) -> None:
        receiver = house.add("till")
        receiver.idle_s = 0.05
        house.wanted["till"] = EventFilter(streams=frozenset({"nobody"}))
        house.start("one")
        for _ in range(100):
            house.write(1)
            await asyncio.sleep(0.01)
        assert receiver.asked >= 5
        assert receiver.got == []
        await house.until(lambda: house.standing_at(house.wrote), "what is not wanted to be passed")
        receiver.away = True
        asked = receiver.asked
        await asyncio.sleep(0.5)
        assert receiver.asked - asked < 8  # less and less often

    run(tmp_path, test)


def test_a_sink_that_takes_long_to_close_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "CLOSE_S", 0.05)

    async def test(house: House) -> None:
        receiver = house.add("till")
        receiver.slow_to_close = asyncio.Event()
        house.start("one")
        house.write(1)
        await house.until(lambda: receiver.got == [1], "an event")
        house.sinks.change_sink("till", {"type": "test", "off": True}, 1)
        await house.until(lambda: house.owner("till") is None, "its end")
        assert receiver.closed == 0
        receiver.slow_to_close.set()
        await house.until(lambda: receiver.closed == 1, "it to be closed")

    run(tmp_path, test)


class Moody(Receiver):
    """Answers as it is told to, event by event."""

    def __init__(self) -> None:
        super().__init__()
        self.mood: Callable[[Sequence[NumberedEvent]], Outcome] = lambda events: Outcome(len(events))

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        outcome = self.mood(events)
        self.got += [one.number for one in events[: outcome.done]]
        return outcome


def test_the_event_that_is_in_the_way_is_given_up_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "PATIENCE_S", 0.2)

    async def test(house: House) -> None:
        receiver = house.receivers["till"] = Moody()
        receiver.mood = lambda events: (
            Outcome(0, error="500", answered=True) if any(one.number == 5 for one in events) else Outcome(len(events))
        )
        house.add("till")
        house.write(9)
        house.start("one")
        await house.until(lambda: receiver.got == [1, 2, 3, 4, 6, 7, 8, 9], "all others")
        await house.until(lambda: house.sinks.standings(with_dead=True)["till"].dead == 1, "a dead letter")

    run(tmp_path, test)


def test_a_sink_that_fails_in_itself_is_tried_again_and_says_so(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        receiver = house.receivers["till"] = Moody()

        def fail(_: Sequence[NumberedEvent]) -> Outcome:
            raise ZeroDivisionError

        receiver.mood = fail
        house.add("till")
        house.write(3)
        house.start("one")
        await house.until(lambda: house.sinks.standings()["till"].error, "its error")
        assert house.sinks.standings()["till"].error == "it fails in here: ZeroDivisionError"
        receiver.mood = lambda events: Outcome(len(events))
        await house.until(lambda: receiver.got == [1, 2, 3], "everything")
        assert receiver.closed == 0

    run(tmp_path, test)


def test_a_sink_that_cannot_be_opened_keeps_no_other_from_its_events(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        house.sinks.add_sink("broken", {"type": "test"}, 0)  # of which nobody knows a receiver
        receiver = house.add("till")
        house.write(3)
        house.start("one")
        await house.until(lambda: receiver.got == [1, 2, 3], "everything")

    run(tmp_path, test)


def test_nobody_is_given_up_while_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "PATIENCE_S", 0.2)

    async def test(house: House) -> None:
        receiver = house.receivers["till"] = Moody()
        receiver.mood = lambda events: Outcome(0, error="nobody")
        house.add("till")
        house.write(3)
        house.start("one")
        await asyncio.sleep(0.4)
        moods = iter([Outcome(0, error="502", answered=True)] * 2)
        receiver.mood = lambda events: next(moods, Outcome(len(events)))  # its proxy is up before it
        await house.until(lambda: receiver.got == [1, 2, 3], "everything")
        assert house.sinks.standings(with_dead=True)["till"].dead == 0

    run(tmp_path, test)
