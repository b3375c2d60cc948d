"""What an MQTT broker keeps for those who come later, and what Home Assistant finds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from analytics.errors import StoreError
from analytics.events import STREAM_STATE
from analytics.storage.outbox import NumberedEvent
from serve.events.sinks.base import SinkContext
from serve.events.sinks.home_assistant import Topics, discovery
from serve.events.sinks.ledger import NOTED, SHAPES, Ledger, Place, places_of
from serve.events.sinks.mqtt_connection import Connection, Sent

DRAWN_S = 10.0
"""How often it is looked which cameras, lines and zones there are."""
DAY_S = 86_400.0
AT_ONCE = 5000
FIRST_S, QUIET_S, LONGEST_S = 1.0, 0.2, 5.0
"""How long it is waited for the first thing that a broker has retained, for the next one, and for all."""


class Retained:
    """What a broker keeps for those who come later: today's counts, who is where, how cameras are, and discovery.

    Args:
        topics: where.
        context: of the sink.
        zone: whose midnight ends a day.
        discovers: whether Home Assistant is told of cameras, lines and zones; else what it was told is taken back.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        topics: Topics,
        context: SinkContext,
        zone: ZoneInfo,
        discovers: bool,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._topics = topics
        self._context = context
        self._zone = zone
        self._ledger = Ledger(zone)
        self._discovers = discovers
        self._clock = clock
        self._wall_clock = wall_clock
        self._noted: int | None = None
        self._places: dict[str, Place] = {}
        self._configured: dict[str, dict[str, Any]] = {}
        self._gone: set[str] = set()
        self._due_s = clock()
        self._heard: dict[str, bytes] = {}
        self._news = threading.Event()

    def begin(self, connection: Connection) -> None:
        """On a new connection: the broker may have forgotten everything, or remember what is not there any more.

        Raises:
            StoreError: what was before cannot be read.
        """
        if self._noted is None:
            self._ledger = Ledger(self._zone)  # the last one may have been told a part of it
            self._draw()
            self._remember()
        self._configured = {}
        self._listen(connection)
        self._ledger.change_all()

    def _listen(self, connection: Connection) -> None:
        """Hear what the broker has, until nothing more comes."""
        self._heard.clear()
        self._news.clear()
        connection.hear = self._hear
        connection.subscribe(self._topics.retained)
        until_s = time.monotonic() + LONGEST_S
        self._news.wait(FIRST_S)
        while self._news.is_set() and time.monotonic() < until_s:
            self._news.clear()
            self._news.wait(QUIET_S)
        connection.unsubscribe(self._topics.retained)
        for topic, text in list(self._heard.items()):
            key, document = self._topics.key_of(topic), _document(text)
            if key is None:
                self._configured[topic] = {}
            elif document.keys() == SHAPES[key[1]] and not self._ledger.adopt(key, document):
                self._gone.add(topic)  # ours, by its looks

    def _hear(self, topic: str, text: bytes) -> None:
        self._heard[topic] = text
        self._news.set()

    def _draw(self) -> None:
        self._due_s = self._clock() + DRAWN_S
        self._places = places_of(self._context.streams())
        self._gone |= {self._topics.of(*key) for key in self._ledger.use(self._places)}

    def _remember(self) -> None:
        """What happened before: today, and for those who are still in a zone, in the last day.

        All of it, also what has yet to be sent (again): counts do not go back with a replay.
        """
        now_s, outbox = self._wall_clock(), self._context.outbox
        self._ledger.turn(now_s)
        at = outbox.before(min(self._ledger.midnight_s(now_s), now_s - DAY_S))
        newest, wanted = outbox.number(), replace(self._context.wanted, types=NOTED)
        for event in outbox.told_last(STREAM_STATE).values():
            self._ledger.note(event)
        while at < newest:
            page = outbox.after(at, AT_ONCE, wanted)
            for one in page:
                self._ledger.note(one.event)
            at = page[-1].number if page else newest
        self._noted = at

    def note(self, one: NumberedEvent) -> None:
        """Take up an event, once."""
        assert self._noted is not None
        self._ledger.turn(self._wall_clock())
        if one.number > self._noted:
            self._noted = one.number
            self._ledger.note(one.event)

    def tell(self, connection: Connection) -> list[Sent]:
        """Publish what has changed."""
        self._ledger.turn(self._wall_clock())
        if self._clock() >= self._due_s:
            with suppress(StoreError):  # until it is back, everything is as it was
                self._draw()
        gone, self._gone = sorted(self._gone), set()
        sent = [connection.publish(topic, "", retain=True) for topic in gone]
        for key, document in self._ledger.take_changed():
            sent.append(connection.publish(self._topics.of(*key), json.dumps(document), retain=True))
        return sent + self._discover(connection)

    def _discover(self, connection: Connection) -> list[Sent]:
        wanted: dict[str, dict[str, Any]] = {}
        for place in self._places.values() if self._discovers else ():
            wanted |= discovery(self._topics, place)
        sent = [connection.publish(topic, "", retain=True) for topic in sorted(self._configured.keys() - wanted.keys())]
        for topic, document in wanted.items():
            if self._configured.get(topic) != document:
                sent.append(connection.publish(topic, json.dumps(document), retain=True))
        self._configured = wanted
        return sent


def _document(text: bytes) -> dict[str, Any]:
    """Empty for what is none: whoever may write to the broker may have written it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
