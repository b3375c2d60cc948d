"""Makes sinks of what is stored of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from analytics.storage.alerts import AlertStore
from analytics.storage.base import StreamRecord
from analytics.storage.outbox import EVERYTHING, EventFilter, NumberedEvent, Outbox
from analytics.storage.sinks import SinkRecord
from pipelines.errors import FootfallError
from pipelines.sources.reach import Reach
from serve.control.sealing import Sealing, shown
from serve.events.definition import SinkDefinition, parsed
from serve.events.deliverer import Opened
from serve.events.sinks.base import Outcome, SinkContext
from serve.events.sinks.catalogue import SINKS
from serve.settings import Settings

logger = logging.getLogger(__name__)
AGAIN_S = 30.0
"""After so long a sink that could not be opened is opened anew."""
PART = "target"
"""Of a definition, that has a type and may hold secrets."""


def sealing_of(settings: Settings) -> Sealing:
    """Seals sinks' secrets."""
    return Sealing(settings.key_file, PART, SINKS)


def definition_of(sealing: Sealing, record: SinkRecord) -> SinkDefinition | None:
    """What is stored of a sink; None if that is not understood here, such as a type of another version."""
    try:
        return parsed(shown(sealing.opened(record).definition, PART))
    except ValidationError:
        return None


class BrokenSink:
    """One that cannot be opened, and says why.

    Args:
        reason: in plain words.
    """

    at_once, idle_s = 1, 5.0

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def send(self, events: Sequence[NumberedEvent]) -> Outcome:
        del events
        return Outcome(0, error=self._reason)

    async def close(self) -> None: ...


class Opening:
    """Opens sinks.

    Args:
        sealing: of their secrets.
        reach: where receivers may be.
        outbox: see `serve.events.sinks.base.SinkContext`.
        streams: likewise; all of them.
        alerts: likewise.
    """

    def __init__(
        self,
        sealing: Sealing,
        reach: Reach,
        outbox: Outbox,
        streams: Callable[[], Sequence[StreamRecord]],
        alerts: AlertStore,
    ) -> None:
        self._sealing = sealing
        self._reach = reach
        self._outbox = outbox
        self._streams = streams
        self._alerts = alerts

    def open(self, record: SinkRecord, position: int) -> Opened | None:
        """The sink as it is to be delivered to; None if it is switched off. What is wrong with it, the sink tells."""
        if record.definition.get("enabled") is False:
            return None
        try:
            opened = self._sealing.opened(record)
            definition = parsed(shown(opened.definition, PART))
            if definition.target.hides_a_secret:
                return _broken("its secret cannot be read: give it again, or the key back")
            definition.target.check(self._reach)
            wanted = definition.wanted
            context = SinkContext(
                record.id,
                self._reach,
                self._outbox,
                lambda: self._streams_of(wanted),
                self._alerts,
                wanted,
                position,
            )
            return Opened(definition.target.open(context), definition.target.heard(wanted))
        except ValidationError:
            return _broken("its definition is not understood here")
        except FootfallError as error:
            return _broken(str(error))

    def _streams_of(self, wanted: EventFilter) -> list[StreamRecord]:
        """The streams whose events may go there."""
        return [
            record
            for record in self._streams()
            if (not wanted.streams or record.id in wanted.streams)
            and (not wanted.sites or record.definition.get("site") in wanted.sites)
        ]


def _broken(reason: str) -> Opened:
    return Opened(BrokenSink(reason), EVERYTHING, AGAIN_S)
