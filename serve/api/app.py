"""The FastAPI application."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from analytics.storage.stores import Stores
from serve.api import (
    alert_rules,
    alerts,
    audit,
    counts,
    errors,
    events,
    fleet,
    heatmap,
    live,
    monitoring,
    page,
    readers,
    sinks,
    sockets,
    streams,
    tokens,
    view_pictures,
)
from serve.api.audit import Auditor
from serve.api.bodies import BoundedBody
from serve.api.credentials import Credentials
from serve.api.headers import SecurityHeaders
from serve.api.registry_client import RegistryClient
from serve.api.requests import RequestCounter
from serve.api.routing import HeadAsGet, KnownParameters
from serve.api.security import Doorman, Viewer
from serve.api.throttle import FailureThrottle
from serve.events.desk import SinkDesk
from serve.events.opening import sealing_of
from serve.events.tail import EventTail
from serve.settings import Settings

_DESCRIPTION = "Cameras in, people counts and heatmaps out. Errors are RFC 9457 problem+json."


_TAGS = [
    {"name": "streams", "description": "Cameras, topics and recordings: what is wanted of them, and how they are."},
    {"name": "geometry", "description": "Lines and zones."},
    {"name": "live", "description": "Pictures and tracks as they happen."},
    {"name": "reports", "description": "Counts and heatmaps of any window."},
    {"name": "events", "description": "What happens, as it happens, and what has happened lately."},
    {"name": "sinks", "description": "Where events go by themselves, and how far they are there."},
    {"name": "readers", "description": "Who holds the cameras, and how much more they take."},
    {"name": "alerts", "description": "What is wrong, what was, and who knows of it."},
    {"name": "access", "description": "Tokens, and who changed what with them."},
    {"name": "monitoring", "description": "Health, readiness, metrics, and how well everything runs."},
]


def make_api(registry: RegistryClient, stores: Stores, settings: Settings) -> FastAPI:
    """The application over whatever registry and stores it is given."""
    app = FastAPI(
        title="Footfall",
        version=version("footfall"),
        description=_DESCRIPTION,
        openapi_url=None,  # FastAPI's own route asks nobody for a token
        docs_url=None,  # FastAPI's page loads its scripts from other people's servers
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        openapi_tags=_TAGS,
    )
    token = settings.api.token
    credentials = Credentials(stores.access, token.get_secret_value() if token else None)
    app.state.registry, app.state.stores, app.state.settings = registry, stores, settings
    app.state.credentials = credentials
    app.state.requests = Counter()
    app.state.event_tail = EventTail(stores.outbox)
    app.state.sink_desk = SinkDesk(stores.sinks, stores.outbox, sealing_of(settings), settings.events.reach)
    errors.install(app)
    sockets.install(app)
    watching = alerts, alert_rules, fleet, view_pictures
    for module in (streams, live, counts, heatmap, events, sinks, readers, *watching, tokens, audit, monitoring):
        app.include_router(module.router)
    app.include_router(events.socket_router)
    page.install(app)

    # The last one comes first: whoever is turned away at the door has said nothing that was read.
    app.add_middleware(BoundedBody)
    app.add_middleware(Auditor, store=stores.access)
    app.add_middleware(Doorman, credentials=credentials, throttle=FailureThrottle(settings.api.wrong_tokens_per_minute))
    app.add_middleware(RequestCounter, counts=app.state.requests)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SecurityHeaders)
    _describe(app)

    @app.get("/api/v1/openapi.json", include_in_schema=False, dependencies=[Viewer, KnownParameters])
    async def document(request: Request) -> JSONResponse:
        return JSONResponse(request.app.openapi())

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
