from __future__ import annotations

import asyncio

import pytest

from serve.control import event_keeping
from serve.control.event_keeping import FORGET_S, EventKeeping
from serve.settings import EventsSettings
from tests.analytics.storage.test_outbox import crossing
from tests.fakes import MemoryOutbox, MemoryStore


def test_events_are_kept_for_as_long_as_is_set_and_no_more_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_keeping, "AT_ONCE", 10**9)
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


def test_where_much_is_to_be_forgotten_it_goes_on_with_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_keeping, "AT_ONCE", 1)
    outbox = MemoryOutbox(MemoryStore())
    keeping = EventKeeping(EventsSettings(), lambda: 0.0, lambda: 1e9)
    for number in range(3):
        outbox.append([crossing(float(number))])
        asyncio.run(keeping.keep(outbox))
        assert outbox.oldest() == number + 2
