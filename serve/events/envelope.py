"""Events as CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

from analytics.storage.outbox import NumberedEvent

SPEC_VERSION = "1.0"
SEQUENCE_DIGITS = 20


class CloudEvent(TypedDict):
    """An event as others get it; what is after ``data`` are extensions.

    Attributes:
        id: the same however often it is sent; who has seen it drops it.
        source: the stream, as a path of the API.
        type: with its version.
        subject: id of the line or zone; left out where there is none.
        time: of the capture, RFC 3339.
        data: by its type.
        stream: id.
        site: left out where none was given.
        epoch: of the stream's assignment.
        model: that found the people.
        sequence: place among all events, in digits that sort as texts do.
    """

    specversion: str
    id: str
    source: str
    type: str
    subject: NotRequired[str]
    time: str
    datacontenttype: str
    data: dict[str, Any]
    stream: str
    site: NotRequired[str]
    epoch: int
    model: NotRequired[str]
    sequence: str


def cloud_event(numbered: NumberedEvent) -> CloudEvent:
    """An event in its envelope."""
    event, context = numbered.event, numbered.event.context
    made: CloudEvent = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": f"/api/v1/streams/{context.stream}",
        "type": event.type,
        "time": timestamp(event.time_s),
        "datacontenttype": "application/json",
        "data": dict(event.data),
        "stream": context.stream,
        "epoch": context.epoch,
        "sequence": f"{numbered.number:0{SEQUENCE_DIGITS}d}",
    }
    # An attribute of CloudEvents is not empty: it is there or not.
    if event.subject:
        made["subject"] = event.subject
    if context.site:
        made["site"] = context.site
    if context.model:
        made["model"] = context.model
    return made


def timestamp(time_s: float) -> str:
    """RFC 3339, in microseconds."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
