"""What routes stand on: registry, store and settings of the application that a request came to."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from analytics.storage.base import Store
from serve.api.registry_client import Directory
from serve.settings import Settings


def directory_of(connection: HTTPConnection) -> Directory:
    directory: Directory = connection.app.state.directory
    return directory


def store_of(connection: HTTPConnection) -> Store:
    store: Store = connection.app.state.store
    return store


def settings_of(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


InDirectory = Annotated[Directory, Depends(directory_of)]
InStore = Annotated[Store, Depends(store_of)]
InSettings = Annotated[Settings, Depends(settings_of)]
