"""All that is kept in one database, each part as those who need it know it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.storage.access import AccessStore, DatabaseAccessStore
from analytics.storage.alerts import AlertStore, DatabaseAlertStore
from analytics.storage.base import Store
from analytics.storage.database import DatabaseStore
from analytics.storage.outbox import DatabaseOutbox, Outbox
from analytics.storage.sinks import DatabaseSinkStore, SinkStore
from analytics.storage.view_pictures import DatabaseViewPictures, ViewPictureStore


@dataclass(frozen=True)
class Stores:
    """The parts.

    Attributes:
        counts: streams, and what was counted.
        access: tokens, and who changed what.
        outbox: events.
        sinks: where events go.
        alerts: that are on, and that were.
        view_pictures: how cameras looked, and look since something is wrong.
    """

    counts: Store
    access: AccessStore
    outbox: Outbox
    sinks: SinkStore
    alerts: AlertStore
    view_pictures: ViewPictureStore

    @staticmethod
    def of(database: DatabaseStore) -> Stores:
        """All of a database's."""
        return Stores(
            database,
            DatabaseAccessStore(database),
            DatabaseOutbox(database),
            DatabaseSinkStore(database),
            DatabaseAlertStore(database),
            DatabaseViewPictures(database),
        )
