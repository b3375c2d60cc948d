"""Keeps what people change of alert rules: the registry that leads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from analytics.alerts.rule_changes import RuleChanges, RuleView
from analytics.alerts.rules import AlertRule
from analytics.errors import StoreUnavailable
from analytics.storage.alerts import AlertStore
from serve.control.changes import Changing, to_its_end

logger = logging.getLogger(__name__)


class RuleKeeping(Changing):
    """All on one event loop; the store is asked in threads.

    Args:
        settings: what the settings change, by name of the rule.
    """

    def __init__(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._settings = settings
        self._changing = asyncio.Lock()
        """From a change to its being written nobody else comes in between."""
        self.begin()

    def begin(self) -> None:
        """Somebody else may have led meanwhile."""
        self._known: RuleChanges | None = None

    async def open(self, store: AlertStore) -> None:
        """Know what people have changed, if that is not known yet.

        Raises:
            StoreError: nobody knows.
        """
        async with self._changing:
            if self._known is None:
                changes = RuleChanges(self._settings)
                self._known, strange = changes.restored(await asyncio.to_thread(store.rules))
                if strange:
                    logger.warning("changes of alert rules are not understood, and left out: %s", ", ".join(strange))

    @property
    def rules(self) -> Mapping[str, AlertRule]:
        """What is told, by name.

        Raises:
            StoreUnavailable: what was changed is not known yet.
        """
        return self._there.rules

    def views(self) -> list[RuleView]:
        """All rules, those too that are not enabled.

        Raises:
            StoreUnavailable: see `rules`.
        """
        return self._there.views()

    @to_its_end
    async def change(self, store: AlertStore, name: str, change: Mapping[str, Any]) -> RuleView:
        """Change a rule, in place of what was changed of it before; it is written before this returns.

        Args:
            store: that it is written to.
            name: of the rule.
            change: see `RuleChanges.with_said`; empty: what the settings say holds.

        Raises:
            UnknownAlertRule: there is none of this name.
            AlertRuleInvalid: it cannot be so.
            StoreError: it could not be written; nothing has changed.
        """
        async with self._changing:
            there = self._there
            wanted = there.with_said(name, change)
            if wanted != there:
                await asyncio.to_thread(store.save_rules, wanted.said)
                self._known = wanted
            return wanted.view(name)

    @property
    def _there(self) -> RuleChanges:
        if self._known is None:
            raise StoreUnavailable("alert rules are not known yet")
        return self._known
