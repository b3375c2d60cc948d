"""What of a definition is to be had here."""

from __future__ import annotations

import time

from serve.definitions.stream import StreamDefinition, completed
from serve.errors import DefinitionRefused
from serve.settings import Settings


class Acceptance:
    """Judges what is registered.

    Args:
        settings: of the service.

    Attributes:
        model: that finds people, by now.
    """

    def __init__(self, settings: Settings) -> None:
        self.model = settings.detector.model
        self._reach = settings.sources.reach

    def of(self, wanted: StreamDefinition, known: StreamDefinition | None) -> StreamDefinition:
        """What is to be stored.

        Args:
            wanted: as it was sent.
            known: what it replaces.

        Raises:
            DefinitionRefused, SourceNotAllowed: it asks for what is not to be had.
        """
        if wanted.model not in (None, self.model):
            raise DefinitionRefused(f"this service runs the model {self.model!r} and no other")
        wanted.source.check(self._reach)
        return completed(wanted, known, time.time())
