"""What fields of definitions are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
"""Nothing unknown, and nothing turned into what it is not: ``true`` is no 1.0, "6" no number."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


AS_WHOLE = BeforeValidator(_whole)
"""For whole numbers: JSON does not tell 64.0 from 64. Stands behind bounds, or these are lost in the JSON Schema."""
Whole = Annotated[int, AS_WHOLE]


def form(
    *,
    placeholder: str | None = None,
    needed: str | None = None,
    advanced: bool = False,
    hidden: bool = False,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a form needs to know of a field beyond its JSON Schema, for ``Field(json_schema_extra=...)``.

    Args:
        placeholder: an example to show in an empty field.
        needed: what to say when it is left empty.
        advanced: whether it belongs under "more settings".
        hidden: not for forms; it keeps the value it has.
        labels: what people read instead of the values of a choice.
    """
    extras = {
        "x-placeholder": placeholder,
        "x-needed": needed,
        "x-advanced": advanced or None,
        "x-hidden": hidden or None,
        "x-labels": dict(labels) if labels else None,
    }
    return {name: value for name, value in extras.items() if value is not None}
