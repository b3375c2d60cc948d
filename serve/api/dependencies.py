"""What routes stand on: registry, store and settings of the application that a request came to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from analytics.storage.access import AccessStore
from analytics.storage.alerts import AlertStore
from analytics.storage.base import Store
from analytics.storage.outbox import Outbox
from analytics.storage.stores import Stores
from analytics.storage.view_pictures import ViewPictureStore
from serve.api.credentials import Credentials
from serve.api.registry_client import RegistryClient
from serve.control.preconditions import Precondition
from serve.errors import BadRequest
from serve.events.desk import SinkDesk
from serve.events.tail import EventTail
from serve.settings import Settings


def registry_of(connection: HTTPConnection) -> RegistryClient:
    registry: RegistryClient = connection.app.state.registry
    return registry


def store_of(connection: HTTPConnection) -> Store:
    return stores_of(connection).counts


def stores_of(connection: HTTPConnection) -> Stores:
    stores: Stores = connection.app.state.stores
    return stores


def settings_of(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


def access_of(connection: HTTPConnection) -> AccessStore:
    return stores_of(connection).access


def outbox_of(connection: HTTPConnection) -> Outbox:
    return stores_of(connection).outbox


def alerts_of(connection: HTTPConnection) -> AlertStore:
    return stores_of(connection).alerts


def view_pictures_of(connection: HTTPConnection) -> ViewPictureStore:
    return stores_of(connection).view_pictures


def event_tail_of(connection: HTTPConnection) -> EventTail:
    tail: EventTail = connection.app.state.event_tail
    return tail


def sink_desk_of(connection: HTTPConnection) -> SinkDesk:
    desk: SinkDesk = connection.app.state.sink_desk
    return desk


def credentials_of(connection: HTTPConnection) -> Credentials:
    credentials: Credentials = connection.app.state.credentials
    return credentials


InRegistry = Annotated[RegistryClient, Depends(registry_of)]
InStore = Annotated[Store, Depends(store_of)]
InSettings = Annotated[Settings, Depends(settings_of)]
InAccess = Annotated[AccessStore, Depends(access_of)]
InOutbox = Annotated[Outbox, Depends(outbox_of)]
InAlerts = Annotated[AlertStore, Depends(alerts_of)]
InViewPictures = Annotated[ViewPictureStore, Depends(view_pictures_of)]
InEventTail = Annotated[EventTail, Depends(event_tail_of)]
InSinkDesk = Annotated[SinkDesk, Depends(sink_desk_of)]
InCredentials = Annotated[Credentials, Depends(credentials_of)]


def _expected(
    if_match: Annotated[
        str | None, Header(description="Change it only if its ETag is (one of) this; `*`: only if it is there.")
    ] = None,
) -> Precondition:
    """What the caller believes to be there.

    Raises:
        BadRequest: the header is no list of ETags.
    """
    return Precondition(match=_etags(if_match))


def _expected_or_absent(
    expected: Annotated[Precondition, Depends(_expected)],
    if_none_match: Annotated[str | None, Header(description="`*`: only if it is not there yet.")] = None,
) -> Precondition:
    if if_none_match is None:
        return expected
    if if_none_match.strip() != "*":
        raise BadRequest("If-None-Match: a change takes * here, and nothing else")
    return replace(expected, absent=True)


def _etags(header: str | None) -> tuple[str, ...] | None:
    """Of an If-Match header; empty for ``*``, None without the header."""
    if header is None:
        return None
    if header.strip() == "*":
        return ()
    found = tuple(part.strip() for part in header.split(","))
    # Weak ones never match here (RFC 9110, 13.1.1); we give none.
    if not all(re.fullmatch(r'(W/)?"[^"]*"', tag) for tag in found):
        raise BadRequest('If-Match: ETags in double quotes are needed, such as "1f-2-1", or *')
    return found


ExpectedOrAbsent = Annotated[Precondition, Depends(_expected_or_absent)]
