"""All types of sinks: every target in a module of this folder, found when this one is loaded."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

import serve.events.sinks
from serve.events.sinks.base import Target


def _load() -> dict[str, type[Target]]:
    for module in pkgutil.iter_modules(serve.events.sinks.__path__):
        if f"{serve.events.sinks.__name__}.{module.name}" != __name__:
            importlib.import_module(f"{serve.events.sinks.__name__}.{module.name}")
    kinds = sorted(Target.__subclasses__(), key=lambda kind: kind.title)
    return {kind.model_fields["type"].annotation.__args__[0]: kind for kind in kinds}  # type: ignore[union-attr]


SINKS: Mapping[str, type[Target]] = _load()

# Any one of them, told apart by its type; checkers know what all have in common.
if TYPE_CHECKING:
    AnyTarget: TypeAlias = Target
else:
    AnyTarget = Annotated[reduce(or_, SINKS.values()), Field(discriminator="type")]


def sink_types() -> list[dict[str, Any]]:
    """Every type with its JSON Schema, as a form needs it."""
    return [
        {
            "type": name,
            "title": kind.title,
            "description": (kind.__doc__ or "").strip(),
            "schema": kind.model_json_schema(),
        }
        for name, kind in SINKS.items()
    ]
