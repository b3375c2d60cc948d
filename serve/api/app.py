"""The FastAPI application."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from analytics.storage.base import Store
from serve.api import counts, errors, heatmap, live, monitoring, page, streams
from serve.api.registry_client import RegistryClient
from serve.api.routing import HeadAsGet
from serve.settings import Settings

MAX_BODY_BYTES = 1 << 20
_DESCRIPTION = "Cameras in, people counts and heatmaps out. Errors are RFC 9457 problem+json."


_TAGS = [
    {"name": "streams", "description": "Cameras, topics and recordings: what is wanted of them, and how they are."},
    {"name": "geometry", "description": "Lines and zones."},
    {"name": "live", "description": "Pictures and tracks as they happen."},
    {"name": "reports", "description": "Counts and heatmaps of any window."},
    {"name": "monitoring", "description": "Health, readiness and metrics."},
]


def make_api(registry: RegistryClient, store: Store, settings: Settings) -> FastAPI:
    """The application over whatever registry and store it is given."""
    app = FastAPI(
        title="Footfall",
        version=version("footfall"),
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from other people's servers
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        openapi_tags=_TAGS,
    )
    app.state.registry, app.state.store, app.state.settings = registry, store, settings
    errors.install(app)
    for module in (streams, live, counts, heatmap, monitoring):
        app.include_router(module.router)
    page.install(app)

    app.add_middleware(HeadAsGet)
    _describe(app)

    @app.middleware("http")
    async def bounded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            detail = f"a body may have {MAX_BODY_BYTES} bytes"
            return errors.problem(request.url.path, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
        return await call_next(request)

    return app


def _describe(app: FastAPI) -> None:
    """Make the document ours: the one schema of all errors, and summaries that are sentences."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = errors.Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for operation in (found for path in document["paths"].values() for found in path.values()):
                operation["summary"] = operation["description"].partition(".")[0]
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
