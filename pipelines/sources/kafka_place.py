"""Where a topic is read: what a position of a `KafkaSource` is made of. No broker here."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from pipelines.sources.base import Position


@dataclass(slots=True)
class PartitionPlace:
    """One partition's.

    Attributes:
        next: offset behind all that is done with, whoever wrote it.
        own: offset behind the camera's last message; between it and ``next`` lies nothing of ours.
        decode_from: where decoding has to begin for what comes at ``next``; ``next`` itself if it may begin anywhere.
        sets: parameter sets that a decoder needs there and that came before it.
    """

    next: int
    own: int
    decode_from: int
    sets: bytes = b""

    @staticmethod
    def at(offset: int) -> PartitionPlace:
        return PartitionPlace(offset, offset, offset)

    def take(self, offset: int, *, begins: bytes | None, depends: bool) -> None:
        """A message of our camera.

        Args:
            offset: of the message.
            begins: parameter sets from before it, if decoding can begin at it; else None.
            depends: whether later messages need it, or one before it, to be decoded.
        """
        if begins is not None:
            self.decode_from, self.sets = offset, begins
        self.next, self.own = max(self.next, offset + 1), max(self.own, offset + 1)
        if not depends:
            self.decode_from = self.next

    def skip(self, end: int) -> None:
        """Everything below ``end`` is done with, and what lay behind our last message was none of ours."""
        anywhere = self.decode_from == self.next
        self.next = max(self.next, end)
        if anywhere:
            self.decode_from = self.own = self.next

    def within(self, first: int, end: int) -> PartitionPlace:
        """The same in a partition that now holds the offsets from ``first`` up to ``end``.

        What was deleted is gone; where a partition was cut or made anew, reading goes on at its end: to wait until
        offsets have caught up would be to see nothing for days.
        """
        if self.next > end:
            return PartitionPlace.at(end)
        place = PartitionPlace(max(self.next, first), max(self.own, first), max(self.decode_from, first), self.sets)
        return place if place.decode_from < place.own else PartitionPlace.at(place.next)


@dataclass(slots=True)
class TopicPlace:
    """All partitions of a topic.

    Attributes:
        home: the only one that holds anything of ours; None if that is not known.
        was: the last home, and how many partitions there were; None if none was ever known.
    """

    partitions: dict[int, PartitionPlace] = field(default_factory=dict)
    home: int | None = None
    was: tuple[int, int] | None = None

    def position(self) -> Position:
        sets = {str(p): base64.b64encode(place.sets).decode() for p, place in self.partitions.items() if place.sets}
        return {
            "next": {str(p): place.next for p, place in self.partitions.items()},
            "own": {str(p): place.own for p, place in self.partitions.items()},
            "decode_from": {str(p): place.decode_from for p, place in self.partitions.items()},
            **({"sets": sets} if sets else {}),
            **({"home": self.home} if self.home is not None else {}),
            **({"was": list(self.was)} if self.was is not None else {}),
        }

    @staticmethod
    def of(position: Position | None) -> TopicPlace:
        """The place of a stored position, also of one that an earlier version wrote."""
        if position is None:
            return TopicPlace()
        partitions = {int(name): _partition(position, name, int(n)) for name, n in position["next"].items()}
        was = position.get("was")
        return TopicPlace(partitions, position.get("home"), None if was is None else (int(was[0]), int(was[1])))


def _partition(position: Position, name: str, end: int) -> PartitionPlace:
    def part(kind: str, otherwise: Any) -> Any:
        return position.get(kind, {}).get(name, otherwise)

    return PartitionPlace(end, int(part("own", end)), int(part("decode_from", end)), base64.b64decode(part("sets", "")))
