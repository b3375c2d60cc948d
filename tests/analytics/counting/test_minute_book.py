from __future__ import annotations

from analytics.counting import minute_book
from analytics.counting.minute_book import KEPT_MINUTES, MinuteBook


def test_stored_minutes_are_kept_for_a_while_and_no_longer() -> None:
    book: MinuteBook[list[int]] = MinuteBook(list)
    for minute in range(10 * KEPT_MINUTES):
        book.at(minute * 60.0).append(minute)
        book.acknowledge(book.pending())
    assert len(book) == 1
    assert len(book._kept) == KEPT_MINUTES
    newest = 10 * KEPT_MINUTES - 1
    assert book.at((newest - 60) * 60.0) == [newest - 60]
    assert book.at((newest - 2 * KEPT_MINUTES) * 60.0) == []


def test_the_minute_that_grows_is_not_put_away_though_later_ones_were_stored() -> None:
    book: MinuteBook[list[int]] = MinuteBook(list)
    for time_s in (7200.0, 60.0):
        book.at(time_s).append(1)
        book.acknowledge(book.pending())
    book.at(61.0).append(2)
    assert book.pending() == {minute_book.minute_of(60.0): [1, 2]}
