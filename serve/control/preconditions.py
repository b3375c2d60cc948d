"""Conditions on a change: made only if what is there is what the caller has seen (RFC 9110, section 13)."""

from __future__ import annotations

from dataclasses import dataclass

from serve.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class Precondition:
    """What has to be there.

    Attributes:
        match: one of these ETags; an empty tuple for anything at all; None sets no condition.
        absent: nothing may be there.
    """

    match: tuple[str, ...] | None = None
    absent: bool = False

    def check(self, etag: str | None, what: str = "stream") -> None:
        """Hold it against what is there.

        Args:
            etag: of what is there; None if nothing is.
            what: it is, for people.

        Raises:
            PreconditionFailed: it does not hold.
        """
        if self.absent and etag is not None:
            raise PreconditionFailed(f"there is a {what} with this id already")
        if self.match is None:
            return
        if etag is None or (self.match and etag not in self.match):
            raise PreconditionFailed(f"the {what} was changed since you read it; read it again, and decide anew")


ANY = Precondition()
"""No condition."""
