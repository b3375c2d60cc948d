"""Credentials in the database are sealed: encrypted with keys that lie in a file, and not in the database.

A field that holds a secret is stored as ``{"sealed": CIPHERTEXT, "shown": what may be shown of it}``. What was stored
before there were keys is read as it is, and sealed the next time that it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipelines.redaction import HIDDEN, redact
from serve.definitions.catalogue import SOURCES
from serve.definitions.secretive import Secret, Secretive
from serve.errors import CredentialsLost, KeyFileError
from serve.keyfile import read_or_make_secret, read_secret, replace_secret

logger = logging.getLogger(__name__)


class _Record(Protocol):
    """Something of a name with a definition, such as `analytics.storage.base.StreamRecord`; a dataclass."""

    @property
    def id(self) -> str: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=_Record)


class Sealing:
    """Seals and opens records on their way to the store and back.

    Args:
        key_file: one key a line, the newest first; made when something is to be sealed and there is none. It is read
            every time: keys change while the service runs.
        part: of a definition, that has a type and may hold secrets.
        kinds: types of such parts.
    """

    def __init__(self, key_file: Path, part: str = "source", kinds: Mapping[str, type[Secretive]] = SOURCES) -> None:
        self._key_file = key_file
        self._part = part
        self._kinds = kinds

    def sealed(self, record: R) -> R:
        """As it is stored.

        Raises:
            KeyFileError: the key cannot be read, so nothing may be written.
        """
        secrets = dict(self._secrets(record.definition))
        if not secrets:
            return record
        keys = _parsed(read_or_make_secret(self._key_file, Fernet.generate_key), self._key_file)
        return self._with(
            record,
            {
                name: {"sealed": keys.encrypt(text.encode()).decode(), "shown": shown}
                for name, (text, shown) in secrets.items()
            },
        )

    def opened(self, record: R) -> R:
        """As it was sealed; what cannot be opened stays sealed, and comes to light again with its key."""
        found = {name: value for name, value in _part(record.definition, self._part).items() if isinstance(value, dict)}
        sealed = {name: str(value["sealed"]) for name, value in found.items() if "sealed" in value}
        if not sealed:
            return record
        try:
            keys = _parsed(read_secret(self._key_file), self._key_file)
            return self._with(record, {name: keys.decrypt(text.encode()).decode() for name, text in sealed.items()})
        except (KeyFileError, InvalidToken) as error:
            reason = str(error) or f"{self._key_file} holds another key than it was sealed with"
            what = {"stream": record.id} if self._part == "source" else {}
            logger.error("the password of %s cannot be read: %s", record.id, reason, extra=what)
            return record

    def is_open(self, record: R) -> bool:
        """Whether all secrets of an opened record are there."""
        return record.definition == shown(record.definition, self._part)

    def _secrets(self, definition: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, str]]]:
        """Fields that hold a secret now, each with what may be shown of it."""
        part = _part(definition, self._part)
        kind = self._kinds.get(str(part.get("type")))
        for name, secret in kind.secrets.items() if kind is not None else ():
            value = part.get(name)
            if isinstance(value, str) and value:
                instead = HIDDEN if secret is Secret.WHOLE else redact(value)
                if instead != value:
                    yield name, (value, instead)

    def _with(self, record: R, values: Mapping[str, Any]) -> R:
        part = {**_part(record.definition, self._part), **values}
        changed = replace(cast(Any, record), definition={**record.definition, self._part: part})
        return cast(R, changed)


def shown(definition: Mapping[str, Any], part: str = "source") -> dict[str, Any]:
    """A stored definition that can be parsed: where a secret could not be opened stands what may be shown of it."""
    found = {
        name: value["shown"] if isinstance(value, dict) and "sealed" in value else value
        for name, value in _part(definition, part).items()
    }
    return {**definition, part: found} if found else dict(definition)


@dataclass(frozen=True)
class Shelf(Generic[R]):
    """Records with secrets, where they are kept.

    Attributes:
        sealing: that seals them.
        read: all of them as they are stored.
        write: one of them, unless somebody else has changed it since it was read.
    """

    sealing: Sealing
    read: Callable[[], Sequence[R]]
    write: Callable[[R], object]

    def opened(self) -> list[R]:
        """All of them.

        Raises:
            CredentialsLost: the secrets of some cannot be opened.
        """
        records = [self.sealing.opened(record) for record in self.read()]
        lost = [record.id for record in records if not self.sealing.is_open(record)]
        if lost:
            raise CredentialsLost(f"of {', '.join(lost)} the password cannot be read: give it again, or the key back")
        return records

    def seal(self) -> int:
        """Write all that have secrets, sealed anew; returns how many."""
        count = 0
        for record in self.opened():
            sealed = self.sealing.sealed(record)
            if sealed is not record:
                self.write(sealed)
                count += 1
        return count


def rotate(shelves: Sequence[Shelf[Any]], key_file: Path) -> list[int]:
    """Seal everything with a new key, and forget the old one; returns how many of each shelf have secrets.

    Whenever it breaks off, what is stored can be opened with the keys in the file: the new key is added first, and the
    old one removed last. What somebody writes meanwhile is sealed with the new one.

    Raises:
        CredentialsLost: some secrets cannot be opened; nothing has changed.
        KeyFileError: the key cannot be read or written.
        StoreError: the store does not work.
    """
    for shelf in shelves:
        shelf.opened()
    new = Fernet.generate_key()
    old = read_or_make_secret(key_file, Fernet.generate_key)
    replace_secret(key_file, new + b"\n" + old)
    counts = [shelf.seal() for shelf in shelves]
    replace_secret(key_file, new)
    return counts


def _parsed(content: bytes, key_file: Path) -> MultiFernet:
    try:
        return MultiFernet([Fernet(line) for line in content.split()])
    except ValueError as error:
        raise KeyFileError(f"{key_file} holds no key") from error


def _part(definition: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = definition.get(part)
    return found if isinstance(found, dict) else {}
