"""State as a short text: a busy scene's is rewritten every few seconds, and says the same in a third of the bytes."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

LEVEL = 1
"""Of zlib: a millisecond for a hundred kilobytes."""


def pack(document: Mapping[str, Any]) -> str:
    """A document of JSON types as text.

    Raises:
        TypeError: it holds something else.
    """
    return base64.b85encode(zlib.compress(json.dumps(document).encode(), LEVEL)).decode()


def unpack(text: str) -> dict[str, Any]:
    """The reverse of `pack`; documents that were written as plain JSON are read, too."""
    content = text if text.startswith("{") else zlib.decompress(base64.b85decode(text))
    document: dict[str, Any] = json.loads(content)
    return document
