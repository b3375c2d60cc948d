"""Credentials in the database are sealed: encrypted with keys that lie in a file, and not in the database.

A field that holds a secret is stored as ``{"sealed": CIPHERTEXT, "shown": what may be shown of it}``. What was stored
before there were keys is read as it is, and sealed the next time that it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from analytics.storage.base import Store, StreamRecord
from pipelines.redaction import HIDDEN, redact
from serve.definitions.base import Secret
from serve.definitions.catalogue import SOURCES
from serve.errors import CredentialsLost, KeyFileError
from serve.keyfile import read_or_make_secret, read_secret, replace_secret

logger = logging.getLogger(__name__)


class Sealing:
    """Seals and opens records on their way to the store and back.

    Args:
        key_file: one key a line, the newest first; made when something is to be sealed and there is none. It is read
            every time: keys change while the service runs.
    """

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def sealed(self, record: StreamRecord) -> StreamRecord:
        """As it is stored.

        Raises:
            KeyFileError: the key cannot be read, so nothing may be written.
        """
        secrets = dict(_secrets(record.definition))
        if not secrets:
            return record
        keys = _parsed(read_or_make_secret(self._key_file, Fernet.generate_key), self._key_file)
        return _with(
            record,
            {
                name: {"sealed": keys.encrypt(text.encode()).decode(), "shown": shown}
                for name, (text, shown) in secrets.items()
            },
        )

    def opened(self, record: StreamRecord) -> StreamRecord:
        """As it was sealed; what cannot be opened stays sealed, and comes to light again with its key."""
        found = {name: value for name, value in _source(record.definition).items() if isinstance(value, dict)}
        sealed = {name: str(value["sealed"]) for name, value in found.items() if "sealed" in value}
        if not sealed:
            return record
        try:
            keys = _parsed(read_secret(self._key_file), self._key_file)
            return _with(record, {name: keys.decrypt(text.encode()).decode() for name, text in sealed.items()})
        except (KeyFileError, InvalidToken) as error:
            reason = str(error) or f"{self._key_file} holds another key than it was sealed with"
            logger.error("the password of the stream cannot be read: %s", reason, extra={"stream": record.id})
            return record


def shown(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A stored definition that can be parsed: where a secret could not be opened stands what may be shown of it."""
    source = {
        name: value["shown"] if isinstance(value, dict) and "sealed" in value else value
        for name, value in _source(definition).items()
    }
    return {**definition, "source": source} if source else dict(definition)


def rotate(store: Store, key_file: Path) -> int:
    """Seal everything with a new key, and forget the old one; returns how many streams have secrets.

    Whenever it breaks off, what is stored can be opened with the keys in the file: the new key is added first, and the
    old one removed last. The store has to lead, or a registry could write between reading and writing.

    Raises:
        CredentialsLost: the secrets of a stream cannot be opened; nothing has changed.
        KeyFileError: the key cannot be read or written.
        StoreError: the store does not work.
    """
    sealing = Sealing(key_file)
    records = [sealing.opened(record) for record in store.list_streams()]
    lost = [record.id for record in records if record.definition != shown(record.definition)]
    if lost:
        raise CredentialsLost(f"of {', '.join(lost)} the password cannot be read: give it again, or the key back")
    new = Fernet.generate_key()
    old = read_or_make_secret(key_file, Fernet.generate_key)
    replace_secret(key_file, new + b"\n" + old)
    changed = 0
    for record in records:
        sealed = sealing.sealed(record)
        if sealed is not record:
            store.put_stream(sealed)
            changed += 1
    replace_secret(key_file, new)
    return changed


def _parsed(content: bytes, key_file: Path) -> MultiFernet:
    try:
        return MultiFernet([Fernet(line) for line in content.split()])
    except ValueError as error:
        raise KeyFileError(f"{key_file} holds no key") from error


def _source(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    source = definition.get("source")
    return source if isinstance(source, dict) else {}


def _secrets(definition: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, str]]]:
    """Fields of a source that hold a secret now, each with what may be shown of it."""
    source = _source(definition)
    kind = SOURCES.get(str(source.get("type")))
    for name, secret in kind.secrets.items() if kind is not None else ():
        value = source.get(name)
        if isinstance(value, str) and value:
            instead = HIDDEN if secret is Secret.WHOLE else redact(value)
            if instead != value:
                yield name, (value, instead)


def _with(record: StreamRecord, values: Mapping[str, Any]) -> StreamRecord:
    source = {**_source(record.definition), **values}
    return replace(record, definition={**record.definition, "source": source})
