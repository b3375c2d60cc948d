from __future__ import annotations

from typing import Any

import pytest

from analytics.alerts.book import AlertBook
from analytics.alerts.silences import LONGEST_S, LONGEST_TEXT, MOST_AHEAD_S, MOST_SILENCES
from analytics.errors import SilenceInvalid, UnknownSilence
from tests.analytics.alerts.site import BEGIN_S, SOME, Site


def test_a_silenced_alert_is_shown_and_told_when_the_silence_ends() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 8, "anna", "works", rule="down", subject="cam")
    assert site.see("down", seconds=8) == []
    assert site.only.silenced
    assert site.only.state == "active"
    assert site.see("down") == [(8, "raised", "down")]
    assert not site.only.silenced
    assert site.book.silences() == []
    assert site.changes[0].alert.raised_s == BEGIN_S + 3


def test_what_begins_and_ends_within_a_silence_is_not_told() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 20, "anna", "works")
    site.see("down", "lost", seconds=10)
    site.fine(20)
    assert site.told == []


def test_what_was_gone_when_the_silence_ended_is_told_only_if_it_is_back() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 6, "anna", "works")
    site.see("down", seconds=5)
    assert site.fine(2) == []
    assert site.only.state == "clearing"
    assert site.see("down") == [(7, "raised", "down")]


def test_what_comes_back_after_an_end_that_nobody_was_told_of_waits_for_no_cool_down() -> None:
    site = Site()
    silence = site.book.silence(site.now_s, site.now_s + 100, "anna", "works")
    site.see("down", seconds=4)
    first = site.only
    site.fine(3)
    site.book.unsilence(silence.id)
    assert site.see("down", seconds=4) == [(10, "raised", "down")]
    assert site.only.id == first.id


def test_who_was_told_before_a_silence_hears_within_it_that_it_is_over() -> None:
    site = Site()
    site.see("down", seconds=4)
    site.book.silence(site.now_s, site.now_s + 100, "anna", "works")
    assert site.only.silenced
    assert site.fine(3) == [(6, "cleared", "down")]


@pytest.mark.parametrize(
    ("rule", "subject", "is_covered"),
    [
        (None, None, True),
        ("down", None, True),
        (None, "cam", True),
        ("down", "cam", True),
        ("lost", None, False),
        (None, "other", False),
        ("down", "other", False),
        ("lost", "cam", False),
    ],
)
def test_a_silence_is_about_a_rule_or_a_subject_or_both_or_all(
    rule: str | None, subject: str | None, is_covered: bool
) -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 100, "anna", "", rule=rule, subject=subject)
    assert bool(site.see("down", seconds=5)) != is_covered
    assert site.only.silenced == is_covered


def test_a_silence_may_begin_later_and_a_problem_from_before_is_known_by_then() -> None:
    site = Site()
    silence = site.book.silence(site.now_s, site.now_s + 20, "anna", "works", from_s=site.now_s + 5)
    assert site.see("down", seconds=4) == [(3, "raised", "down")]
    assert not site.only.silenced
    site.see("down", "lost", seconds=2)
    assert {alert.silenced for alert in site.book.alerts()} == {True}
    assert site.told[1:] == [(4, "raised", "lost")]
    assert site.book.silences() == [silence]


def test_a_silence_to_come_is_still_to_come_after_a_restart() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 20, "anna", "works", from_s=site.now_s + 10)
    site.restart()
    assert site.see("down", seconds=4) == [(3, "raised", "down")]
    assert site.see("lost", seconds=5)[0] == (4, "raised", "lost")


def test_an_end_of_a_silence_shows_at_once() -> None:
    site = Site()
    site.see("down")
    silence = site.book.silence(site.now_s, site.now_s + 20, "anna", "works")
    assert site.only.silenced
    site.book.unsilence(silence.id)
    assert not site.only.silenced


def test_a_silence_that_is_called_off_before_it_begins_never_was() -> None:
    site = Site()
    silence = site.book.silence(site.now_s, site.now_s + 20, "anna", "works", from_s=site.now_s + 2)
    assert site.book.unsilence(silence.id) == silence
    assert site.see("down", seconds=5) == [(3, "raised", "down")]
    with pytest.raises(UnknownSilence, match=silence.id):
        site.book.unsilence(silence.id)


def test_the_same_silence_twice_is_one() -> None:
    book = AlertBook(SOME)
    asked = [book.silence(BEGIN_S, BEGIN_S + 20, "anna", "works", rule="down") for _ in range(2)]
    assert asked[0] == asked[1]
    assert book.silences() == asked[:1]
    assert book.silence(BEGIN_S, BEGIN_S + 20, "anna", "works").id != asked[0].id


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"until_s": BEGIN_S}, "must end after it begins"),
        ({"until_s": BEGIN_S + LONGEST_S + 1}, "within 30 days"),
        ({"until_s": float("nan")}, "must end after it begins"),
        ({"until_s": float("inf")}, "must end after it begins"),
        ({"from_s": BEGIN_S + 20}, "must end after it begins"),
        ({"from_s": BEGIN_S - 20, "until_s": BEGIN_S}, "is over already"),
        ({"from_s": BEGIN_S + MOST_AHEAD_S + 1, "until_s": BEGIN_S + MOST_AHEAD_S + 2}, "must begin within 366 days"),
        ({"rule": "unheard-of"}, "no alert rule named 'unheard-of'"),
        ({"subject": "c" * (LONGEST_TEXT + 1)}, "subject must be text of at most 200"),
        ({"reason": "r" * (LONGEST_TEXT + 1)}, "reason must be text of at most 200"),
        ({"reason": "\ud800"}, "reason must be text"),
        ({"by": "b" * (LONGEST_TEXT + 1)}, "by must be text of at most 200"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(asked: dict[str, Any], says: str) -> None:
    book = AlertBook(SOME)
    with pytest.raises(SilenceInvalid, match=says):
        book.silence(**{"now_s": BEGIN_S, "until_s": BEGIN_S + 10, "by": "anna", "reason": "works"} | asked)
    assert book.silences() == []


def test_there_are_only_so_many_silences_and_those_that_are_over_make_room() -> None:
    book = AlertBook(SOME)
    for number in range(MOST_SILENCES):
        book.silence(BEGIN_S, BEGIN_S + 10, "anna", "", subject=f"cam-{number}")
    with pytest.raises(SilenceInvalid, match="1000 silences"):
        book.silence(BEGIN_S, BEGIN_S + 10, "anna", "")
    book.silence(BEGIN_S, BEGIN_S + 10, "anna", "", subject="cam-1")
    book.silence(BEGIN_S + 10, BEGIN_S + 20, "anna", "")
    assert len(book.silences()) == 1


def test_silences_are_listed_by_when_they_begin() -> None:
    book = AlertBook(SOME)
    for off_s in (5, 1, 3):
        book.silence(BEGIN_S, BEGIN_S + 10, "anna", "", from_s=BEGIN_S + off_s)
    assert [silence.from_s - BEGIN_S for silence in book.silences()] == [1, 3, 5]


def test_a_silence_that_has_begun_goes_on_when_the_clock_is_set_back() -> None:
    site = Site()
    site.book.silence(site.now_s, site.now_s + 100, "anna", "")
    site.see("down", seconds=2)
    site.now_s -= 3600
    assert site.see("down", seconds=20) == []
    site.restart()
    assert site.see("down", seconds=20) == []
    assert site.only.silenced
