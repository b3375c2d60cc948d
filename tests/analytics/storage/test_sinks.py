"""What every `SinkStore` keeps: one deliverer at a time, and nothing forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from analytics.errors import LeaseLost
from analytics.storage import tables
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import DatabaseOutbox, NumberedEvent
from analytics.storage.sinks import DatabaseSinkStore, Lease, Progress, SinkStore, Standing
from tests.analytics.storage.test_outbox import begun, crossing


@pytest.fixture
def sinks(database: DatabaseStore) -> SinkStore:
    """With a sink, in a database that has had some events."""
    made = DatabaseSinkStore(database, wall_clock=lambda: 100.0, max_dead=3)
    with database._transaction() as connection:
        connection.execute(sa.update(tables.numbering).values(last=1000))
    made.add_sink("till", {"type": "webhook"}, 7)
    return made


def taken(sinks: SinkStore, owner: str = "one") -> Lease:
    lease = sinks.take("till", owner, sinks.standings()["till"])
    assert lease is not None
    return lease


def test_a_sink_is_new_once_and_stays_where_it_is_when_it_changes(sinks: SinkStore) -> None:
    assert sinks.add_sink("till", {"type": "other"}, 99) is False
    assert sinks.change_sink("till", {"type": "webhook", "url": "x"}, 1) is True
    assert sinks.change_sink("till", {"type": "another"}, 1) is False  # somebody was faster
    assert sinks.change_sink("nobody", {}, 1) is False
    (record,) = sinks.sinks()
    assert (record.definition, record.version, record.created_s) == ({"type": "webhook", "url": "x"}, 2, 100.0)
    assert sinks.standings() == {"till": Standing("till", 7)}


def test_a_sink_that_is_deleted_leaves_nothing_behind(sinks: SinkStore) -> None:
    lease = taken(sinks)
    sinks.proceed("till", lease, Progress(8, dead=[(NumberedEvent(8, crossing(1.0), 0.0), "no")]))
    assert sinks.delete_sink("till") is True
    assert sinks.delete_sink("till") is False
    assert (sinks.sinks(), sinks.standings(), sinks.dead_letters("till", 10)) == ([], {}, [])
    with pytest.raises(LeaseLost):
        sinks.proceed("till", lease, Progress(9))


def test_nobody_is_further_than_there_are_events(sinks: SinkStore) -> None:
    """Else whoever has delivered before a database was set back would pass over what comes in it."""
    lease = taken(sinks)
    sinks.proceed("till", lease, Progress(1000))
    with pytest.raises(LeaseLost, match="set back"):
        sinks.proceed("till", lease, Progress(1001))
    assert sinks.standings()["till"].position == 1000


def test_nobody_goes_on_from_where_nobody_was(sinks: SinkStore) -> None:
    lease = taken(sinks)
    sinks.proceed("till", lease, Progress(20, stored=(7,)))
    sinks.proceed("till", lease, Progress(21, stored=(19, 20)))
    with pytest.raises(LeaseLost, match="set back"):
        sinks.proceed("till", lease, Progress(22, stored=(20,)))
    assert sinks.standings()["till"].position == 21


def test_whoever_delivers_begins_where_it_was_asked_to(sinks: SinkStore) -> None:
    assert sinks.take("till", "one", replace(sinks.standings()["till"], position=5)) is not None
    assert sinks.standings()["till"].position == 5


def test_one_delivers_at_a_time(sinks: SinkStore) -> None:
    seen = sinks.standings()["till"]
    first = sinks.take("till", "one", seen)
    assert first == Lease("one", 1)
    assert sinks.take("till", "two", seen) is None  # it was looked at before
    sinks.proceed("till", first, Progress(8, delivered=1))
    stale = sinks.standings()["till"]
    assert (stale.owner, stale.position, stale.delivered, stale.delivered_s) == ("one", 8, 1, 100.0)
    sinks.proceed("till", first, Progress(9, delivered=1))
    assert sinks.take("till", "two", stale) is None  # the first was heard of meanwhile
    second = sinks.take("till", "two", sinks.standings()["till"])
    assert second == Lease("two", 2)
    with pytest.raises(LeaseLost):
        sinks.proceed("till", first, Progress(99, delivered=90))
    assert sinks.standings()["till"].position == 9
    sinks.let_go("till", first)  # nothing of it
    assert sinks.standings()["till"].owner == "two"
    sinks.let_go("till", second)
    assert sinks.standings()["till"].owner is None
    with pytest.raises(LeaseLost):
        sinks.proceed("till", second, Progress(10))


def test_a_sink_that_goes_back_does_so_whoever_delivers(sinks: SinkStore) -> None:
    lease = taken(sinks)
    sinks.proceed("till", lease, Progress(9, delivered=2, error="nobody answers"))
    assert sinks.rewind("till", 3) is True
    assert sinks.rewind("nobody", 3) is False
    standing = sinks.standings()["till"]
    assert (standing.position, standing.owner, standing.error, standing.delivered) == (3, None, None, 2)
    with pytest.raises(LeaseLost):
        sinks.proceed("till", lease, Progress(10))
    assert taken(sinks, "two").term > lease.term


def test_what_was_missed_adds_up_until_it_goes_back(sinks: SinkStore) -> None:
    lease = taken(sinks)
    for position, missed in ((9, 2), (12, 0), (20, 5)):
        sinks.proceed("till", lease, Progress(position, missed=missed))
    assert sinks.standings()["till"].missed == 7
    sinks.rewind("till", 3)
    assert sinks.standings()["till"].missed == 0


def test_a_sink_that_is_made_anew_is_not_moved_by_who_delivered_to_the_old_one(sinks: SinkStore) -> None:
    old = taken(sinks, "one")
    sinks.delete_sink("till")
    sinks.add_sink("till", {"type": "webhook"}, 0)
    new = taken(sinks, "two")
    assert old.term == new.term
    with pytest.raises(LeaseLost):
        sinks.proceed("till", old, Progress(500))
    sinks.let_go("till", old)
    assert (sinks.standings()["till"].position, sinks.standings()["till"].owner) == (0, "two")


def test_dead_letters_go_with_their_stream_and_when_they_are_old(database: DatabaseStore, sinks: SinkStore) -> None:
    lease = taken(sinks)
    events = [NumberedEvent(8, crossing(1.0), 0.0), NumberedEvent(9, crossing(2.0, stream="other"), 0.0)]
    sinks.proceed("till", lease, Progress(9, dead=[(one, "no") for one in events]))
    begun(database)
    database.delete_stream("cam", purge=True)
    assert [letter.event_number for letter in sinks.dead_letters("till", 10)] == [9]
    outbox = DatabaseOutbox(database)
    outbox.forget(100.0, 1000)
    assert len(sinks.dead_letters("till", 10)) == 1
    outbox.forget(100.1, 1000)
    assert sinks.dead_letters("till", 10) == []


def test_an_error_is_told_until_all_is_well(sinks: SinkStore) -> None:
    lease = taken(sinks)
    sinks.proceed("till", lease, Progress(7, error="nobody answers"))
    assert (sinks.standings()["till"].error, sinks.standings()["till"].error_s) == ("nobody answers", 100.0)
    sinks.proceed("till", lease, Progress(8, delivered=1))
    assert (sinks.standings()["till"].error, sinks.standings()["till"].error_s) == (None, None)


def test_what_died_is_kept_with_its_reason_the_newest_of_it(sinks: SinkStore) -> None:
    lease = taken(sinks)
    for number in range(8, 13):
        dead = [(NumberedEvent(number, crossing(float(number)), 0.0), f"refused {number}")]
        sinks.proceed("till", lease, Progress(number, dead=dead))
    letters = sinks.dead_letters("till", 10)
    assert [(letter.event_number, letter.error) for letter in letters] == [(n, f"refused {n}") for n in (10, 11, 12)]
    assert letters[0].event == crossing(10.0)
    assert sinks.standings(with_dead=True)["till"].dead == 3
    assert sinks.dead_letters("till", 1, after=letters[0].number) == [letters[1]]
    assert sinks.forget_dead("till", letters[0].number) is True
    assert sinks.forget_dead("till", letters[0].number) is False
    assert sinks.forget_dead("other", letters[1].number) is False
    assert sinks.standings(with_dead=True)["till"].dead == 2
    newest = letters[-1].number
    assert sinks.forget_dead("till", newest)
    sinks.proceed("till", lease, Progress(13, dead=[(NumberedEvent(13, crossing(13.0), 0.0), "refused 13")]))
    assert sinks.dead_letters("till", 10)[-1].number > newest  # whoever still sees the old one means that
