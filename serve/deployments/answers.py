"""Expected errors as values on their way through a handle: of what is raised, Serve logs a traceback in the replica."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.errors import FootfallError
from serve.errors import DefinitionRefused


@dataclass(frozen=True, slots=True)
class Refused:
    """Comes back instead of an answer.

    Attributes:
        error: what the caller is to raise.
    """

    error: FootfallError


async def answered(call: Awaitable[Any]) -> Any:
    """What a call answers, or `Refused`."""
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
