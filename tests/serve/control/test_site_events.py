"""Sites that fill up and empty."""

from __future__ import annotations

import asyncio
from typing import Any

from analytics.events import SITE_OCCUPANCY, STREAM_STATE, Event, EventContext, identity
from analytics.geometry import PeopleLimit
from analytics.storage.base import StreamRecord
from serve.control.entry import StreamEntry
from serve.control.event_keeping import EventKeeping
from serve.control.site_events import ENTRY, EXIT, SiteEvents
from serve.sections import EventsSettings
from tests.fakes import MemoryOutbox, MemoryStore

DRAWN = {name: ("berlin", ["hall", "till"]) for name in ("a", "b")}
LIMIT = PeopleLimit(people=3, clear=1, hold_s=0.0, cool_down_s=60.0)


def event(kind: str, stream: str, track: int = 0, zone: str = "hall", site: str = "berlin", **data: Any) -> Event:
    data = data or {"zone": zone, "track": track}
    key = identity(kind, stream, track, zone, site, str(data))
    return Event(key, kind, EventContext(stream, site, 1, ""), zone, 0.0, data)


def told(sites: SiteEvents, now_s: float) -> list[tuple[str, str, Any]]:
    return [(one.subject, one.context.stream, one.data) for one in sites.look(now_s)]


def test_people_of_all_cameras_fill_a_site_and_each_is_told_once() -> None:
    sites = SiteEvents({"berlin": LIMIT})
    sites.keep(DRAWN)
    for stream, track in (("a", 1), ("b", 1)):
        sites.note(event(ENTRY, stream, track))
    sites.note(event(ENTRY, "a", 1, zone="till"))  # the same person, in another zone
    sites.note(event(ENTRY, "c", 1, site="bonn"))  # elsewhere
    assert told(sites, 0.0) == []
    sites.note(event(ENTRY, "b", 2))
    assert told(sites, 1.0) == [("berlin", "a", {"over": True, "people": 3})]
    assert told(sites, 2.0) == []
    sites.note(event(EXIT, "b", 2))
    sites.note(event(EXIT, "a", 1))
    assert sites.people("berlin") == 2  # he is at the till still
    sites.note(event(EXIT, "a", 1, zone="till"))
    sites.note(event(EXIT, "a", 7))  # whoever that was
    assert told(sites, 3.0) == [("berlin", "a", {"over": False, "people": 1})]


def test_of_a_camera_that_stops_nobody_is_seen_any_more() -> None:
    sites = SiteEvents({"berlin": LIMIT})
    for track in range(4):
        sites.note(event(ENTRY, "a", track))
    sites.note(event(ENTRY, "b", 1))
    sites.note(event(STREAM_STATE, "a", state="running"))
    assert sites.people("berlin") == 5
    sites.note(event(STREAM_STATE, "a", state="reconnecting"))
    assert sites.people("berlin") == 1


def test_who_was_in_what_is_not_there_any_more_is_not_seen_any_more() -> None:
    sites = SiteEvents({"berlin": LIMIT})
    sites.keep(DRAWN)
    for stream in ("a", "b"):
        sites.note(event(ENTRY, stream, 1))
        sites.note(event(ENTRY, stream, 2, zone="till"))
    sites.keep(DRAWN)
    assert sites.people("berlin") == 4
    sites.keep({**DRAWN, "a": ("berlin", ["hall"])})  # one is removed
    assert sites.people("berlin") == 3
    sites.keep({"b": ("bonn", ["hall", "till"])})  # one moved
    assert sites.people("berlin") == 0


def test_a_limit_that_is_not_wanted_any_more_is_told_to_be_over() -> None:
    sites = SiteEvents({})
    reached = event(SITE_OCCUPANCY, "a", zone="berlin", over=True, people=3)
    sites.begin([reached])
    assert not sites.hears
    assert told(sites, 1.0) == [("berlin", "a", {"over": False, "people": 0})]
    sites.begin([reached, Event("0" * 32, *astuple_of(reached, 5.0, over=False))])
    assert sites.idle


def astuple_of(told: Event, time_s: float, **data: Any) -> tuple[Any, ...]:
    return told.type, told.context, told.subject, time_s, data


def test_whoever_leads_next_goes_on_where_the_last_one_was() -> None:
    now_s = [1000.0]
    geometry = {"zones": [{"id": "hall", "polygon": [[0, 0], [1, 0], [1, 1]]}]}
    definition = {"site": "berlin", "source": {"type": "rtsp", "url": "rtsp://127.0.0.1/x"}}
    entries = {"a": StreamEntry.of(StreamRecord("a", definition, geometry), 1.0)}
    store = MemoryStore(wall_clock=lambda: now_s[0])
    outbox = MemoryOutbox(store)
    settings = EventsSettings.model_validate({"sites": {"berlin": {"people": 2, "hold_s": 0, "cool_down_s": 0}}})

    def keeping() -> EventKeeping:
        return EventKeeping(settings, lambda: now_s[0], lambda: now_s[0])

    def a_round() -> None:
        asyncio.run(first.round(outbox, entries, lambda entry: entry.view(0.0, 0.0, 1).status))

    def occupancy() -> list[Any]:
        a_round()
        outbox.number()
        return [one.event.data["over"] for one in outbox.after(0, 100) if one.event.type == SITE_OCCUPANCY]

    def at(told: Event) -> Event:
        return Event(told.id, told.type, told.context, told.subject, now_s[0], told.data)

    first = keeping()
    outbox.append([at(event(ENTRY, "a", 1)), at(event(ENTRY, "a", 2))])
    assert occupancy() == [True]
    first = keeping()
    assert occupancy() == [True]  # it is known to have been told, and that two are there
    store.away = True
    a_round()
    store.away = False
    outbox.append([at(event(EXIT, "a", 1))])
    assert occupancy() == [True, False]


def test_without_a_limit_nothing_is_read() -> None:
    store = MemoryStore()
    keeping, outbox = EventKeeping(EventsSettings()), MemoryOutbox(store)
    asyncio.run(keeping.tell_of_sites(outbox, {}))  # what was told before is looked at once
    store.away = True
    asyncio.run(keeping.tell_of_sites(outbox, {}))
