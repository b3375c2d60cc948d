from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent
from serve.events import tail as tail_module
from serve.events.tail import EventTail
from serve.events.telling import POSITION_S, Told, telling
from tests.analytics.storage.test_outbox import crossing
from tests.fakes import MemoryOutbox, MemoryStore


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "POLL_S", 0.005)


class CountingOutbox(MemoryOutbox):
    """Counts who asks for events."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.asked = 0

    def after(self, number: int, limit: int, wanted: EventFilter = EVERYTHING) -> list[NumberedEvent]:
        self.asked += 1
        return super().after(number, limit, wanted)


class House:
    """An outbox, its tail, and those who listen."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.outbox = CountingOutbox(self.store)
        self.tail = EventTail(self.outbox)
        self.wrote = 0
        self.missing: list[int] = []

    def write(self, count: int, stream: str = "cam") -> None:
        self.outbox.append([crossing(float(self.wrote + number), stream) for number in range(count)])
        self.wrote += count

    async def until_read(self, number: int) -> None:
        """Until whoever listens has read up to a number."""
        while self.tail._newest < number:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)

    async def hear(self, count: int, after: int = 0, wanted: EventFilter = EVERYTHING) -> list[int]:
        """Numbers of the first events that a listener has."""
        found: list[int] = []
        listening = self.tail.listen(after, wanted)
        async for heard in listening:
            found += [one.number for one in heard.events]
            self.missing += [] if heard.oldest is None else [heard.oldest]
            if len(found) >= count:
                break
        await listening.aclose()
        return found[:count]


def run(test: Callable[[House], Awaitable[None]]) -> None:
    async def whole() -> None:
        house = House()
        await asyncio.wait_for(test(house), 20)
        assert house.tail.listeners == 0
        await house.tail.stop()

    asyncio.run(whole())


def test_a_listener_has_what_is_there_and_what_comes_in_order() -> None:
    async def test(house: House) -> None:
        house.write(5)
        hearing = asyncio.create_task(house.hear(8))
        while house.tail._newest < 5:
            await asyncio.sleep(0.001)
        for _ in range(3):
            house.write(1)
            await asyncio.sleep(0.01)
        assert await hearing == list(range(1, 9))

    run(test)


def test_many_listeners_cost_the_store_no_more_than_one() -> None:
    async def test(house: House) -> None:
        house.write(1)
        assert await house.hear(1) == [1]
        hearing = [asyncio.create_task(house.hear(10, after=1)) for _ in range(50)]
        await asyncio.sleep(0.02)
        house.outbox.asked = 0
        house.write(10)
        assert await asyncio.gather(*hearing) == [list(range(2, 12))] * 50
        assert house.outbox.asked <= 10

    run(test)


def test_who_is_far_behind_reads_from_the_store_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "AT_ONCE", 7)
    monkeypatch.setattr(tail_module, "REMEMBERED", 10)

    async def test(house: House) -> None:
        house.tail = EventTail(house.outbox)
        house.write(100)
        slow = asyncio.create_task(house.hear(150))
        await asyncio.sleep(0.02)
        house.write(50)
        assert await slow == list(range(1, 151))

    run(test)


def test_who_wants_some_has_those_alone_from_memory_and_from_the_store() -> None:
    async def test(house: House) -> None:
        for number in range(40):
            house.write(1, f"cam{number % 2}")
        wanted = EventFilter(streams=frozenset({"cam1"}))
        assert await house.hear(20, wanted=wanted) == list(range(2, 41, 2))
        hearing = asyncio.create_task(house.hear(2, after=40, wanted=wanted))
        await asyncio.sleep(0.02)
        for name in ("cam0", "cam1", "cam0", "cam1"):
            house.write(1, name)
        assert await hearing == [42, 44]

    run(test)


def test_a_database_that_is_away_is_waited_for_and_nothing_is_missed() -> None:
    async def test(house: House) -> None:
        house.write(3)
        hearing = asyncio.create_task(house.hear(6))
        await asyncio.sleep(0.02)
        house.store.away = True
        await asyncio.sleep(0.03)
        assert house.tail.error is not None
        late = asyncio.create_task(house.hear(6))
        await asyncio.sleep(0.02)
        house.store.away = False
        house.write(3)
        assert await hearing == await late == [1, 2, 3, 4, 5, 6]
        assert house.tail.error is None

    run(test)


def test_nobody_is_asked_while_nobody_listens() -> None:
    async def test(house: House) -> None:
        house.write(1)
        await house.hear(1)
        await asyncio.sleep(0.02)
        assert house.tail._following is None
        house.write(2)
        assert await house.hear(2, after=1) == [2, 3]

    run(test)


def test_who_is_overtaken_by_what_is_forgotten_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "AT_ONCE", 5)
    monkeypatch.setattr(tail_module, "REMEMBERED", 5)

    async def test(house: House) -> None:
        house.tail = EventTail(house.outbox)
        house.write(30)
        listening = house.tail.listen(0)
        first = await anext(listening)
        assert ([one.number for one in first.events], first.oldest) == ([1, 2, 3, 4, 5], None)
        house.outbox.forget(0.0, keep=10)
        second = await anext(listening)
        assert ([one.number for one in second.events], second.oldest) == ([21, 22, 23, 24, 25], 21)
        third = await anext(listening)
        assert ([one.number for one in third.events], third.oldest) == ([26, 27, 28, 29, 30], None)
        await listening.aclose()

    run(test)


def test_a_database_that_breaks_off_in_a_burst_makes_nobody_hear_anything_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tail_module, "AT_ONCE", 5)

    async def test(house: House) -> None:
        house.write(1)
        assert await house.hear(1) == [1]
        hearing = asyncio.create_task(house.hear(20, after=1, wanted=EventFilter(streams=frozenset({"cam"}))))
        await asyncio.sleep(0.02)
        after, asked = house.outbox.after, [0]

        def breaking(number: int, limit: int, wanted: EventFilter = EVERYTHING) -> list[NumberedEvent]:
            asked[0] += 1
            if asked[0] == 3:
                raise StoreUnavailable("it breaks off")
            return after(number, limit, wanted)

        monkeypatch.setattr(house.outbox, "after", breaking)
        house.write(20)
        assert await hearing == list(range(2, 22))

    run(test)


def test_who_listens_to_a_database_that_is_set_back_hears_the_end_and_then_what_comes() -> None:
    async def test(house: House) -> None:
        house.write(20)
        listening = house.tail.listen(0)
        assert len((await anext(listening)).events) == 20
        before = house.outbox
        house.outbox = CountingOutbox(MemoryStore())
        house.tail._outbox = house.outbox
        house.write(5)
        with pytest.raises(StopAsyncIteration):
            await anext(listening)
        assert before is not house.outbox
        assert await house.hear(5) == [1, 2, 3, 4, 5]
        house.write(1)
        assert await house.hear(1, after=5) == [6]

    run(test)


def test_a_database_that_comes_back_with_other_events_of_the_same_numbers_is_noticed() -> None:
    async def test(house: House) -> None:
        house.write(3)
        listening = house.tail.listen(3)
        coming = asyncio.ensure_future(anext(listening))
        await house.until_read(3)
        house.write(1)
        assert [one.number for one in (await coming).events] == [4]
        house.store.away = True
        coming = asyncio.ensure_future(anext(listening))
        while house.tail.error is None:
            await asyncio.sleep(0.001)
        house.outbox = house.tail._outbox = CountingOutbox(MemoryStore())
        house.write(6)  # some of them are in the place of what was read
        house.outbox.number()
        with pytest.raises(StopAsyncIteration):
            await coming

    run(test)


def test_what_was_read_while_somebody_listened_is_not_told_to_who_comes_after_it_was_set_back() -> None:
    async def test(house: House) -> None:
        house.write(20)
        assert len(await house.hear(20)) == 20
        house.outbox = house.tail._outbox = CountingOutbox(MemoryStore())  # nobody listens
        house.write(5)
        house.outbox.number()
        hearing = asyncio.ensure_future(house.hear(1, after=5))
        await asyncio.sleep(0.05)
        house.write(1)
        assert await hearing == [6]

    run(test)


def test_a_listener_is_told_where_it_begins_and_how_far_nothing_of_interest_has_come() -> None:
    async def test(house: House) -> None:
        house.write(3)
        now_s = [0.0]
        rare = EventFilter(streams=frozenset({"rare"}))
        async with aclosing(telling(house.tail, 3, rare, clock=lambda: now_s[0])) as tellings:
            assert await anext(tellings) == Told(3)
            coming = asyncio.ensure_future(anext(tellings))
            house.write(4)
            await house.until_read(7)
            assert not coming.done()  # it was told a moment ago
            now_s[0] = POSITION_S
            house.write(1)
            assert (await coming).position == 8
            house.write(1, "rare")
            told = await anext(tellings)
            assert ([one.number for one in told.events], told.position) == ([9], 9)

    run(test)


def test_a_gap_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "REMEMBERED", 0)

    async def test(house: House) -> None:
        house.tail = EventTail(house.outbox)
        house.write(9)
        house.outbox.number()
        house.outbox.forget(0.0, keep=2)
        async with aclosing(telling(house.tail, 0, EVERYTHING, {"after": 99, "oldest": 8})) as tellings:
            assert await anext(tellings) == Told(0, gap={"after": 99, "oldest": 8})
            told = await anext(tellings)
            assert ([one.number for one in told.events], told.gap) == ([8, 9], {"after": 0, "oldest": 8})

    run(test)
