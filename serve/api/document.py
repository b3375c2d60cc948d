"""Writes the OpenAPI document without running anything: ``python -m serve.api.document docs/openapi.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.api.registry_client import RegistryClient
from serve.settings import load


def document() -> dict[str, Any]:
    """The document of an API that nobody asks anything."""
    store: DatabaseStore = DatabaseStore.__new__(DatabaseStore)
    return make_api(cast(RegistryClient, None), Stores.of(store), load()).openapi()


def text() -> str:
    """As it is kept in the repository: one line a value, so that a change can be read."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
