"""The FastAPI application, and the deployment that serves it."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from serve import logs
from serve.api import errors, live, monitoring, page, reports, streams
from serve.api.backend import Directory, RemoteDirectory
from serve.settings import Settings

MAX_BODY_BYTES = 1 << 20
_DESCRIPTION = "Cameras in, people counts and heatmaps out. Errors are RFC 9457 problem+json."


def make_api(directory: Directory, store: Store, settings: Settings) -> FastAPI:
    """The application over whatever directory and store it is given."""
    app = FastAPI(
        title="Footfall",
        version=version("footfall"),
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from other people's servers
        redoc_url=None,
    )
    app.state.directory, app.state.store, app.state.settings = directory, store, settings
    errors.install(app)
    for module in (streams, live, reports, monitoring):
        app.include_router(module.router)
    page.install(app)

    @app.middleware("http")
    async def bounded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            detail = f"a body may have {MAX_BODY_BYTES} bytes"
            return errors.problem(request.url.path, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
        return await call_next(request)

    return app


class Api:
    """The ingress deployment; `serve.app` wraps it.

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
