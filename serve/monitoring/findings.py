"""What an examination finds: what it is about, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from pipelines.errors import FootfallError
from pipelines.redaction import redact


class State(Enum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not for long, or not as well as it could."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Nobody could look, or wanted to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at, a word or two.
        state: how it is.
        detail: what was found, with numbers; no credentials.
        advice: what to do about it; empty if there is nothing to do.
    """

    subject: str
    state: State
    detail: str
    advice: str = ""


def ok(subject: str, detail: str) -> Finding:
    return Finding(subject, State.OK, redact(detail))


def warning(subject: str, detail: str, advice: str) -> Finding:
    return Finding(subject, State.WARNING, redact(detail), advice)


def failed(subject: str, detail: str, advice: str) -> Finding:
    return Finding(subject, State.FAILED, redact(detail), advice)


def skipped(subject: str, detail: str, advice: str = "") -> Finding:
    return Finding(subject, State.SKIPPED, redact(detail), advice)


def examined(subject: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What ``look`` finds; that it breaks down is a finding, too, and no end of the examination."""
    try:
        return list(look())
    except FootfallError as error:
        return [failed(subject, str(error), "See the line above, and docs/operations.md.")]
    except Exception as error:  # whoever asks what is wrong with a machine must get an answer on a broken one
        what = f"could not be examined: {type(error).__name__}: {error}"
        return [failed(subject, what, "This is a defect of Footfall: please report it.")]
