"""Which readers may take part where the database is a file: those on its own node."""

from __future__ import annotations

import logging

from serve.control.messages import Greeting
from serve.errors import SettingsError
from serve.settings import SEVERAL

logger = logging.getLogger(__name__)


class Neighbours:
    """Refuses readers that cannot reach the database.

    Args:
        node: where it is, if it is a file; empty where anybody reaches it.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._refused: set[str] = set()

    def check(self, greeting: Greeting) -> None:
        """Raises SettingsError if the reader is on another node than the database; logged once a node."""
        if not self._node or greeting.node in ("", self._node):
            return
        refusal = f"a reader on node {greeting.node} cannot reach the database, a file on node {self._node}: {SEVERAL}"
        if greeting.node not in self._refused:  # it will try again and again
            self._refused.add(greeting.node)
            logger.error("%s", refusal)
        raise SettingsError(refusal)
