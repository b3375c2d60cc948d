"""The ingress: the REST API and the page as a deployment."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from analytics.storage.database import DatabaseStore
from serve import logs
from serve.api.app import make_api
from serve.api.registry_client import RemoteDirectory
from serve.settings import Settings


class Api:
    """The ingress deployment; `serve.deployments.graph` wraps it.

    Args:
        arguments: `Settings.to_arguments`.
        registry: handle of the registry.
        reader: handle of the readers; held so that they belong to the application.
    """

    def __init__(self, arguments: dict[str, Any], registry: Any, reader: Any) -> None:
        self._settings = Settings.of(arguments)
        logs.configure(self._settings.log_level, self._settings.log_format)
        self._reader = reader
        self._directory = RemoteDirectory(registry)
        self._store = DatabaseStore(self._settings.store_url)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve in the replica, after the constructor."""
        return make_api(self._directory, self._store, self._settings)
