"""What becomes of a checkpoint that waited on a disk: a pure function of what has happened meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analytics.storage.base import Checkpoint


class Verdict(Enum):
    """What of a late checkpoint is written."""

    WHOLE = "rows, state and place"
    ROWS = "rows"
    NOTHING = "nothing"


KEPT_S = 90 * 86400.0
"""What an epoch left behind is taken for so long after its end; then the epoch is forgotten."""
KEPT_EPOCHS = 10_000
"""Of a stream, the newest; one that changes its reader every few seconds must not fill the database with that."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a stream, seen from one epoch.

    Attributes:
        newest: epoch of the newest assignment.
        active: whether the stream is registered.
        over: everything of this epoch and those before it was purged, or ended so long ago that nothing is known of it.
        next_begun_s: when the first later epoch began, seconds since the epoch; None if none has.
    """

    newest: int
    active: bool
    over: int
    next_begun_s: float | None


def verdict(late: Checkpoint, standing: Standing) -> Verdict:
    """Whether somebody has counted the same frames meanwhile, or would count them without the checkpoint's place.

    While no later epoch has begun, the next one will go on from here: everything is wanted. Once one has, it began from
    an older place, so what can be replayed is counted again by it; of a live camera, the frames before that beginning
    are known to this checkpoint alone.
    """
    if not standing.over < late.epoch <= standing.newest:
        return Verdict.NOTHING
    if standing.next_begun_s is None:
        return Verdict.WHOLE if standing.active else Verdict.NOTHING
    # By the machine's clock, as the beginning is; the camera's may be some seconds ahead of it.
    if late.resume is None and (late.made_s or late.time_s) <= standing.next_begun_s:
        return Verdict.ROWS
    return Verdict.NOTHING
