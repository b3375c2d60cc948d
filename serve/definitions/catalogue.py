"""All source types: every definition in a module of this folder, found when this one is loaded."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

import serve.definitions
from serve.definitions.base import SourceDefinition

_NOT_SOURCES = {"base", "catalogue", "fields", "kafka_fields", "secretive", "stream"}


def _load() -> dict[str, type[SourceDefinition]]:
    """Definitions by type: cameras first, then what is read from its beginning to its end."""
    for module in pkgutil.iter_modules(serve.definitions.__path__):
        if module.name not in _NOT_SOURCES:
            importlib.import_module(f"{serve.definitions.__name__}.{module.name}")
    kinds = sorted(_below(SourceDefinition), key=lambda kind: (not kind.live, kind.title))
    return {kind.model_fields["type"].annotation.__args__[0]: kind for kind in kinds}  # type: ignore[union-attr]


def _below(kind: Any) -> Iterator[type[SourceDefinition]]:
    """All types that are made of one, at any depth."""
    for found in kind.__subclasses__():
        yield found
        yield from _below(found)


SOURCES: Mapping[str, type[SourceDefinition]] = _load()

# Any one of them, told apart by its type; checkers know what all have in common.
if TYPE_CHECKING:
    AnySource: TypeAlias = SourceDefinition
else:
    AnySource = Annotated[reduce(or_, SOURCES.values()), Field(discriminator="type")]


def source_types() -> list[dict[str, Any]]:
    """Every type with its JSON Schema, as a form needs it."""
    return [
        {
            "type": name,
            "title": kind.title,
            "description": (kind.__doc__ or "").strip(),
            "live": kind.live,
            "schema": kind.model_json_schema(),
        }
        for name, kind in SOURCES.items()
    ]
