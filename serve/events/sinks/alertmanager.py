"""Alerts at Prometheus Alertmanager, in the format of the second version of its API.

After https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml: an alert is known by its labels, and is
over once its end has come. It forgets what it has not heard of for ``resolve_timeout``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypedDict
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from analytics.alerts.book import SERVICE
from analytics.alerts.rules import RULES
from analytics.errors import StoreError
from analytics.events import ALERT_CLEARED, ALERT_RAISED, Event
from analytics.storage.alerts import AlertRecord
from analytics.storage.outbox import NumberedEvent
from pipelines.redaction import redact
from pipelines.sources.reach import Reach
from serve.definitions.fields import form
from serve.definitions.secretive import Secret
from serve.events.envelope import timestamp
from serve.events.sinks import http
from serve.events.sinks.base import Outcome, Sink, SinkContext, Target
from serve.events.sinks.posting import Address, Answer, Authorization, Poster, singling_out

PATH = "/api/v2/alerts"
AT_ONCE = 100
"""Alerts in a request."""
REPEAT_S = 60.0
"""How often what is on is said again: some times within Alertmanager's five minutes, so that one may get lost."""
TRIED_S = 60.0
"""For so long the alert is on by which somebody tries the sink."""


class Posted(TypedDict):
    """An alert, as Alertmanager takes it. Without ``endsAt`` it is on."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str | None


class AlertmanagerTarget(Target):
    """A Prometheus Alertmanager, which is told of alerts, and of no other events."""

    title: ClassVar = "Prometheus Alertmanager"
    secrets: ClassVar = {"url": Secret.CREDENTIALS, "authorization": Secret.WHOLE}
    belongs_to: ClassVar = ("url",)
    tells: ClassVar = frozenset({ALERT_RAISED, ALERT_CLEARED})

    type: Literal["alertmanager"]
    url: Address = Field(
        max_length=2000,
        title="Address",
        description=f"Of the Alertmanager itself, without {PATH}; the host has to be in events.networks.",
        json_schema_extra={
            **form(
                placeholder="http://alertmanager.example.invalid:9093",
                needed="An address such as http://alertmanager.example.invalid:9093 is needed.",
            ),
            "format": "uri",
        },
    )
    authorization: Authorization = None

    @field_validator("url")
    @classmethod
    def _is_base(cls, url: str) -> str:
        if "?" in url or "#" in url:
            raise ValueError(f"the URL is to end where {PATH} begins")
        return url

    @property
    def place(self) -> str:
        return redact(self.url)

    def check(self, reach: Reach) -> None:
        reach.host(urlsplit(self.url).hostname or "")

    def open(self, context: SinkContext) -> Sink:
        return AlertmanagerSink(self._poster(context.reach), context)

    def open_trial(self, reach: Reach) -> Sink:
        return AlertmanagerSink(self._poster(reach), None)

    def _poster(self, reach: Reach) -> Poster:
        return Poster(self.url.rstrip("/") + PATH, self.authorization, http.client(reach))


@dataclass(frozen=True, slots=True)
class _Alert:
    """How an alert is said to be.

    Attributes:
        id: of ours; empty if it is none.
        posted: the same, as Alertmanager takes it.
    """

    id: str
    posted: Posted


class AlertmanagerSink:
    """Says what is raised and cleared, and again and again what is on; see `serve.events.sinks.base.Sink`.

    Args:
        poster: to Alertmanager; closed at the end.
        context: of the sink; None: nothing is known but what the events say, and nothing is repeated.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    at_once = AT_ONCE

    def __init__(
        self,
        poster: Poster,
        context: SinkContext | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._poster = poster
        self._context = context
        self._clock = clock
        self._wall_clock = wall_clock
        self._repeated_s: float | None = None
        self._on: dict[str, Posted] = {}
        """What it was told last of alerts that are on, by their ids."""

    @property
    def idle_s(self) -> float | None:
        """At once, until everything was said once, and after that did not work: it may have forgotten everything."""
        if self._context is None:
            return None
        return 0.0 if self._repeated_s is None else REPEAT_S

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        outcome = Outcome(0)
        if events:
            outcome = await singling_out(events, self._tell)
        if outcome.error is None and self._context is not None and (not events or self._is_due):
            answer = await self._repeat(self._context)
            self._repeated_s = self._clock() if answer.error is None else None
            return replace(outcome, error=answer.error, answered=answer.answered, pause_s=answer.pause_s)
        return outcome

    @property
    def _is_due(self) -> bool:
        """Where one event follows another, it is never left alone for long enough to be asked."""
        return self._repeated_s is None or self._clock() - self._repeated_s >= REPEAT_S

    async def _tell(self, events: Sequence[NumberedEvent]) -> Outcome:
        ids = {str(one.event.data["alert"]) for one in events if one.event.type in AlertmanagerTarget.tells}
        try:
            context = self._context
            known = {} if context is None else await asyncio.to_thread(context.alerts.records, ids)
        except StoreError as error:
            return Outcome(0, error=f"what is known of alerts cannot be read: {error}")
        now_s = self._wall_clock()
        answer = await self._post([_of_event(one.event, known, now_s) for one in events])
        return answer.outcome(events)

    async def _repeat(self, context: SinkContext) -> Answer:
        try:
            found = await asyncio.to_thread(_on_of, context, self._wall_clock())
        except StoreError as error:
            return Answer(f"what is on cannot be read: {error}")
        refused = Answer()
        for first in range(0, len(found), AT_ONCE):
            answer = await self._post(found[first : first + AT_ONCE])
            if answer.refuses:  # one of these; it takes the others, and those of the next request
                refused = answer
            elif answer.error is not None:
                return answer
        here = {one.id for one in found}
        self._on = {id: posted for id, posted in self._on.items() if id in here}
        return refused

    async def _post(self, alerts: Sequence[_Alert]) -> Answer:
        """Say how alerts are; what has other labels than before is another alert there, and the old one is over."""
        on, sent, now = dict(self._on), list[Posted](), timestamp(self._wall_clock())
        for one in alerts:
            before = on.pop(one.id, None)
            if before is not None and before["labels"] != one.posted["labels"]:
                sent.append({**before, "endsAt": max(now, before["startsAt"])})
            sent.append(one.posted)
            if one.posted["endsAt"] is None:
                on[one.id] = one.posted
        body = json.dumps([{name: value for name, value in one.items() if value is not None} for one in sent])
        answer = await self._poster.post(body.encode(), {"Content-Type": "application/json"})
        if answer.error is None:
            self._on = on
        return answer

    async def close(self) -> None:
        await self._poster.close()


def _on_of(context: SinkContext, now_s: float) -> list[_Alert]:
    """What is on and was told, of what is to go there."""
    wanted = context.wanted
    if wanted.types and ALERT_RAISED not in wanted.types:
        return []
    sites = {record.id: str(record.definition.get("site") or "") for record in context.streams()}
    if not wanted.sites and (not wanted.streams or SERVICE in wanted.streams):
        sites[SERVICE] = ""
    return [
        _Alert(record.id, _of_record(record, sites[record.subject], now_s))
        for record in context.alerts.open_records()
        if record.told and record.subject in sites
    ]


def _of_record(record: AlertRecord, site: str, now_s: float) -> Posted:
    return _posted(
        _labels(record.rule, record.severity, record.subject, site),
        _annotations(record.rule, record.summary, record.detail),
        min(record.since_s, now_s),
        record.cleared_s,
    )


def _of_event(event: Event, known: Mapping[str, AlertRecord], now_s: float) -> _Alert:
    """What has come late is not said to be on if it is over."""
    data, time_s = event.data, min(event.time_s, now_s)
    if event.type not in AlertmanagerTarget.tells:  # somebody tries the sink
        labels = _labels("footfall-test", "info", SERVICE, "")
        annotations = {"summary": "Somebody tries whether alerts arrive.", "description": f"sink {data.get('sink')}"}
        return _Alert("", _posted(labels, annotations, time_s, time_s + TRIED_S))
    record = known.get(str(data["alert"]))
    since_s = time_s if record is None else min(record.since_s, time_s)
    cleared_s = event.time_s if event.type == ALERT_CLEARED else None if record is None else record.cleared_s
    labels = _labels(data["rule"], data["severity"], data["about"], event.context.site)
    annotations = _annotations(data["rule"], data["summary"], data["detail"])
    return _Alert(str(data["alert"]), _posted(labels, annotations, since_s, cleared_s))


def _labels(rule: str, severity: str, subject: str, site: str) -> dict[str, str]:
    """What it is known by, and by what it is routed: few values, so that it is the same alert each time."""
    labels = {"alertname": rule, "severity": severity, "service": "footfall"}
    if subject != SERVICE:
        labels["stream"] = subject
    return {**labels, "site": site} if site else labels


def _annotations(rule: str, summary: str, detail: str) -> dict[str, str]:
    advice = RULES[rule].advice if rule in RULES else ""
    found = {"summary": summary, "description": detail, "advice": advice}
    return {name: text for name, text in found.items() if text}


def _posted(labels: dict[str, str], annotations: dict[str, str], since_s: float, cleared_s: float | None) -> Posted:
    """Nothing ends before it has begun, though a clock was set meanwhile: that would be refused."""
    ends = None if cleared_s is None else timestamp(max(cleared_s, since_s))
    return {"labels": labels, "annotations": annotations, "startsAt": timestamp(since_s), "endsAt": ends}
