"""A connection to PostgreSQL that is given up when the server falls silent."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg


class PatientConnection(psycopg.Connection[Any]):
    """Gives up a server that takes a question and never answers: one that is frozen, or whose disk is.

    Nothing else notices that. TCP goes on as long as the server's kernel acknowledges what is sent, and the server's
    own time-outs are the server's to mind.

    Attributes:
        answer_s: how long the server may say nothing at all while it is waited for; None: for ever.
    """

    answer_s: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Every round trip comes through here. Raises OperationalError, and is closed, if it takes too long."""
        if self.answer_s is not None:
            gen = self._answered(gen, self.answer_s)
        return super().wait(gen, *args, **kwargs)

    def _answered(self, gen: Generator[Any, Any, Any], answer_s: float) -> Generator[Any, Any, Any]:
        """The same conversation, told now and then that nothing has come (0), and broken off after so much of that."""
        until_s = time.monotonic() + answer_s
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                if ready:
                    until_s = time.monotonic() + answer_s
                elif time.monotonic() > until_s:
                    self.close()
                    raise psycopg.OperationalError(f"the server has not answered for {answer_s:.0f} s")
                awaited = gen.send(ready)
        except StopIteration as end:
            return end.value
