"""Which reader gets which stream: a pure function of what is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from serve.control.weights import Weight

WORTH_A_MOVE = 0.2
"""Two readers are evened out once the fuller one is ahead by this share of what it has: a move costs a gap."""
WORTH_OF_A_GAP = 0.25
"""Share of what two readers are apart that a move takes away from the fuller one, at least, where it is too much."""
SAME = 1e-9
"""Loads are sums of measured numbers; what differs by no more than this is the same."""
ROOMY = 0.9
"""Share of its capacity up to which a reader gets more of a shard that it has a part of; one that has too much gives
parts of shards away again, so there has to be something in between."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream as the planner sees it.

    Attributes:
        weight: CPU cores that it takes.
        owner: reader that has it, dead or alive; None if nobody has.
        wanted: False if it is switched off.
        releasing: its owner was asked to let go, and has not answered yet.
        target: reader that is to have it, once that one is prepared and its owner has let go; None if it stays.
        shard: names what a reader reads once for all of its streams that say the same; None if it shares nothing.
        guessed: it was given to its owner, and was not measured so far: too early to move anything for its sake.
    """

    weight: Weight
    owner: str | None
    wanted: bool = True
    releasing: bool = False
    guessed: bool = False
    target: str | None = None
    shard: str | None = None

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
        shards: that it has a part of, with the CPU cores that this wants.
        guessed: how many of its streams were not measured so far.
    """

    room: Room
    wanted: float = 0.0
    least: float = 0.0
    streams: dict[str, Claim] = field(default_factory=dict)
    shards: dict[str, float] = field(default_factory=dict)
    guessed: int = 0

    @property
    def share(self) -> float:
        """Of its capacity that is wanted; above one, frames are skipped."""
        return self.wanted / self.room.capacity

    def share_with(self, weight: Weight) -> float:
        return (self.wanted + weight.wanted) / self.room.capacity

    def takes(self, weight: Weight) -> bool:
        return self.least + weight.least <= self.room.capacity + SAME

    def has_home(self, shard: str, weight: Weight) -> bool:
        """Whether it has a part of a shard, and room for more of it."""
        return shard in self.shards and self.share_with(weight) <= ROOMY

    def add(self, claim: Claim, sign: int = 1) -> None:
        self.wanted += sign * claim.weight.wanted
        self.least += sign * claim.weight.least
        if claim.shard is not None and claim.wanted:
            part = self.shards.pop(claim.shard, 0.0) + sign * claim.weight.wanted
            if part > SAME:
                self.shards[claim.shard] = part

    def remove(self, stream: str) -> Claim:
        claim = self.streams.pop(stream)
        self.add(claim, -1)
        return claim


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
        most_leaving: the same, of each reader that leaves: sooner or later these move in any case.
    """
    loads = {name: _Load(room) for name, room in readers.items()}
    orphaned: list[str] = []
    free: dict[str, Claim] = {}
    for stream, claim in claims.items():
        load = loads.get(claim.owner) if claim.owner is not None else None
        if load is not None:
            load.add(claim)
            load.guessed += claim.guessed
            if claim.wanted and not claim.moving:
                load.streams[stream] = claim
        elif claim.owner is None:
            free[stream] = claim
        elif not settling:
            orphaned.append(stream)
            free[stream] = claim
    off = [name for name, claim in claims.items() if not claim.wanted and claim.owner in loads and not claim.releasing]
    staying = {name: load for name, load in loads.items() if not load.room.leaving}
    under_way = {stream: claim for stream, claim in claims.items() if claim.moving and claim.owner in loads}
    _move_on(under_way, loads, staying)
    assign, waiting = _give({stream: claim for stream, claim in free.items() if claim.wanted}, staying)
    # Whoever leaves is emptied first; until then, who is fullest is not worth a move.
    if len(staying) < len(loads):
        moves = _empty(loads, staying, under_way, most_leaving)
    else:
        count = len(units(under_way))
        moves = _gather(loads, most_moves - count)
        moves |= _even_out(loads, most_moves - count - len(units({name: claims[name] for name in moves})))
    return Plan(assign, sorted(off), moves, sorted(orphaned), sorted(waiting))


def units(claims: Mapping[str, Claim]) -> list[list[str]]:
    """What goes where together: the streams of a shard, and each of the others by itself."""
    found: dict[tuple[str, bool], list[str]] = {}
    for stream in sorted(claims):
        shard = claims[stream].shard
        found.setdefault((shard or stream, shard is not None), []).append(stream)
    return list(found.values())


def _sum(claims: Iterable[Claim]) -> Weight:
    weights = [claim.weight for claim in claims]
    return Weight(sum(weight.wanted for weight in weights), sum(weight.least for weight in weights))


def _give(claims: Mapping[str, Claim], loads: Mapping[str, _Load]) -> tuple[dict[str, str], list[str]]:
    """Owners for streams that nobody has, and those for which there is no room; ``loads`` grow with what is given."""
    assign: dict[str, str] = {}
    waiting: list[str] = []
    nodes: dict[str, float] = {}
    for load in loads.values():
        nodes[load.room.node] = nodes.get(load.room.node, 0.0) + load.wanted
    whole = [(_sum(claims[stream] for stream in unit), unit) for unit in units(claims)]
    # The heaviest first: what is small fits into what is left.
    left = deque(sorted(whole, key=lambda one: (-one[0].wanted, one[1])))
    while left:
        weight, unit = left.popleft()
        target = _best(weight, unit, claims[unit[0]].shard, loads, nodes)
        if target is not None:
            assign |= dict.fromkeys(unit, target)
            for stream in unit:
                loads[target].add(claims[stream])
            nodes[loads[target].room.node] += weight.wanted
        elif len(unit) > 1:  # too much for any reader
            left.extendleft((claims[stream].weight, [stream]) for stream in reversed(unit))
        else:
            waiting += unit
    return assign, waiting


def _best(
    weight: Weight, unit: Collection[str], shard: str | None, loads: Mapping[str, _Load], nodes: Mapping[str, float]
) -> str | None:
    """Who has most room for what weighs so much; None if nobody has enough."""
    # By the load that it leads to: a stream that was released to even out must not come back.
    fitting = [
        (shard is None or not load.has_home(shard, weight), load.share_with(weight), nodes[load.room.node], name)
        for name, load in loads.items()
        if load.takes(weight) and (len(unit) == 1 or load.share_with(weight) <= 1.0 + SAME)
    ]
    return min(fitting)[3] if fitting else None


def _move_on(under_way: Mapping[str, Claim], loads: Mapping[str, _Load], staying: Mapping[str, _Load]) -> None:
    """Streams on their way already count where they will be."""
    homeless = {}
    for stream, claim in under_way.items():
        assert claim.owner is not None
        loads[claim.owner].add(claim, -1)
        target = staying.get(claim.target) if claim.target is not None else None
        if target is not None:
            target.add(claim)
        else:
            homeless[stream] = claim
    _give(homeless, staying)


def _empty(
    loads: Mapping[str, _Load], staying: Mapping[str, _Load], under_way: Mapping[str, Claim], most_moves: int
) -> dict[str, str]:
    """Streams of readers that leave, some of each, and where they find room."""
    next_ones: dict[str, Claim] = {}
    for name, load in loads.items():
        if load.room.leaving:
            count = len(units({stream: claim for stream, claim in under_way.items() if claim.owner == name}))
            # Always the same ones, whatever the order in which they are known.
            for unit in units(load.streams)[: max(0, most_moves - count)]:
                next_ones |= {stream: load.streams[stream] for stream in unit}
    return _give(next_ones, staying)[0]


def _gather(loads: Mapping[str, _Load], most_moves: int) -> dict[str, str]:
    """Streams that join the others of their shard: what several readers read is read several times."""
    owners: dict[str, list[str]] = {}
    for name in sorted(loads):
        for shard in loads[name].shards:
            owners.setdefault(shard, []).append(name)
    moves: dict[str, str] = {}
    made = 0
    for shard in sorted(shard for shard, names in owners.items() if len(names) > 1):
        if any(loads[name].guessed for name in owners[shard]):
            continue  # it might not have room after all
        home = _home(shard, owners[shard], loads)
        for name in owners[shard] if home is not None else ():
            unit = [stream for stream, claim in loads[name].streams.items() if claim.shard == shard]
            if home is not None and name != home and unit and made < most_moves:
                made += 1
                for stream in unit:
                    moves[stream] = home
                    loads[home].add(loads[name].remove(stream))
    return moves


def _home(shard: str, names: Collection[str], loads: Mapping[str, _Load]) -> str | None:
    """Which of a shard's readers is to have all of it; None if none has room for that."""
    total = sum(loads[name].shards[shard] for name in names)
    costs = []
    for name in names:
        load, rest = loads[name], total - loads[name].shards[shard]
        if load.share_with(Weight(rest, 0.0)) <= ROOMY:
            # By how full it gets, and by what has to move.
            costs.append(((load.wanted + 2 * rest) / load.room.capacity, name))
    return min(costs)[1] if costs else None


def _even_out(loads: Mapping[str, _Load], most_moves: int) -> dict[str, str]:
    """Streams of loaded readers whose move to less loaded ones is worth it."""
    moves: dict[str, str] = {}
    measured = {name: load for name, load in loads.items() if not load.guessed}
    for _ in range(most_moves):
        found = _next_move(measured)
        if found is None:
            break
        unit, most, least = found
        for stream in unit:
            moves[stream] = least
            measured[least].add(measured[most].remove(stream))
    return moves


def _next_move(loads: Mapping[str, _Load]) -> tuple[list[str], str, str] | None:
    """What to move, from where to where.

    From the fullest reader that can let go of something to the emptiest that can take it: one whose only stream is
    heavy has nothing to give, and must not keep the others from it.
    """
    emptiest = sorted(loads, key=lambda name: (loads[name].share, name))
    for most in reversed(emptiest):
        for least in emptiest:
            if not _far_apart(loads[most], loads[least]):
                break  # the next ones are fuller
            unit = _worth_moving(loads[most], loads[least])
            if unit:
                return unit, most, least
    return None


def _far_apart(most: _Load, least: _Load) -> bool:
    return most.share - least.share > WORTH_A_MOVE * most.share


def _worth_moving(most: _Load, least: _Load) -> list[str]:
    """The streams that even two readers out best; none if none would."""
    # Of a shard that is being gathered, what stays must not leave while the rest arrives.
    whole = [unit for unit in units(most.streams) if _is_whole(unit, most)]
    found = _evening(whole, most, least)
    if not found and most.share > 1.0 + SAME:  # a shard that is too much for it is divided
        found = _evening([[stream] for unit in units(most.streams) if len(unit) > 1 for stream in unit], most, least)
    return found


def _is_whole(unit: Collection[str], load: _Load) -> bool:
    """Whether nothing more of its shard is on its way to the reader."""
    shard = load.streams[next(iter(unit))].shard
    return shard is None or load.shards.get(shard, 0.0) <= _sum(load.streams[name] for name in unit).wanted + 1e-6


def _evening(whole: Iterable[list[str]], most: _Load, least: _Load) -> list[str]:
    helping = []
    for unit in whole:
        weight = _sum(most.streams[stream] for stream in unit)
        # Nearly as far apart the other way round would be a move for nothing, and soon one back.
        limit = most.share - WORTH_OF_A_GAP * (most.share - least.share)
        if least.takes(weight) and least.share_with(weight) <= limit + SAME:
            fuller = max(least.share_with(weight), (most.wanted - weight.wanted) / most.room.capacity)
            helping.append((fuller, unit))
    return min(helping)[1] if helping else []
