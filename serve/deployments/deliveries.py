"""Brings events to sinks; a plain class, which `serve.deployments.graph` makes a deployment of."""

from __future__ import annotations

import asyncio
import logging

from pydantic import ValidationError

from analytics.errors import StoreError
from analytics.storage.database import DatabaseStore
from analytics.storage.sinks import SinkRecord
from analytics.storage.stores import Stores
from pipelines.errors import FootfallError
from serve.definitions.stream import STREAM_ID
from serve.errors import SettingsError
from serve.events.definition import BY_SETTINGS, SinkDefinition, require_alone
from serve.events.deliverer import Deliverer
from serve.events.opening import Opening, definition_of, sealing_of
from serve.events.tail import EventTail
from serve.settings import Settings, described

logger = logging.getLogger(__name__)
AGAIN_S, LATER_S = 1.0, 30.0
PATIENT = 30
"""Tries, while the database may still be on its way."""


def sinks_of(settings: Settings) -> dict[str, SinkDefinition]:
    """The sinks that the settings name.

    Raises:
        SettingsError: one of them makes no sense, or is where nothing may be sent to.
    """
    found: dict[str, SinkDefinition] = {}
    for name, document in settings.events.sinks.items():
        if not STREAM_ID.fullmatch(name):
            raise SettingsError(f"events.sinks: {name!r} is no id: letters, digits, '_', '.' and '-', 64 at most")
        try:
            definition = SinkDefinition.model_validate(document)
            definition.target.check(settings.events.reach)
            require_alone(name, definition, found)
        except ValidationError as error:
            raise SettingsError(f"events.sinks.{name}: {described(error)}") from None
        except FootfallError as error:
            raise SettingsError(f"events.sinks.{name}: {error}") from None
        found[name] = definition
    return found


class Deliveries:
    """The deliverer with all that it needs, on the loop that makes it.

    Args:
        settings: of the service.
        name: unique for ever.
        store: its own; closed at the end.
    """

    def __init__(self, settings: Settings, name: str, store: DatabaseStore | None = None) -> None:
        self._settings = settings
        self._store = store or DatabaseStore(settings.store_url)
        self._stores = Stores.of(self._store)
        self._sealing = sealing_of(settings)
        outbox, alerts = self._stores.outbox, self._stores.alerts
        opening = Opening(self._sealing, settings.events.reach, outbox, self._store.list_streams, alerts)
        self._deliverer = Deliverer(name, self._stores.sinks, EventTail(outbox), opening.open)
        self._tries = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._use_settings())
            tasks.create_task(self._deliverer.run())

    async def _use_settings(self) -> None:
        """Store what the settings say; whatever is wrong with that keeps nobody else's events from their sinks."""
        wanted, level = sinks_of(self._settings), logging.DEBUG
        while True:
            try:
                await asyncio.to_thread(self._apply, wanted)
                return
            except StoreError as error:  # not there, or not migrated yet
                logger.log(level, "sinks of the settings are not stored: %s", error)
            except FootfallError as error:
                logger.error("sinks of the settings are not stored: %s", error)
            except Exception:
                logger.exception("sinks of the settings are not stored")
            await asyncio.sleep(AGAIN_S if level == logging.DEBUG else LATER_S)
            self._tries += 1
            level = logging.DEBUG if self._tries < PATIENT else logging.WARNING

    def _apply(self, wanted: dict[str, SinkDefinition]) -> None:
        """Store the sinks of the settings, and forget those that they do not name any more."""
        store = self._stores.sinks
        known = {record.id: record for record in store.sinks()}
        others = {
            name: definition_of(self._sealing, record)
            for name, record in known.items()
            if not record.definition.get(BY_SETTINGS) and name not in wanted
        }
        for name, definition in wanted.items():
            try:
                require_alone(name, definition, others)
            except FootfallError as error:
                logger.error("the sink %s of the settings is left out: %s", name, error)
                continue
            document = {**definition.model_dump(mode="json"), BY_SETTINGS: True}
            record = known.get(name)
            if record is not None and self._sealing.opened(record).definition == document:
                continue
            sealed = self._sealing.sealed(SinkRecord(name, document)).definition
            if record is None:
                store.add_sink(name, sealed, self._stores.outbox.number())
            else:
                store.change_sink(name, sealed, record.version)
        for name, record in known.items():
            if record.definition.get(BY_SETTINGS) and name not in wanted:
                store.delete_sink(name)

    async def check_health(self) -> None:
        """Called by Serve; one whose loop has ended is replaced."""
        if self._task.done():
            raise RuntimeError("nobody delivers any more")

    async def stop(self) -> None:
        """Let go of all sinks. Idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._store.close)
