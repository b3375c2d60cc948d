from __future__ import annotations

import asyncio
import logging

import pytest

from serve.control.event_keeping import FORGET_S, EventKeeping
from serve.sections import EventsSettings
from tests.analytics.storage.test_outbox import crossing
from tests.fakes import MemoryOutbox, MemoryStore


def test_events_are_kept_for_as_long_as_is_set_and_no_more_of_them() -> None:
    now_s, wall_s = [0.0], [0.0]
    outbox = MemoryOutbox(MemoryStore(wall_clock=lambda: wall_s[0]))
    keeping = EventKeeping(EventsSettings(keep_days=1.0, keep_most=1000), lambda: now_s[0], lambda: wall_s[0])

    def keep() -> int:
        """The oldest that is there then."""
        asyncio.run(keeping.keep(outbox))
        return outbox.oldest()

    outbox.append([crossing(1.0)])
    assert keep() == 1
    wall_s[0] = 86401.0
    outbox.append([crossing(2.0)])
    assert keep() == 1  # not with every round
    now_s[0] += FORGET_S
    assert keep() == 2
    outbox.append([crossing(3.0 + number) for number in range(1000)])
    now_s[0] += FORGET_S
    assert keep() == 3


def test_where_something_was_forgotten_it_goes_on_with_the_next_round() -> None:
    outbox = MemoryOutbox(MemoryStore())
    keeping = EventKeeping(EventsSettings(), lambda: 0.0, lambda: 1e9)
    for number in range(3):
        outbox.append([crossing(float(number))])
        asyncio.run(keeping.keep(outbox))
        assert outbox.oldest() == number + 2


def test_a_database_that_is_away_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    keeping = EventKeeping(EventsSettings())

    def rounds(count: int) -> None:
        for _ in range(count):
            asyncio.run(keeping.round(MemoryOutbox(store), {}, lambda entry: entry.view(0.0, 0.0, 1).status))

    with caplog.at_level(logging.WARNING):
        rounds(1)
        for _ in range(2):
            store.away = True
            rounds(3)
            store.away = False
            rounds(1)
    assert caplog.messages == ["events are not seen to: the database is away"] * 2
