"""Which reader gets which stream: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from serve.control.weights import Weight

WORTH_A_MOVE = 0.2
"""Two readers are evened out once the fuller one is ahead by this share of what it has: a move costs a gap."""
SAME = 1e-9
"""Loads are sums of measured numbers; what differs by no more than this is the same."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream as the planner sees it.

    Attributes:
        weight: CPU cores that it takes.
        owner: reader that has it, dead or alive; None if nobody has.
        wanted: False if it is switched off.
        releasing: its owner was asked to let go, and has not answered yet.
        target: reader that is to have it, once that one is prepared and its owner has let go; None if it stays.
        guessed: it was given to its owner, and was not measured so far: too early to move anything for its sake.
    """

    weight: Weight
    owner: str | None
    wanted: bool = True
    releasing: bool = False
    guessed: bool = False
    target: str | None = None

    @property
    def moving(self) -> bool:
        """Whether it is on its way to another reader."""
        return self.wanted and (self.releasing or self.target is not None)


@dataclass(frozen=True, slots=True)
class Room:
    """A live reader as the planner sees it.

    Attributes:
        capacity: CPU cores that it may take, above zero.
        node: where it runs.
        leaving: all that it has is to go to others, and it gets nothing.
    """

    capacity: float
    node: str = ""
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to change.

    Attributes:
        assign: streams to give, with their new owner.
        release: streams that are switched off, whose owner is asked to let go.
        move: streams that another reader is to have, with that reader.
        orphaned: streams whose owner is gone.
        waiting: wanted streams for which no reader has room.
    """

    assign: Mapping[str, str]
    release: Collection[str]
    move: Mapping[str, str]
    orphaned: Collection[str]
    waiting: Collection[str]


@dataclass(slots=True)
class _Load:
    """What a reader has to do, while a plan is made.

    Attributes:
        wanted: CPU cores that its streams want.
        least: that they cannot do without.
        streams: that could be taken from it.
        guessed: how many of its streams were not measured so far.
    """

    room: Room
    wanted: float = 0.0
    least: float = 0.0
    streams: dict[str, Weight] = field(default_factory=dict)
    guessed: int = 0

    @property
    def share(self) -> float:
        """Of its capacity that is wanted; above one, frames are skipped."""
        return self.wanted / self.room.capacity

    def share_with(self, weight: Weight) -> float:
        return (self.wanted + weight.wanted) / self.room.capacity

    def takes(self, weight: Weight) -> bool:
        return self.least + weight.least <= self.room.capacity + SAME

    def add(self, weight: Weight) -> None:
        self.wanted += weight.wanted
        self.least += weight.least

    def remove(self, stream: str) -> Weight:
        weight = self.streams.pop(stream)
        self.wanted -= weight.wanted
        self.least -= weight.least
        return weight


def plan(
    claims: Mapping[str, Claim],
    readers: Mapping[str, Room],
    *,
    settling: bool = False,
    most_moves: int = 1,
    most_leaving: int = 8,
) -> Plan:
    """Assign what has no owner, take from the dead, and even out.

    Readers are filled by the share of their capacity that is wanted, so whoever is given a stream has room to grow. A
    reader takes more than its capacity only as long as every stream gets its least. A stream moves only if that makes
    the fuller of two readers less full, and only if these are far apart, so plans that are carried out come to an end.

    Args:
        claims: all streams.
        readers: all that are alive.
        settling: readers may still be on their way to reclaim what they hold.
        most_moves: streams that may be on the move to even readers out; those under way count.
        most_leaving: the same, of readers that leave: sooner or later these move in any case.
    """
    loads = {name: _Load(room) for name, room in readers.items()}
    orphaned: list[str] = []
    free: list[str] = []
    for stream, claim in claims.items():
        load = loads.get(claim.owner) if claim.owner is not None else None
        if load is not None:
            load.add(claim.weight)
            load.guessed += claim.guessed
            if claim.wanted and not claim.moving:
                load.streams[stream] = claim.weight
        elif claim.owner is None:
            free.append(stream)
        elif not settling:
            orphaned.append(stream)
            free.append(stream)
    switched_off = [
        stream for stream, claim in claims.items() if not claim.wanted and claim.owner in loads and not claim.releasing
    ]
    staying = {name: load for name, load in loads.items() if not load.room.leaving}
    under_way = {stream: claim for stream, claim in claims.items() if claim.moving and claim.owner in loads}
    _move_on(under_way, loads, staying)
    assign, waiting = _give({stream: claims[stream].weight for stream in free if claims[stream].wanted}, staying)
    # Whoever leaves is emptied first; until then, who is fullest is not worth a move.
    if len(staying) < len(loads):
        moves = _empty(loads, staying, most_leaving - len(under_way))
    else:
        moves = _even_out(loads, most_moves - len(under_way))
    return Plan(assign, sorted(switched_off), moves, sorted(orphaned), sorted(waiting))


def _give(weights: Mapping[str, Weight], loads: Mapping[str, _Load]) -> tuple[dict[str, str], list[str]]:
    """Owners for streams that nobody has, and those for which there is no room; ``loads`` grow with what is given."""
    assign: dict[str, str] = {}
    waiting: list[str] = []
    nodes: dict[str, float] = {}
    for load in loads.values():
        nodes[load.room.node] = nodes.get(load.room.node, 0.0) + load.wanted
    # The heaviest first: what is small fits into what is left.
    for stream in sorted(weights, key=lambda name: (-weights[name].wanted, name)):
        weight = weights[stream]
        # By the load that it leads to: a stream that was released to even out must not come back.
        fitting = [
            (load.share_with(weight), nodes[load.room.node], name) for name, load in loads.items() if load.takes(weight)
        ]
        if not fitting:
            waiting.append(stream)
            continue
        target = min(fitting)[2]
        assign[stream] = target
        loads[target].add(weight)
        nodes[loads[target].room.node] += weight.wanted
    return assign, waiting


def _move_on(under_way: Mapping[str, Claim], loads: Mapping[str, _Load], staying: Mapping[str, _Load]) -> None:
    """Streams on their way already count where they will be."""
    homeless = {}
    for stream, claim in under_way.items():
        assert claim.owner is not None
        loads[claim.owner].add(Weight(-claim.weight.wanted, -claim.weight.least))
        target = staying.get(claim.target) if claim.target is not None else None
        if target is not None:
            target.add(claim.weight)
        else:
            homeless[stream] = claim.weight
    _give(homeless, staying)


def _empty(loads: Mapping[str, _Load], staying: Mapping[str, _Load], most_moves: int) -> dict[str, str]:
    """Streams of readers that leave, and where they find room."""
    theirs = {stream: weight for load in loads.values() if load.room.leaving for stream, weight in load.streams.items()}
    # Always the same ones, whatever the order in which they are known.
    next_ones = sorted(theirs)[: max(0, most_moves)]
    return _give({stream: theirs[stream] for stream in next_ones}, staying)[0]


def _even_out(loads: Mapping[str, _Load], most_moves: int) -> dict[str, str]:
    """Streams of the most loaded readers whose move to the least loaded ones is worth it."""
    moves: dict[str, str] = {}
    while len(loads) > 1 and len(moves) < most_moves:
        least = min(loads, key=lambda name: (loads[name].share, name))
        most = max(loads, key=lambda name: (loads[name].share, name))
        stream = _worth_moving(loads[most], loads[least])
        if stream is None:
            break
        moves[stream] = least
        loads[least].add(loads[most].remove(stream))
    return moves


def _worth_moving(most: _Load, least: _Load) -> str | None:
    """The stream that evens two readers out best; None if they are even enough, or none would."""
    if most.guessed or least.guessed or most.share - least.share <= WORTH_A_MOVE * most.share:
        return None
    helping = [
        (max(least.share_with(weight), (most.wanted - weight.wanted) / most.room.capacity), name)
        for name, weight in most.streams.items()
        if least.takes(weight) and least.share_with(weight) < most.share - SAME
    ]
    return min(helping)[1] if helping else None
