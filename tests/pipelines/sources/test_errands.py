from __future__ import annotations

import threading

import pytest

from pipelines.sources.errands import Errands
from tests.waiting import wait_until


def asking(errands: Errands, done: list[str], timeout_s: float = 5.0) -> tuple[threading.Thread, list[object]]:
    """Somebody who waits for an errand, and what he hears."""
    heard: list[object] = []

    def ask() -> None:
        try:
            heard.append(errands.ask(lambda: done.append("done") or "answer", timeout_s))  # type: ignore[func-returns-value]
        except Exception as error:
            heard.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, heard


def test_who_asks_hears_the_answer() -> None:
    errands, done = Errands(), list[str]()
    thread, heard = asking(errands, done)
    wait_until(lambda: errands.do() or heard, 5, "the answer")  # type: ignore[func-returns-value]
    thread.join(5)
    assert (heard, done) == (["answer"], ["done"])


def test_what_goes_wrong_is_told_to_who_asked_and_to_nobody_else() -> None:
    errands = Errands()

    def wrong() -> None:
        raise ValueError("broken")

    doing = threading.Event()
    thread = threading.Thread(target=lambda: [errands.do() for _ in iter(lambda: doing.wait(0.001), True)])
    thread.start()
    try:
        with pytest.raises(ValueError, match="broken"):
            errands.ask(wrong, 5)
        assert errands.ask(lambda: 7, 5) == 7
    finally:
        doing.set()
        thread.join(5)


def test_what_was_given_up_is_not_done_later() -> None:
    errands, done = Errands(), list[str]()
    with pytest.raises(TimeoutError):
        errands.ask(lambda: done.append("done"), 0.01)
    errands.do()
    assert done == []


def test_what_has_been_begun_is_waited_for_to_its_end() -> None:
    errands, begun, finish = Errands(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        finish.wait(5)
        return "late"

    heard: list[str] = []
    asker = threading.Thread(target=lambda: heard.append(errands.ask(slow, 0.05)))
    asker.start()
    doer = threading.Thread(target=lambda: wait_until(lambda: errands.do() or begun.is_set(), 5, "it"))  # type: ignore[func-returns-value]
    doer.start()
    assert begun.wait(5)
    asker.join(0.1)
    finish.set()
    asker.join(5)
    doer.join(5)
    assert heard == ["late"]


def test_at_the_end_everybody_is_told() -> None:
    errands, done = Errands(), list[str]()
    thread, heard = asking(errands, done)
    wait_until(lambda: errands._asked, 5, "the question")
    errands.end(ConnectionError("gone"))
    thread.join(5)
    with pytest.raises(ConnectionError, match="gone"):
        errands.ask(lambda: 7, 5)
    assert (heard, done, errands.over) == ([ConnectionError], [], True)
