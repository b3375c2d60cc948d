"""Changes that are made whole, whoever waits for them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar


class Changing:
    """Whatever is changed.

    Attributes:
        changes: that are under way.
    """

    def __init__(self) -> None:
        self.changes: set[asyncio.Task[Any]] = set()


Changed = TypeVar("Changed", bound=Changing)
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
_Change = Callable[Concatenate[Changed, Asked], Coroutine[Any, Any, Answer]]


def to_its_end(change: _Change[Changed, Asked, Answer]) -> _Change[Changed, Asked, Answer]:
    """The change goes on when whoever asked for it hangs up: half of it would leave memory and database apart."""

    @functools.wraps(change)
    async def begun(changed: Changed, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
        task = asyncio.get_running_loop().create_task(change(changed, *args, **kwargs))
        changed.changes.add(task)
        task.add_done_callback(changed.changes.discard)
        return await asyncio.shield(task)

    return begun
