"""Tokens over time: when the database is asked, when it is away, when a token ends; and how many may be wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.access import TokenRecord
from serve.api import credentials as credentials_module
from serve.api.credentials import FRESH_S, RETRY_S, STALE_S, Caller, Credentials, Scope, new_token
from serve.api.throttle import MAX_ADDRESSES, FailureThrottle
from serve.errors import BadRequest
from tests.fakes import MemoryAccessStore

BURST = 10
SETTINGS_TOKEN = "from-the-settings"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryAccessStore:
    return MemoryAccessStore()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))  # type: ignore[arg-type]


def add(store: MemoryAccessStore, name: str, scope: Scope = Scope.VIEWER, expires_s: float | None = None) -> str:
    record, secret = new_token(name, scope, 0.0, expires_s)
    store.add_token(record)
    return secret


def test_the_database_is_not_asked_for_every_request(store: MemoryAccessStore, clock: Clock) -> None:
    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        for _ in range(50):
            assert await credentials.needed()
            assert await credentials.caller_of(secret) == Caller("shop", Scope.VIEWER)
            assert await credentials.caller_of("ff_other") is None
        assert store.times_asked == 1

    run(test)


def test_a_database_that_says_nothing_keeps_nobody_waiting_whose_token_is_known(
    store: MemoryAccessStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_module, "PATIENT_S", 0.05)
    answers, look = threading.Event(), store.tokens

    def tokens() -> Sequence[TokenRecord]:
        answers.wait(10)
        return look()

    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        assert await credentials.caller_of(secret)
        store.tokens = tokens  # type: ignore[method-assign]
        for _ in range(5):  # one question, however often it is wanted
            clock.now += RETRY_S
            callers = await asyncio.gather(*(credentials.caller_of(secret) for _ in range(20)))
            assert callers == [Caller("shop", Scope.VIEWER)] * 20
        assert store.times_asked == 1
        store.revoke_token("shop")
        answers.set()
        clock.now += RETRY_S
        assert await credentials.caller_of(secret) is None

    run(test)


def test_tokens_that_change_while_the_database_is_asked_are_asked_for_again(
    store: MemoryAccessStore, clock: Clock
) -> None:
    asked, answers, look = threading.Event(), threading.Event(), store.tokens

    def tokens() -> Sequence[TokenRecord]:
        found = look()
        if not answers.is_set():
            asked.set()
            answers.wait(10)
        return found

    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        store.tokens = tokens  # type: ignore[method-assign]
        asking = asyncio.create_task(credentials.caller_of(secret))
        await asyncio.to_thread(asked.wait, 5)
        store.revoke_token("shop")
        credentials.forget()
        answers.set()
        assert await asking is None

    run(test)


def test_an_answer_that_came_long_ago_is_not_taken_for_a_new_one(
    store: MemoryAccessStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_module, "PATIENT_S", 0.05)
    answers, look = threading.Event(), store.tokens

    def tokens() -> Sequence[TokenRecord]:
        found = look()
        answers.wait(10)
        return found

    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        assert await credentials.caller_of(secret)
        store.tokens = tokens  # type: ignore[method-assign]
        clock.now += RETRY_S
        assert await credentials.caller_of(secret)
        left = credentials._question
        assert left is not None
        answers.set()  # when nobody waits any more
        await left.answer
        store.revoke_token("shop")
        clock.now += 8 * 3600
        assert await credentials.caller_of(secret) is None

    run(test)


def test_many_who_come_at_once_ask_the_database_once(store: MemoryAccessStore, clock: Clock) -> None:
    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        assert all(await asyncio.gather(*(credentials.caller_of(secret) for _ in range(50))))
        assert store.times_asked == 1

    run(test)


def test_a_revoked_token_stops_once_the_answer_is_not_fresh_any_more(store: MemoryAccessStore, clock: Clock) -> None:
    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, None, clock)
        assert await credentials.caller_of(secret)
        store.revoke_token("shop")
        clock.now += FRESH_S
        assert await credentials.caller_of(secret) is None
        assert not await credentials.needed()

    run(test)


def test_an_expired_token_opens_nothing_and_does_not_open_the_door_for_all(
    store: MemoryAccessStore, clock: Clock
) -> None:
    async def test() -> None:
        secret = add(store, "guest", expires_s=500.0)
        wall = Clock()
        wall.now = 499.0
        credentials = Credentials(store, None, clock, wall)
        assert await credentials.caller_of(secret)
        wall.now = 500.0
        assert await credentials.caller_of(secret) is None
        assert await credentials.needed()

    run(test)


def test_while_the_database_is_away_known_tokens_work_for_a_while(store: MemoryAccessStore, clock: Clock) -> None:
    async def test() -> None:
        secret = add(store, "shop")
        credentials = Credentials(store, SETTINGS_TOKEN, clock)
        assert await credentials.caller_of(secret)
        store.away = True
        clock.now += FRESH_S
        for _ in range(10):
            assert await credentials.caller_of(secret)
        assert store.times_asked == 2  # it is not asked for every request while it is away either
        clock.now += STALE_S + RETRY_S
        with pytest.raises(StoreUnavailable):
            await credentials.caller_of(secret)
        assert await credentials.caller_of(SETTINGS_TOKEN) == Caller("settings", Scope.ADMIN)

    run(test)


def test_a_service_that_cannot_read_its_tokens_lets_nobody_in(store: MemoryAccessStore, clock: Clock) -> None:
    async def test() -> None:
        store.away = True
        with pytest.raises(StoreUnavailable):
            await Credentials(store, None, clock).needed()

    run(test)


@pytest.mark.parametrize("name", ["", "a b", "settings", "this-machine", "x" * 65, "-x"])
def test_no_token_can_be_taken_for_another_caller(name: str) -> None:
    with pytest.raises(BadRequest):
        new_token(name, Scope.VIEWER, 0.0)


def test_what_is_stored_is_not_the_token() -> None:
    (first, secret), (second, other) = (new_token("a", Scope.ADMIN, 0.0) for _ in range(2))
    assert secret not in repr(first)
    assert secret != other
    assert first.digest != second.digest
    assert len(secret) >= 43  # 256 bits


@pytest.fixture
def throttle(clock: Clock) -> FailureThrottle:
    return FailureThrottle(BURST, clock)


def test_an_address_may_be_wrong_again_after_a_while_and_is_told_when(clock: Clock, throttle: FailureThrottle) -> None:
    assert [throttle.failed("a") for _ in range(BURST)] == [None] * BURST
    wait_s = throttle.failed("a")
    assert wait_s is not None
    assert throttle.failed("b") is None
    clock.now += wait_s
    assert throttle.failed("a") is None
    assert throttle.failed("a") is not None
    clock.now += 60
    assert [throttle.failed("a") for _ in range(BURST)] == [None] * BURST


def test_however_many_addresses_are_wrong_few_are_remembered(throttle: FailureThrottle) -> None:
    for number in range(3 * MAX_ADDRESSES):
        throttle.failed(f"address-{number}")
    assert throttle.remembered <= MAX_ADDRESSES
