"""The FastAPI application."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from analytics.storage.base import Store
from serve.api import counts, errors, heatmap, live, monitoring, page, streams
from serve.api.registry_client import Directory
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
    for module in (streams, live, counts, heatmap, monitoring):
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
