"""What each type of event holds, as JSON Schema and as an AsyncAPI document; made from the events themselves."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from analytics.events import EVENT_TYPES
from serve.events.envelope import SEQUENCE_DIGITS, SPEC_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MEANINGS: Mapping[str, str] = {
    "line": "Id of the line.",
    "zone": "Id of the zone.",
    "track": "Number of the person, for one epoch of the stream; the next may give it to somebody else.",
    "direction": "`in` is a crossing from left to right of a line drawn from top to bottom.",
    "dwell_s": "From the first to the last frame inside so far, seconds.",
    "over": "Whether the limit is reached now, or not any more.",
    "people": "How many count for the limit now.",
    "state": "Of the stream, now.",
    "before": "What it was when it was told last; none if that is not known.",
    "error": "What is wrong, for people; none if nothing is.",
    "error_code": "The same for machines.",
    "alert": "Which one; the same when it is cleared.",
    "severity": "`info`, `warning` or `critical`.",
    "summary": "What is wrong, for people.",
    "rule": "What kind of alert it is, such as `camera-moved`.",
    "about": "Id of the stream, or `service`.",
    "detail": "More of it, with numbers.",
    "advice": "What to do about it.",
    "sink": "Id of the sink that is tried.",
}
RETAINED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "mqttLine": ("{stream}/line/{line}", "line_today", ("stream", "line")),
    "mqttZone": ("{stream}/zone/{zone}", "zone_now", ("stream", "zone")),
    "mqttState": ("{stream}/state", "camera_state", ("stream",)),
    "mqttStatus": ("status", "status", ()),
}
"""Channels of what an MQTT broker keeps: address below the prefix, message, and the parts of the address."""
_STREAM_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def data_schema(kind: str) -> dict[str, Any]:
    """JSON Schema of an event's data."""
    source = EVENT_TYPES[kind]
    made = TypeAdapter(source).json_schema()
    properties = {
        field.name: {**made["properties"][field.name], "description": _MEANINGS[field.name]}
        for field in dataclasses.fields(source)
        if field.name != "time_s"
    }
    for described in properties.values():
        described.pop("title", None)
    return {"type": "object", "properties": properties, "required": list(properties)}


def event_schema(kind: str) -> dict[str, Any]:
    """JSON Schema of an event in its envelope; further attributes may come, and are to be left out by who reads it."""
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": DIALECT,
        "$id": f"urn:footfall:event:{kind}",
        "title": kind,
        "description": description_of(kind),
        "type": "object",
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The same however often it is sent."},
            "source": {"type": "string", "format": "uri-reference", "description": "The stream, as a path of the API."},
            "type": {"const": kind},
            "subject": {**text, "description": "Id of the line or zone that it is about."},
            "time": {"type": "string", "format": "date-time", "description": "Of the capture."},
            "datacontenttype": {"const": "application/json"},
            "data": data_schema(kind),
            "stream": {"type": "string", "pattern": _STREAM_ID},
            "site": text,
            "epoch": {"type": "integer", "minimum": 0, "description": "Of the stream's assignment."},
            "model": {**text, "description": "That found the people."},
            "sequence": {
                "type": "string",
                "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$",
                "description": "Its number among all events; numbers grow, and of one stream they keep its order.",
            },
        },
        "required": [
            *("specversion", "id", "source", "type", "time", "datacontenttype", "data", "stream", "epoch", "sequence"),
        ],
    }


def description_of(kind: str) -> str:
    """What has happened, in a sentence or two."""
    return " ".join((EVENT_TYPES[kind].__doc__ or "").replace("``", "`").split())


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all that leaves the service by itself."""
    names = {kind: kind.removeprefix("footfall.").replace(".", "_").replace("-", "_") for kind in EVENT_TYPES}
    beside = _beside([f"#/components/messages/{name}/payload" for name in names.values()])
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in (*names.values(), *beside)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of Footfall",
            "version": version("footfall"),
            "description": "What happens in front of cameras, as CloudEvents 1.0 in JSON. Each comes at least once, "
            "those of a stream in their order; who has seen an id drops it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": _channels(messages, list(names.values())),
        "operations": {
            "follow": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "followSocket": {"action": "send", "channel": {"$ref": "#/channels/socket"}},
            **{
                f"to_{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
                for name in ("webhook", "kafka", "mqtt", *RETAINED)
            },
        },
        "components": {
            "messages": {
                name: {
                    "name": kind,
                    "summary": description_of(kind),
                    "contentType": "application/cloudevents+json",
                    "payload": {key: value for key, value in event_schema(kind).items() if key != "$schema"},
                }
                for kind, name in names.items()
            }
            | beside
        },
    }


def _beside(events: Sequence[str]) -> dict[str, Any]:
    """Messages that are no event, and lists of events; ``events`` are references to the schemas of these."""
    number = {"type": "integer", "minimum": 0}
    count, flag, day = number, {"type": "boolean"}, {"type": "string", "format": "date"}
    gap = _exactly({"after": number, "oldest": number})
    made = {
        "gap": (
            "Events behind number `after` and before `oldest` are not kept any more.",
            gap,
        ),
        "socket_gap": ("The same, as a WebSocket tells it.", _exactly({"gap": gap})),
        "position": (
            "Whoever is cut off here says `after` this number, and misses nothing.",
            _exactly({"position": number}),
        ),
        "batch": ("Some events at once, in their order.", {"type": "array", "items": {"oneOf": _references(events)}}),
        "line_today": ("Who has crossed a line today.", _exactly({"in": count, "out": count, "day": day})),
        "zone_now": (
            "Who is in a zone, how many have entered it today, and whether its limits are reached.",
            _exactly({"people": count, "entries": count, "queue": flag, "occupied": flag, "day": day}),
        ),
        "camera_state": (
            "How a camera is.",
            _exactly({"state": {"type": "string"}, "error_code": {"type": ["string", "null"]}}),
        ),
        "status": ("Whether events are delivered; `offline` is the last will.", {"enum": ["online", "offline"]}),
    }
    kinds = {"batch": "application/cloudevents-batch+json", "status": "text/plain"}
    return {
        name: {
            "name": name,
            "summary": summary,
            "contentType": kinds.get(name, "application/json"),
            "payload": payload,
        }
        for name, (summary, payload) in made.items()
    }


def _references(places: Sequence[str]) -> list[dict[str, str]]:
    return [{"$ref": place} for place in places]


def _exactly(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _channels(messages: Mapping[str, Any], events: Sequence[str]) -> dict[str, Any]:
    """Every way out, with the messages that go there."""

    def some(*beside: str) -> dict[str, Any]:
        return {name: messages[name] for name in (*events, *beside)}

    prefix = {"description": "As the sink names it.", "default": "footfall"}
    retained = {
        name: {
            "address": f"{{prefix}}/{address}",
            "title": f"MQTT, retained: {message.replace('_', ' ')}",
            "parameters": {"prefix": prefix, **{part: {"description": "Id."} for part in parts}},
            "messages": {message: messages[message]},
        }
        for name, (address, message, parts) in RETAINED.items()
    }
    return retained | {
        "events": {
            "address": "/api/v1/events",
            "title": "Server-sent events",
            "description": "GET; each message's data is one event, its id the event's number. Of the name `gap`, it is "
            "a gap. Messages without data have an id alone: from there on it goes on.",
            "messages": some("gap"),
        },
        "socket": {
            "address": "/api/v1/events/socket",
            "title": "WebSocket",
            "description": "Each message is one event, or tells of a gap or a position.",
            "messages": some("socket_gap", "position"),
        },
        "webhook": {
            "address": None,  # each has its own
            "title": "Webhooks",
            "description": "POST to the address of a sink; with `at_once` above 1 the body is a list of events "
            "(`application/cloudevents-batch+json`). Signed after Standard Webhooks.",
            "messages": some("batch"),
        },
        "kafka": {
            "address": "{topic}",
            "title": "Kafka",
            "description": "The topic of a sink; the key of each message is its stream.",
            "parameters": {"topic": {"description": "As the sink names it."}},
            "messages": some(),
        },
        "mqtt": {
            "address": "{prefix}/{stream}/events/{type}",
            "title": "MQTT",
            "description": "At least once (quality of service 1).",
            "parameters": {
                "prefix": prefix,
                "stream": {"description": "Id."},
                "type": {"description": "Of the event.", "enum": list(EVENT_TYPES)},
            },
            "messages": some(),
        },
    }


def text() -> str:
    """The document as it is kept in the repository."""
    return json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
