from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.opening_hours import LOOK_AHEAD, MOST_EXCEPTIONS, MOST_SPANS, WEEKDAYS, OpeningHours
from analytics.errors import OpeningHoursInvalid

HOUR_S, DAY_S = 3600.0, 86_400.0
TRIED = settings(max_examples=25, derandomize=True, database=None, deadline=None)
CHANGES = [
    ("Europe/Berlin", "2025-03-30"),  # 02:00 to 03:00 never
    ("Europe/Berlin", "2025-10-26"),  # 02:00 to 03:00 twice
    ("Australia/Lord_Howe", "2025-04-06"),  # half an hour twice
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Pacific/Chatham", "2025-09-28"),  # 02:45 to 03:45 never
    ("America/Sao_Paulo", "2018-11-04"),  # the hour after midnight never
    ("America/Sao_Paulo", "2018-02-17"),  # the hour before midnight twice
    ("Africa/Cairo", "2024-10-31"),  # likewise
    ("America/St_Johns", "2005-10-30"),  # a minute after midnight it is 23:01 of the day before
    ("Pacific/Apia", "2011-12-30"),  # a day that never was
    ("Asia/Kathmandu", "2025-12-31"),
]


def hours(week: dict[str, Any], timezone: str = "Europe/Berlin", **exceptions: Any) -> OpeningHours:
    named = {day.replace("_", "-").lstrip("d"): spans for day, spans in exceptions.items()}
    return OpeningHours.from_document({"timezone": timezone, "week": week, "exceptions": named})


def daily(*spans: tuple[str, str], timezone: str = "Europe/Berlin") -> OpeningHours:
    return hours({day: [list(span) for span in spans] for day in WEEKDAYS}, timezone)


def at(text: str, timezone: str = "Europe/Berlin", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()


def day_open_s(opening: OpeningHours, day: str) -> float:
    """How long it is open from midnight to midnight of local time."""
    zone = opening.zone.key
    following = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    return opening.seconds_open(at(day, zone), at(following, zone))


def test_a_span_is_open_from_its_first_second_to_the_one_before_its_last() -> None:
    opening = hours({"monday": [["09:00", "18:30"]]})
    begin_s, end_s = at("2025-06-02 09:00"), at("2025-06-02 18:30")
    assert [opening.is_open(begin_s + off_s) for off_s in (-0.001, 0.0)] == [False, True]
    assert [opening.is_open(end_s + off_s) for off_s in (-0.001, 0.0)] == [True, False]
    assert not opening.is_open(at("2025-06-03 12:00"))


def test_a_day_may_have_a_break_and_spans_in_any_order() -> None:
    opening = hours({"monday": [["14:00", "18:00"], ["08:00", "12:00"]]})
    asked = ("09:00", "13:00", "14:00", "18:00")
    assert [opening.is_open(at(f"2025-06-02 {clock}")) for clock in asked] == [True, False, True, False]
    assert day_open_s(opening, "2025-06-02") == 8 * HOUR_S


def test_spans_that_touch_or_overlap_count_once() -> None:
    opening = hours({"monday": [["08:00", "12:00"], ["10:00", "11:00"], ["12:00", "14:00"], ["13:00", "15:00"]]})
    assert day_open_s(opening, "2025-06-02") == 7 * HOUR_S
    assert opening.next_change(at("2025-06-02 08:00")) == at("2025-06-02 15:00")


def test_a_span_that_ends_before_it_begins_goes_over_midnight() -> None:
    opening = hours({"friday": [["20:00", "02:00"]]})
    asked = ("2025-06-06 19:59", "2025-06-06 23:59", "2025-06-07 01:59", "2025-06-07 02:00", "2025-06-06 01:00")
    assert [opening.is_open(at(moment)) for moment in asked] == [False, True, True, False, False]
    assert opening.next_change(at("2025-06-07 01:00")) == at("2025-06-07 02:00")
    assert day_open_s(opening, "2025-06-06") == 4 * HOUR_S
    assert day_open_s(opening, "2025-06-07") == 2 * HOUR_S


def test_a_span_over_midnight_goes_on_into_the_next_year() -> None:
    opening = hours({"wednesday": [["22:00", "04:00"]]})
    assert opening.is_open(at("2026-01-01 03:59"))
    assert opening.seconds_open(at("2025-12-31 12:00"), at("2026-01-01 12:00")) == 6 * HOUR_S


def test_a_span_that_ends_when_it_begins_lasts_a_day() -> None:
    opening = hours({"monday": [["08:00", "08:00"]]})
    assert opening.next_change(at("2025-06-02 08:00")) == at("2025-06-03 08:00")
    assert day_open_s(hours({"monday": [["00:00", "00:00"]]}), "2025-06-02") == DAY_S


@pytest.mark.parametrize("end", ["24:00", "00:00"])
def test_midnight_may_be_written_in_both_ways_as_an_end(end: str) -> None:
    opening = hours({"monday": [["18:00", end]]})
    assert opening.next_change(at("2025-06-02 20:00")) == at("2025-06-03 00:00")


def test_on_a_single_date_other_hours_hold() -> None:
    opening = hours(
        {"wednesday": [["09:00", "18:00"]]}, d2025_12_24=[["09:00", "12:00"]], d2025_12_25=[["10:00", "11:00"]]
    )
    assert day_open_s(opening, "2025-12-24") == 3 * HOUR_S
    assert day_open_s(opening, "2025-12-25") == HOUR_S
    assert day_open_s(opening, "2025-12-31") == 9 * HOUR_S


def test_a_closed_date_leaves_the_night_before_as_it_is_and_has_none_of_its_own() -> None:
    opening = hours({day: [["22:00", "03:00"]] for day in WEEKDAYS}, d2025_12_24=[])
    asked = ("2025-12-24 02:00", "2025-12-24 23:00", "2025-12-25 02:00", "2025-12-25 23:00")
    assert [opening.is_open(at(moment)) for moment in asked] == [True, False, False, True]


def test_without_a_document_it_is_always_open() -> None:
    opening = OpeningHours.from_document(None)
    assert opening.is_open(0.0)
    assert opening.is_open(at("2025-12-25 04:00"))
    assert opening.seconds_open(100.0, 350.5) == 250.5
    assert opening.next_change(100.0) is None
    assert opening.to_document() is None


def test_a_week_without_spans_is_never_open() -> None:
    opening = hours({})
    assert not opening.is_open(at("2025-06-02 12:00"))
    assert opening.seconds_open(at("2025-01-01"), at("2026-01-01")) == 0.0
    assert opening.next_change(at("2025-06-02 12:00")) is None


@pytest.mark.parametrize("opening", [OpeningHours.from_document(None), daily(("00:00", "24:00"))])
def test_no_time_is_open_from_a_moment_to_one_before_it(opening: OpeningHours) -> None:
    assert opening.seconds_open(2000.0, 1000.0) == 0.0
    assert opening.seconds_open(10 * DAY_S, 1000.0) == 0.0


@pytest.mark.parametrize(
    ("span", "spring_h", "autumn_h"),
    [
        (("00:00", "24:00"), 23, 25),
        (("02:00", "03:00"), 0, 2),
        (("01:00", "02:00"), 1, 1),
        (("02:15", "02:45"), 0, 0.5),
        (("01:00", "02:30"), 1, 1.5),
        (("02:30", "04:00"), 1, 2.5),
        (("03:00", "04:00"), 1, 1),
    ],
)
def test_hours_that_happen_twice_or_never(span: tuple[str, str], spring_h: float, autumn_h: float) -> None:
    opening = daily(span)
    assert day_open_s(opening, "2025-03-30") == spring_h * HOUR_S
    assert day_open_s(opening, "2025-10-26") == autumn_h * HOUR_S


def test_in_an_hour_that_happens_twice_it_opens_and_closes_the_first_time() -> None:
    until, since = daily(("01:00", "02:30")), daily(("02:30", "04:00"))
    first_s, second_s = at("2025-10-26 02:30"), at("2025-10-26 02:30", fold=1)
    assert second_s == first_s + HOUR_S
    assert until.next_change(first_s - 1) == since.next_change(first_s - 1) == first_s
    assert [until.is_open(moment_s) for moment_s in (first_s - 1, first_s, second_s - 1)] == [True, False, False]
    assert [since.is_open(moment_s) for moment_s in (first_s - 1, first_s, second_s - 3000)] == [False, True, True]


def test_in_an_hour_that_never_happens_it_opens_and_closes_when_the_clock_jumps() -> None:
    jump_s = at("2025-03-30 03:00")
    assert daily(("01:00", "02:30")).next_change(jump_s - 1) == jump_s
    assert daily(("02:30", "04:00")).next_change(jump_s - 1) == jump_s


def test_a_night_is_shorter_or_longer_where_the_clock_is_changed() -> None:
    opening = daily(("22:00", "06:00"))
    assert opening.seconds_open(at("2025-03-29 12:00"), at("2025-03-30 12:00")) == 7 * HOUR_S
    assert opening.seconds_open(at("2025-10-25 12:00"), at("2025-10-26 12:00")) == 9 * HOUR_S


def test_a_day_that_has_begun_goes_on_though_the_clock_shows_the_day_before_again() -> None:
    """In St. John's it was 00:01 on Sunday, and then 23:01 on Saturday."""
    opening = hours({"sunday": [["00:00", "08:00"]]}, "America/St_Johns")
    begin_s, again_s = at("2005-10-30 00:00", "America/St_Johns"), at("2005-10-29 23:30", "America/St_Johns", fold=1)
    assert again_s == begin_s + 30 * 60
    assert [opening.is_open(moment_s) for moment_s in (begin_s - 1, begin_s, again_s)] == [False, True, True]
    assert opening.seconds_open(begin_s - 600, again_s) == 30 * 60
    assert opening.next_change(again_s) == begin_s + 9 * HOUR_S


def test_offsets_may_be_odd() -> None:
    opening = daily(("09:00", "17:00"), timezone="Asia/Kathmandu")
    assert opening.next_change(datetime(2025, 6, 2, 1, 0, tzinfo=UTC).timestamp()) == (
        datetime(2025, 6, 2, 3, 15, tzinfo=UTC).timestamp()
    )


def test_the_next_change_is_found_over_holidays_and_not_forever() -> None:
    week = {day: [["09:00", "18:00"]] for day in WEEKDAYS}
    closed = {f"d2025_06_{day:02}": [] for day in range(3, 31)}
    opening = hours(week, **closed)
    assert opening.next_change(at("2025-06-02 20:00")) == at("2025-07-01 09:00")
    far = datetime.fromisoformat("2025-06-02") + LOOK_AHEAD
    only = OpeningHours.from_document(
        {"timezone": "Europe/Berlin", "week": {}, "exceptions": {far.date().isoformat(): [["09:00", "10:00"]]}}
    )
    assert only.next_change(at("2025-06-02 20:00")) == at(f"{far.date()} 09:00")
    assert only.next_change(at("2025-06-01 20:00")) is None


def test_what_is_open_all_week_has_no_next_change_but_before_an_exception() -> None:
    week = {day: [["00:00", "24:00"]] for day in WEEKDAYS}
    assert hours(week).next_change(at("2025-06-02 12:00")) is None
    opening = hours(week, d2025_12_25=[])
    assert opening.next_change(at("2025-06-02 12:00")) == at("2025-12-25")
    assert opening.next_change(at("2025-12-25")) == at("2025-12-26")
    assert opening.next_change(at("2025-12-26")) is None


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 45, 59]))
SPANS = st.lists(st.tuples(CLOCK, st.one_of(CLOCK, st.just("24:00"))).map(list), max_size=3)


@TRIED
@given(st.sampled_from(CHANGES), st.lists(SPANS, min_size=7, max_size=7), st.dictionaries(st.integers(-2, 2), SPANS))
def test_it_is_open_when_the_latest_time_that_the_clock_has_shown_is_within_a_span(
    change: tuple[str, str], week: list[list[list[str]]], exceptions: dict[int, list[list[str]]]
) -> None:
    """Minute by minute through days around a change of the clock, against what somebody with a notebook would say."""
    timezone, day = change
    zone, middle = ZoneInfo(timezone), datetime.fromisoformat(day)
    other = {(middle + timedelta(days=off)).date().isoformat(): spans for off, spans in exceptions.items()}
    document = {"timezone": timezone, "week": dict(zip(WEEKDAYS, week, strict=True)), "exceptions": other}
    opening = OpeningHours.from_document(document)

    def spans_of(moment: datetime) -> list[list[str]]:
        return other.get(moment.date().isoformat(), week[moment.weekday()])

    def within(latest: datetime) -> bool:
        clock, before = latest.isoformat()[11:16], latest - timedelta(days=1)
        today = any(a <= clock and (clock < b or b <= a) for a, b in spans_of(latest))
        return today or any(b <= a and clock < b for a, b in spans_of(before))

    start_s = (middle - timedelta(hours=26)).replace(tzinfo=zone).timestamp()
    minutes = [start_s + 60 * number for number in range(60 * 60)]
    latest, wanted = datetime.min, []
    for moment_s in minutes:
        latest = max(latest, datetime.fromtimestamp(moment_s, zone).replace(tzinfo=None))
        wanted.append(within(latest))
    assert [opening.is_open(moment_s) for moment_s in minutes[::7]] == wanted[::7]
    assert opening.seconds_open(minutes[0], minutes[-1] + 60) == 60 * sum(wanted)
    turns = [minutes[i] for i in range(1, len(minutes)) if wanted[i] != wanted[i - 1]]
    moment_s, found = minutes[0], []
    while (change_s := opening.next_change(moment_s)) is not None and change_s <= minutes[-1]:
        found.append(change_s)
        moment_s = change_s
    assert found == turns


@TRIED
@given(st.lists(SPANS, min_size=7, max_size=7), st.dictionaries(st.dates(), SPANS, max_size=5))
def test_a_document_survives_the_way_there_and_back(week: list[Any], exceptions: dict[Any, Any]) -> None:
    dated = {day.isoformat(): spans for day, spans in exceptions.items()}
    opening = OpeningHours.from_document(
        {"timezone": "Asia/Kolkata", "week": dict(zip(WEEKDAYS, week, strict=True)), "exceptions": dated}
    )
    again = OpeningHours.from_document(json.loads(json.dumps(opening.to_document())))
    assert again == opening == pickle.loads(pickle.dumps(opening))
    assert again.to_document() == opening.to_document()
    assert hash(again) == hash(opening)


def test_a_document_comes_out_as_people_write_it() -> None:
    document = {
        "timezone": "Europe/Berlin",
        "week": {day: [] for day in WEEKDAYS} | {"friday": [["08:00", "12:00"], ["20:00", "02:00"]]},
        "exceptions": {"2025-12-24": [], "2025-12-31": [["00:00", "24:00"]]},
    }
    assert OpeningHours.from_document(document).to_document() == document


WEEK = {"monday": [["09:00", "18:00"]]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "opening hours must be an object"),
        ("always", "opening hours must be an object"),
        ({"week": WEEK}, "timezone must be"),
        ({"timezone": 2, "week": WEEK}, "timezone must be"),
        ({"timezone": "", "week": WEEK}, "timezone must be"),
        ({"timezone": "Europe/Atlantis", "week": WEEK}, "no time zone 'Europe/Atlantis'"),
        ({"timezone": "../Berlin", "week": WEEK}, "no time zone"),
        ({"timezone": "Europe", "week": WEEK}, "no time zone"),
        ({"timezone": "\ud800", "week": WEEK}, "no time zone"),
        ({"timezone": "UTC"}, "week must be an object"),
        ({"timezone": "UTC", "week": WEEK, "days": {}}, "opening hours has unknown parts: days"),
        ({"timezone": "UTC", "week": {"Monday": []}}, "week has unknown parts: Monday"),
        ({"timezone": "UTC", "week": {"monday": None}}, r"week\.monday must be a list"),
        ({"timezone": "UTC", "week": {"monday": [["09:00"]]}}, r"week\.monday\[0\] must be a span"),
        ({"timezone": "UTC", "week": {"monday": ["09:00-18:00"]}}, r"week\.monday\[0\] must be a span"),
        (
            {"timezone": "UTC", "week": {"monday": [["09:00", "18:00"], ["9:00", "10:00"]]}},
            r"week\.monday\[1\] must have",
        ),
        ({"timezone": "UTC", "week": {"monday": [["09:00", "24:01"]]}}, r"week\.monday\[0\] must have times"),
        ({"timezone": "UTC", "week": {"monday": [["09:60", "10:00"]]}}, r"week\.monday\[0\] must have times"),
        ({"timezone": "UTC", "week": {"monday": [["09:00\n", "10:00"]]}}, r"week\.monday\[0\] must have times"),
        ({"timezone": "UTC", "week": {"monday": [["٠٩:00", "10:00"]]}}, r"week\.monday\[0\] must have times"),
        ({"timezone": "UTC", "week": {"monday": [[9, 18]]}}, r"week\.monday\[0\] must have times"),
        ({"timezone": "UTC", "week": {"monday": [["24:00", "24:00"]]}}, r"week\.monday\[0\] begins at 24:00"),
        (
            {"timezone": "UTC", "week": {"monday": [["01:00", "02:00"]] * (MOST_SPANS + 1)}},
            r"week\.monday has 13 spans",
        ),
        ({"timezone": "UTC", "week": {}, "exceptions": []}, "exceptions must be an object"),
        ({"timezone": "UTC", "week": {}, "exceptions": {"24.12.": []}}, r"exceptions: '24\.12\.' is no date"),
        ({"timezone": "UTC", "week": {}, "exceptions": {"20251224": []}}, "exceptions: '20251224' is no date"),
        ({"timezone": "UTC", "week": {}, "exceptions": {"2025-02-29": []}}, "exceptions: '2025-02-29' is no date"),
        ({"timezone": "UTC", "week": {}, "exceptions": {"2025-12-24": ["x"]}}, r"exceptions\.2025-12-24\[0\] must be"),
        (
            {
                "timezone": "UTC",
                "week": {},
                "exceptions": {f"{1600 + n}-01-01": [] for n in range(MOST_EXCEPTIONS + 1)},
            },
            "exceptions has 401 dates",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(document: Any, says: str) -> None:
    with pytest.raises(OpeningHoursInvalid, match=says) as refused:
        OpeningHours.from_document(document)
    assert refused.value.code == "opening-hours-invalid"
    str(refused.value).encode()


def test_as_many_spans_and_exceptions_as_are_possible_are_taken() -> None:
    spans = [["01:00", "02:00"]] * MOST_SPANS
    dates = {(datetime(2025, 1, 1) + timedelta(days=n)).date().isoformat(): spans for n in range(MOST_EXCEPTIONS)}
    opening = OpeningHours.from_document({"timezone": "UTC", "week": {"monday": spans}, "exceptions": dates})
    assert len(opening.exceptions) == MOST_EXCEPTIONS
