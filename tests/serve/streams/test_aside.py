from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from serve.streams.aside import Aside
from tests.waiting import wait_until


@pytest.fixture
def aside() -> Iterator[Aside]:
    made = Aside("aside")
    made.start()
    yield made
    made.stop()


def test_one_task_waits_and_no_more(aside: Aside) -> None:
    begun, goes_on, done = threading.Event(), threading.Event(), []
    assert aside.offer(lambda: (begun.set(), goes_on.wait(5), done.append(1)))  # type: ignore[func-returns-value, arg-type, return-value]
    assert begun.wait(5)
    assert aside.offer(lambda: done.append(2))
    assert not aside.offer(lambda: done.append(3))
    goes_on.set()
    wait_until(lambda: done == [1, 2], 5, "both that had room")


def test_a_task_that_fails_is_said_and_the_next_is_done(aside: Aside, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    aside.offer(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    wait_until(lambda: aside.offer(done.set), 5, "room")
    assert done.wait(5)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_it_tidies_at_the_start_and_again_and_again() -> None:
    tidied: list[int] = []
    aside = Aside("aside", lambda: tidied.append(1), every_s=0.01)
    aside.start()
    wait_until(lambda: len(tidied) >= 3, 5, "three times")
    aside.stop()
    aside.stop()
    assert not aside.offer(lambda: None)


def test_a_task_that_hangs_holds_up_no_stop() -> None:
    aside, goes_on = Aside("aside"), threading.Event()
    aside.start()
    aside.offer(lambda: goes_on.wait(10))  # type: ignore[arg-type, return-value]
    aside.stop(timeout_s=0.05)
    goes_on.set()
