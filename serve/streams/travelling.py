"""Messages between replicas of two versions, as there are while a service is updated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Message = TypeVar("Message")


def travels(message: type[Message]) -> type[Message]:
    """A frozen dataclass with slots, which travels as the list of its values.

    New fields stand at the end, and have a default: what an older replica sends has none of them, and what it is sent
    has more than it knows, which it leaves out. A field that is taken away, or moved, is another message.
    """
    known = fields(message)  # type: ignore[arg-type]

    def arrive(self: Message, state: Sequence[Any]) -> None:
        for number, field in enumerate(known):
            value = state[number] if number < len(state) else _default(field)
            object.__setattr__(self, field.name, value)

    message.__setstate__ = arrive  # type: ignore[attr-defined]
    return message


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    if field.default is MISSING:
        raise TypeError(f"a message of another version has no {field.name}")
    return field.default
