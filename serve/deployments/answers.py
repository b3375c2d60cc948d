"""Expected errors as values on their way through a handle: of what is raised, Serve logs a traceback in the replica."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.errors import FootfallError
from serve.control.registry import Registry
from serve.deployments.live import Live
from serve.errors import DefinitionRefused
from serve.streams.live_frame import LiveFrame


@dataclass(frozen=True, slots=True)
class Refused:
    """Comes back instead of an answer.

    Attributes:
        error: what the caller is to raise.
    """

    error: FootfallError


class AnsweringRegistry(Registry):
    """The registry as handles see it: `Registry`'s methods for the API, called by name."""

    async def answer(self, method: str, *arguments: Any) -> Any:
        """What the method of that name answers, or `Refused`."""
        return await _answered(getattr(self, method)(*arguments))


class AnsweringLive(Live):
    """Live pictures as handles see them."""

    async def answer_watch(self, stream: str) -> AsyncIterator[LiveFrame | Refused]:
        """What `watch` yields; `Refused` is the last."""
        # Closed with this one: a viewer that has gone must not be counted among those who look.
        async with contextlib.aclosing(self.watch(stream)) as frames:
            try:
                async for frame in frames:
                    yield frame
            except FootfallError as error:
                yield Refused(error)


async def _answered(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except FootfallError as error:
        return Refused(error)
    except ValidationError as error:
        # Not as it is: it holds the input, and with it passwords.
        reasons = (f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        return Refused(DefinitionRefused("; ".join(reasons)))


def unwrapped(answer: Any) -> Any:
    """The answer itself. Raises the error that came in its place."""
    if isinstance(answer, Refused):
        raise answer.error
    return answer
