"""Tells others when so many people are in a site, over all its cameras, and when they are not any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from analytics.counting.base import ZoneEntry, ZoneExit
from analytics.counting.level import Level
from analytics.events import COUNT_EVENT_TYPES, SITE_OCCUPANCY, STREAM_STATE, Event, EventContext, identity
from analytics.geometry import PeopleLimit
from analytics.storage.outbox import EventFilter

ENTRY, EXIT = COUNT_EVENT_TYPES[ZoneEntry], COUNT_EVENT_TYPES[ZoneExit]
Drawn: TypeAlias = Mapping[str, tuple[str, Collection[str]]]
"""Of each stream its site, and the ids of its zones."""
REMEMBERED_S = 86_400.0
"""Who has been in a zone for longer is not known any more, once another registry leads."""


class SiteEvents:
    """Looked after once a second, by the registry that leads.

    A person counts as often as cameras have him in one of their zones, however many of these there are. Where a camera
    stops, nobody is seen any more. All of a site's events have the same stream, the first one of the site, so that
    they keep their order.

    Args:
        limits: of sites, by name.
    """

    def __init__(self, limits: Mapping[str, PeopleLimit]) -> None:
        self._limits = limits
        self._levels: dict[str, Level] = {}
        self._inside: dict[str, dict[tuple[str, int], set[str]]] = {}
        self._streams: dict[str, str] = {}
        self.wanted = EventFilter(types=frozenset((ENTRY, EXIT, STREAM_STATE)), sites=frozenset(limits))
        """The events that it has to hear of, if it hears of any."""
        self.begin(())

    @property
    def idle(self) -> bool:
        """Whether there is nothing to tell of any site."""
        return not self._levels

    @property
    def hears(self) -> bool:
        """Whether any site has a limit."""
        return bool(self._limits)

    def begin(self, told: Iterable[Event]) -> None:
        """Forget everything but what was told before, by whoever did; the newest of each site counts."""
        self._levels = {site: Level(limit) for site, limit in self._limits.items()}
        self._inside = {site: defaultdict(set) for site in self._limits}
        self._streams = {}
        for event in sorted(told, key=lambda one: one.time_s):
            over = bool(event.data["over"])
            if event.subject not in self._limits:  # nobody wants to know any more: then it is over
                self._levels.pop(event.subject, None)
                if not over:
                    continue
                self._levels[event.subject] = Level(None)
            # When it was told that it is reached is not known where it is over: later than that is early enough.
            self._levels[event.subject].restore({"reached": over, "told_s": event.time_s})
            self._streams[event.subject] = event.context.stream

    def keep(self, drawn: Drawn) -> None:
        """Know of these streams and zones and of no others."""
        for site, inside in self._inside.items():
            for person, zones in list(inside.items()):
                where, known = drawn.get(person[0], ("", ()))
                zones &= set(known if where == site else ())
                if not zones:
                    del inside[person]
        for stream in sorted(drawn, reverse=True):
            self._streams[drawn[stream][0]] = stream

    def note(self, event: Event) -> None:
        """Take up what has happened, in its order."""
        stream, site = event.context.stream, event.context.site
        inside = self._inside.get(site)
        if inside is None:
            return
        if event.type == STREAM_STATE:
            if event.data["state"] != "running":
                self._forget(stream)
            return
        person = stream, int(event.data["track"])
        if event.type == ENTRY:
            inside[person].add(event.subject)
        elif person in inside:
            inside[person].discard(event.subject)
            if not inside[person]:
                del inside[person]

    def _forget(self, stream: str) -> None:
        for site, inside in self._inside.items():
            kept = {person: zones for person, zones in inside.items() if person[0] != stream}
            self._inside[site] = defaultdict(set, kept)

    def people(self, site: str) -> int:
        """Who is there now."""
        return len(self._inside.get(site, ()))

    def look(self, now_s: float) -> Iterator[Event]:
        """What is to be told now."""
        for site, level in self._levels.items():
            if site not in self._streams:
                continue  # it has none
            people = self.people(site)
            over = level.update(people, now_s, seen_since_last=True)
            if over is not None:
                context = EventContext(self._streams[site], site, 0, "")
                key = identity(SITE_OCCUPANCY, site, round(now_s * 1e6), over)
                yield Event(key, SITE_OCCUPANCY, context, site, now_s, {"over": over, "people": people})
