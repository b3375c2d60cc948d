"""What may be wrong with a camera, its detector or its people, by name; imports nothing that judges it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Cause(Enum):
    """What is wrong with pictures."""

    FROZEN = "frozen"
    MOVED = "moved"
    COVERED = "covered"
    DARK = "dark"
    NOISY = "noisy"
    BLURRED = "blurred"
    COMPRESSED = "compressed"


class PeopleCause(Enum):
    """What has changed about people."""

    MODEL = "model"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that is not as it was.

    Attributes:
        cause: the value of a `Cause` or of a `PeopleCause`.
        detail: in plain words, with numbers.
        since_s: capture time from which on it was seen without a break, seconds since the epoch.
    """

    cause: str
    detail: str
    since_s: float
