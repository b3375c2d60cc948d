"""Definitions that hold secrets: what may be shown of them, and how one gets its own back."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from pipelines.redaction import HIDDEN, redact, same_but_redacted
from serve.definitions.fields import STRICT

_SOUNDS_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|private|auth|login|api_?key|(^|_)(url|uri|address|brokers?|servers?)$",
    re.IGNORECASE,
)
"""Names of fields that hold a secret, or an address that may hold one."""


class Secret(Enum):
    """How much of a field is secret."""

    WHOLE = "all of it"
    CREDENTIALS = "what `pipelines.redaction` hides of its URLs"


class Secretive(BaseModel, ABC):
    """One type of something that is defined, with its secrets.

    Attributes:
        title: what people call it.
        secrets: fields that are never shown. Named by every type itself, even if there are none: a type that forgets
            them, or a field that sounds like a secret and is not named, cannot be loaded.
        belongs_to: fields that say where the secrets are sent, and how; named by every type that has one that is hidden
            whole. Secrets are filled in only while they are what they were: whoever may change a definition must not
            have its password sent elsewhere, or with less protection.
    """

    model_config = STRICT
    title: ClassVar[str]
    secrets: ClassVar[Mapping[str, Secret]]
    belongs_to: ClassVar[tuple[str, ...]] = ()
    must_say: ClassVar[tuple[str, ...]] = ("title", "secrets")
    """What every type says for itself."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a type that leaves something unsaid; those that types have in common are abstract, and say nothing.

        Raises:
            TypeError: it has no title, or forgets its secrets.
        """
        super().__pydantic_init_subclass__(**kwargs)
        if "must_say" in cls.__dict__:
            return
        for name in cls.must_say:
            if name not in cls.__dict__:
                raise TypeError(f"{cls.__name__} must say its {name}")
        unknown = (cls.secrets.keys() | set(cls.belongs_to)) - cls.model_fields.keys()
        if unknown:
            raise TypeError(f"{cls.__name__} has no fields {', '.join(sorted(unknown))}")
        if Secret.WHOLE in cls.secrets.values() and not cls.__dict__.get("belongs_to"):
            raise TypeError(f"{cls.__name__} must say in belongs_to where its secrets are sent")
        forgotten = [name for name in _field_names(cls) if _SOUNDS_SECRET.search(name) and name not in cls.secrets]
        if forgotten:
            raise TypeError(f"{cls.__name__} must name {', '.join(forgotten)} among its secrets")

    def redacted(self) -> dict[str, Any]:
        """As JSON without secrets, for answers."""
        document = self.model_dump(mode="json")
        whole = {name for name, secret in self.secrets.items() if secret is Secret.WHOLE and document[name]}
        return {name: HIDDEN if name in whole else _redacted(value) for name, value in document.items()}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What a log may show."""
        return self.redacted().items()

    def with_secrets_of(self, stored: Secretive) -> Self:
        """With the stored secrets where a client sent back the redacted ones that it was shown."""
        if type(stored) is not type(self):
            return self
        whole = {name for name, secret in self.secrets.items() if secret is Secret.WHOLE}
        known: dict[str, Any] = {}
        for name, mine in self._texts().items():
            theirs = getattr(stored, name)
            if name not in whole and HIDDEN in mine and theirs and same_but_redacted(mine, theirs):
                known[name] = theirs
        filled = self.model_copy(update=known)
        if any(getattr(filled, name) != getattr(stored, name) for name in self.belongs_to):
            return self
        known |= {name: getattr(stored, name) for name in whole if getattr(self, name) == HIDDEN}
        return self.model_copy(update=known)

    @property
    def hides_a_secret(self) -> bool:
        """Whether ``***`` stands where a secret should. It is never stored: any field may have been shown with it."""
        return any(HIDDEN in text for text in self._texts().values())

    def _texts(self) -> dict[str, str]:
        """Fields that hold text, as it is."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, str)}


def _field_names(kind: type[BaseModel]) -> Iterator[str]:
    """Of a model and of the models in it; a secret in one of those cannot be named, so there must be none."""
    for name, field in kind.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{inner}" for inner in _field_names(field.annotation))


def _redacted(value: Any) -> Any:
    """Every text with the secrets of its URLs hidden, whoever forgot to say that it has one."""
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return redact(value) if isinstance(value, str) else value
