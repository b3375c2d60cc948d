"""What is sent, held against the AsyncAPI document."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema

from serve.events.schemas import asyncapi


@cache
def _messages(channel: str) -> dict[str, Any]:
    document = asyncapi()
    return {
        name: {**document["components"]["messages"][name]["payload"], "components": document["components"]}
        for name in document["channels"][channel]["messages"]
    }


def fitting(channel: str, sent: Any) -> list[str]:
    """Names of the channel's messages that this may be."""
    checker = jsonschema.FormatChecker()
    return [
        name
        for name, schema in _messages(channel).items()
        if jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(sent)
    ]


def check(channel: str, sent: Any) -> Any:
    """What is sent has to be one message of the channel, and no other; returns it."""
    assert len(fitting(channel, sent)) == 1, (channel, sent)
    return sent
