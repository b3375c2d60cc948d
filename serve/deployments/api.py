"""The ingress: the REST API and the page; a plain class, which `serve.deployments.graph` makes a deployment of."""

from __future__ import annotations

from fastapi import FastAPI

from analytics.storage.access import AccessStore
from analytics.storage.base import Store
from analytics.storage.outbox import Outbox
from serve.api.app import make_api
from serve.api.registry_client import RegistryClient
from serve.settings import Settings


class Api:
    """The ingress.

    Args:
        settings: of the service.
        registry: for streams.
        store: for numbers.
        access: for tokens and the audit log.
        outbox: for events.
    """

    def __init__(
        self, settings: Settings, registry: RegistryClient, store: Store, access: AccessStore, outbox: Outbox
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._store = store
        self._access = access
        self._outbox = outbox

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve in the replica, after the constructor."""
        return make_api(self._registry, self._store, self._access, self._outbox, self._settings)
