"""The ingress: the REST API and the page; a plain class, which `serve.deployments.graph` makes a deployment of."""

from __future__ import annotations

from fastapi import FastAPI

from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.api.registry_client import RegistryClient
from serve.settings import Settings


class Api:
    """The ingress.

    Args:
        settings: of the service.
        registry: for streams.
        stores: for everything else.
    """

    def __init__(self, settings: Settings, registry: RegistryClient, stores: Stores) -> None:
        self._settings = settings
        self._registry = registry
        self._stores = stores

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve in the replica, after the constructor."""
        return make_api(self._registry, self._stores, self._settings)
