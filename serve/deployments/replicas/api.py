"""The ingress as a replica."""

from __future__ import annotations

from typing import Any

from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from serve.deployments.api import Api
from serve.deployments.handles import HandleRegistryClient
from serve.deployments.replicas.begin import configured


class ApiReplica(Api):
    """The ingress; it holds the handles of readers and deliverers so that they belong to the application."""

    def __init__(self, arguments: dict[str, Any], registry: Any, live: Any, reader: Any, deliverer: Any) -> None:
        settings = configured(arguments)
        self._others = reader, deliverer
        client = HandleRegistryClient(registry, live)
        super().__init__(settings, client, Stores.of(DatabaseStore(settings.store_url)))
