"""Alerts: what is wrong, what was, who knows of it, and what nobody wants to hear of for a while."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics.alerts.book import Alert
from analytics.alerts.rules import RULES, Severity
from analytics.alerts.silences import LONGEST_TEXT, Silence
from analytics.reports.queries import iso
from analytics.storage.alerts import AlertRecord
from serve.api.bodies import StrictRoute
from serve.api.dependencies import InAlerts, InRegistry
from serve.api.errors import BODY_RESPONSES, RESPONSES, UNKNOWN
from serve.api.period import moment
from serve.api.routing import KnownParameters
from serve.api.security import Operator, Viewer, caller_of
from serve.definitions.stream import STREAM_ID
from serve.errors import BadRequest

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES,
    tags=["alerts"],
    route_class=StrictRoute,
)
MAX_PAGE = 1000
_ID = r"^[0-9a-f]{32}$"
_EXAMPLE_ID = "0b5c6f0e3d1c4f1b8a9d2e7c6b5a4f30"
AlertId = Annotated[str, Path(pattern=_ID, examples=[_EXAMPLE_ID])]
_EXAMPLE: dict[str, Any] = {
    "id": _EXAMPLE_ID,
    "rule": "camera-moved",
    "about": "entrance",
    "severity": "warning",
    "summary": "The camera looks somewhere else than when its lines and zones were drawn.",
    "detail": "the scene lies elsewhere in the picture: 5.1% of the width to the right",
    "advice": "Turn it back, or draw lines and zones on the new picture.",
    "state": "active",
    "since": "2026-03-01T09:00:00Z",
    "raised": "2026-03-01T09:00:20Z",
    "cleared": None,
    "acknowledged_by": None,
    "acknowledged": None,
    "silenced": False,
}


class AlertAnswer(BaseModel):
    """An alert that is on, or may be soon."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})
    id: str = Field(description="The same for as long as it is the same alert.")
    rule: str = Field(description="What kind it is.")
    about: str = Field(description="Id of the stream, or `service`.")
    severity: Severity
    summary: str
    detail: str = Field(description="More of it, with numbers.")
    advice: str = Field(description="What to do about it.")
    state: str = Field(
        description="`pending`: has not lasted long enough to be told; `active`; `clearing`: is gone, but may be back."
    )
    since: str = Field(description="When it was seen first, RFC 3339.")
    raised: str | None = Field(description="When it became active; none: not yet.")
    cleared: str | None = Field(description="When it was over before, if it has come back.")
    acknowledged_by: str | None = Field(description="Name of the token of who knows of it.")
    acknowledged: str | None = Field(description="Since when.")
    silenced: bool = Field(description="Whether nobody wants to hear of it now.")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        return cls(
            id=alert.id,
            rule=alert.rule,
            about=alert.subject,
            severity=alert.severity,
            summary=alert.summary,
            detail=alert.detail,
            advice=_advice(alert.rule),
            state=alert.state,
            since=iso(alert.since_s),
            raised=_iso(alert.raised_s),
            cleared=_iso(alert.cleared_s),
            acknowledged_by=alert.acknowledged_by,
            acknowledged=_iso(alert.acknowledged_s),
            silenced=alert.silenced,
        )


class PastAlertAnswer(BaseModel):
    """An alert that was on, or is."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {key: value for key, value in _EXAMPLE.items() if key not in ("state", "silenced")}
            | {"cleared": "2026-03-01T11:30:00Z"}
        }
    )
    id: str
    rule: str
    about: str
    severity: str
    summary: str
    detail: str
    advice: str
    since: str
    raised: str
    cleared: str | None = Field(description="When it was over; none: it is on.")
    acknowledged_by: str | None
    acknowledged: str | None

    @classmethod
    def of(cls, record: AlertRecord) -> Self:
        return cls(
            id=record.id,
            rule=record.rule,
            about=record.subject,
            severity=record.severity,
            summary=record.summary,
            detail=record.detail,
            advice=_advice(record.rule),
            since=iso(record.since_s),
            raised=iso(record.raised_s),
            cleared=_iso(record.cleared_s),
            acknowledged_by=record.acknowledged_by,
            acknowledged=_iso(record.acknowledged_s),
        )


class SilenceBody(BaseModel):
    """What nobody wants to hear of, and until when."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {"about": "entrance", "until": "2026-03-02T18:00:00Z", "reason": "the entrance is rebuilt"}
        },
    )
    until: str = Field(min_length=1, max_length=64, description="When it ends: ISO 8601, or seconds since the epoch.")
    reason: str = Field(min_length=1, max_length=LONGEST_TEXT, description="What for.")
    rule: str | None = Field(None, description="Only this kind of alert; none: all.")
    about: str | None = Field(None, description="Only this stream, or `service`; none: all.")
    from_: str | None = Field(None, alias="from", min_length=1, max_length=64, description="When it begins; none: now.")


class SilenceAnswer(BaseModel):
    """A silence, on or to come."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "5e1f6f0e3d1c4f1b8a9d2e7c6b5a4f31",
                "rule": None,
                "about": "entrance",
                "from": "2026-03-01T09:00:00Z",
                "until": "2026-03-02T18:00:00Z",
                "by": "anna",
                "reason": "the entrance is rebuilt",
            }
        }
    )
    id: str
    rule: str | None
    about: str | None
    from_: str = Field(serialization_alias="from")
    until: str
    by: str = Field(description="Name of the token of who wanted it.")
    reason: str

    @classmethod
    def of(cls, silence: Silence) -> Self:
        return cls(
            id=silence.id,
            rule=silence.rule,
            about=silence.subject,
            from_=iso(silence.from_s),
            until=iso(silence.until_s),
            by=silence.by,
            reason=silence.reason,
        )


def _advice(rule: str) -> str:
    return RULES[rule].advice if rule in RULES else ""


def _iso(time_s: float | None) -> str | None:
    return None if time_s is None else iso(time_s)


def _name_of(request: Request) -> str:
    caller = caller_of(request)
    return caller.name if caller is not None else ""


@router.get("/alerts")
async def list_alerts(registry: InRegistry) -> list[AlertAnswer]:
    """What is wrong now, and what may be soon; the most severe first, then the oldest."""
    return [AlertAnswer.of(alert) for alert in await registry.alerts()]


@router.get(
    "/alerts/history",
    responses={
        200: {
            "headers": {
                "Link": {"description": '`rel="next"`: the page of earlier ones.', "schema": {"type": "string"}}
            }
        }
    },
)
async def list_past_alerts(
    alerts: InAlerts,
    response: Response,
    about: Annotated[
        str | None, Query(pattern=f"^{STREAM_ID.pattern}$", description="Only about this stream, or `service`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Alerts on a page.")] = 100,
    before: Annotated[
        str | None,
        Query(pattern=r"^[0-9.]{1,20}-[0-9a-f]{32}$", description="Only earlier ones; as the `Link` of a page says."),
    ] = None,
) -> list[PastAlertAnswer]:
    """Alerts that were on, or are; the newest first. They are kept for `monitoring.history_days`."""
    found = await asyncio.to_thread(alerts.history, limit + 1, _place(before), about)
    if len(found) > limit:
        last = found[limit - 1]
        only = f"&about={about}" if about is not None else ""
        response.headers["Link"] = f'<?limit={limit}{only}&before={last.since_s!r}-{last.id}>; rel="next"'
    return [PastAlertAnswer.of(record) for record in found[:limit]]


def _place(before: str | None) -> tuple[float, str] | None:
    """Raises BadRequest for what no page has said."""
    if before is None:
        return None
    since, _, id = before.rpartition("-")
    try:
        return float(since), id
    except ValueError:
        raise BadRequest("before: it is no place that a page has named") from None


@router.post("/alerts/{alert}/acknowledge", dependencies=[Operator], responses=UNKNOWN)
async def acknowledge_alert(alert: AlertId, registry: InRegistry, request: Request) -> AlertAnswer:
    """Say that you know of an alert: it is not told again, unless it becomes more severe."""
    return AlertAnswer.of(await registry.acknowledge(alert, _name_of(request)))


@router.get("/silences")
async def list_silences(registry: InRegistry) -> list[SilenceAnswer]:
    """What nobody wants to hear of, now or later, by when it begins."""
    return [SilenceAnswer.of(silence) for silence in await registry.silences()]


@router.post("/silences", status_code=201, dependencies=[Operator], responses=BODY_RESPONSES)
async def create_silence(body: SilenceBody, registry: InRegistry, request: Request) -> SilenceAnswer:
    """Hear nothing of some alerts for a while. They are shown all the same, and what is on at the end is told then."""
    from_s = None if body.from_ is None else moment(body.from_, "from", UTC)
    until_s = moment(body.until, "until", UTC)
    if until_s <= time.time():
        raise BadRequest("until: that is over already")
    made = await registry.silence(until_s, _name_of(request), body.reason, body.rule, body.about, from_s)
    return SilenceAnswer.of(made)


@router.delete("/silences/{silence}", status_code=204, dependencies=[Operator], responses=UNKNOWN)
async def delete_silence(silence: AlertId, registry: InRegistry) -> None:
    """End a silence, or call it off."""
    await registry.unsilence(silence)
