from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from analytics.events import (
    ALERT_CLEARED,
    ALERT_RAISED,
    EVENT_TYPES,
    SITE_OCCUPANCY,
    STREAM_STATE,
    TEST,
    Event,
    EventContext,
    EventMaker,
)
from analytics.storage.outbox import NumberedEvent
from serve.events.envelope import cloud_event
from serve.events.schemas import asyncapi, data_schema, description_of, event_schema
from tests.analytics.test_events import CONTEXT, EVERYTHING, LIVE

TOLD = [
    *EventMaker().make(EVERYTHING, CONTEXT, LIVE),
    Event(
        "1" * 32,
        STREAM_STATE,
        EventContext("cam", "", 0, ""),
        "",
        100.0,
        {"state": "failed", "before": None, "error": "no", "error_code": "source-unauthorized"},
    ),
    Event("3" * 32, SITE_OCCUPANCY, EventContext("cam", "berlin", 0, ""), "berlin", 1.0, {"over": True, "people": 9}),
    *(
        Event(
            "4" * 32,
            kind,
            EventContext("cam", "", 0, ""),
            "",
            1.0,
            {
                "alert": "a",
                "severity": "warning",
                "summary": "s",
                "rule": "camera-moved",
                "about": "cam",
                "detail": "d",
                **({"advice": "turn it back"} if kind == ALERT_RAISED else {}),
            },
        )
        for kind in (ALERT_RAISED, ALERT_CLEARED)
    ),
    Event("2" * 32, TEST, EventContext("test", "", 0, ""), "", 100.0, {"sink": "till"}),
]
ASYNCAPI = Path(__file__).parents[3] / "serve/web/node_modules/@asyncapi/specs/schemas/3.0.0.json"


def test_every_type_of_event_is_tried_here() -> None:
    assert {event.type for event in TOLD} == EVENT_TYPES.keys()


@pytest.mark.parametrize("event", TOLD, ids=[event.type for event in TOLD])
def test_what_is_sent_is_what_its_schema_says(event: Event) -> None:
    schema = event_schema(event.type)
    jsonschema.Draft202012Validator.check_schema(schema)
    sent = json.loads(json.dumps(cloud_event(NumberedEvent(7, event, 0.0))))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(sent)
    assert set(sent["data"]) == set(schema["properties"]["data"]["properties"])
    assert set(sent) <= set(schema["properties"])
    for wrong in ({"type": "other"}, {"id": "x"}, {"sequence": "7"}, {"data": {}}):
        assert not validator.is_valid({**sent, **wrong}), wrong


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_everything_is_described(kind: str) -> None:
    assert description_of(kind).endswith(".")
    assert all(one["description"] for one in data_schema(kind)["properties"].values())


def test_the_asyncapi_document_has_every_type_and_no_reference_into_nowhere() -> None:
    document = asyncapi()
    messages = document["components"]["messages"]
    names = [message["name"] for message in messages.values()]
    assert len(names) == len(set(names))
    assert set(names) - EVENT_TYPES.keys() == {
        *("gap", "socket_gap", "position", "batch", "line_today", "zone_now", "camera_state", "status"),
    }
    assert set(names) > EVENT_TYPES.keys()
    references = [
        part["$ref"] for channel in document["channels"].values() for part in channel["messages"].values()
    ] + [operation["channel"]["$ref"] for operation in document["operations"].values()]
    for reference in references:
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_the_document_is_what_asyncapi_says_such_a_document_is() -> None:
    if not ASYNCAPI.is_file():
        reason = "AsyncAPI's schema is missing: npm ci in serve/web"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    schema = json.loads(ASYNCAPI.read_text())
    validator = jsonschema.Draft7Validator(schema)
    document = asyncapi()
    assert [error.message for error in validator.iter_errors(document)] == []
    assert not validator.is_valid({**document, "channels": {"events": {"address": 7}}})
