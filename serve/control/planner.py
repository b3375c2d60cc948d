"""Which reader gets which stream: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream as the planner sees it.

    Attributes:
        weight: its share of a reader's capacity.
        owner: reader that has it, dead or alive; None if nobody has.
        wanted: False if it is switched off.
        releasing: its owner was asked to let go, and has not answered yet.
    """

    weight: float
    owner: str | None
    wanted: bool = True
    releasing: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to change.

    Attributes:
        assign: streams to give, with their new owner.
        release: streams whose owner is asked to let go, so that somebody else can have them.
        orphaned: streams whose owner is gone.
        waiting: wanted streams for which no reader has room.
    """

    assign: Mapping[str, str]
    release: Collection[str]
    orphaned: Collection[str]
    waiting: Collection[str]


def plan(
    claims: Mapping[str, Claim],
    capacities: Mapping[str, float],
    *,
    leaving: Collection[str] = (),
    settling: bool = False,
) -> Plan:
    """Assign what has no owner, take from the dead, and even out.

    A stream moves only if that makes the share of capacity that the fuller of two readers uses smaller, so plans that
    are carried out come to an end. One stream at a time moves: a move costs a gap.

    Args:
        claims: all streams.
        capacities: live readers and the weight they take.
        leaving: of these, those that are handing back what they have: they get nothing, and nothing is taken from them.
        settling: readers may still be on their way to reclaim what they hold.
    """
    load = dict.fromkeys(capacities, 0.0)
    orphaned: list[str] = []
    free: list[str] = []
    for stream in sorted(claims):
        claim = claims[stream]
        if claim.owner in load:
            load[claim.owner] += claim.weight
        elif claim.owner is not None:
            if not settling:
                orphaned.append(stream)
                free.append(stream)
        else:
            free.append(stream)
    release = [
        stream
        for stream, claim in sorted(claims.items())
        if not claim.wanted and claim.owner in load and not claim.releasing
    ]
    staying = {reader: capacity for reader, capacity in capacities.items() if reader not in set(leaving)}
    assign, waiting = _give({stream: claims[stream].weight for stream in free if claims[stream].wanted}, load, staying)
    # Whoever leaves empties himself; until then, who is fullest is not worth a move.
    if not leaving:
        release += _even_out(claims, load, capacities, set(release))
    return Plan(assign, release, orphaned, waiting)


def _give(
    weights: Mapping[str, float], load: dict[str, float], capacities: Mapping[str, float]
) -> tuple[dict[str, str], list[str]]:
    """Owners for streams that nobody has, and those for which there is no room; ``load`` grows with what is given."""
    assign: dict[str, str] = {}
    waiting: list[str] = []
    for stream, weight in weights.items():
        # By the load that it leads to: a stream that was released to even out must not come back.
        shares = {reader: (load[reader] + weight) / capacity for reader, capacity in capacities.items()}
        target = min(shares, key=lambda reader: (shares[reader], reader), default=None)
        if target is None or shares[target] > 1:
            waiting.append(stream)
            continue
        assign[stream] = target
        load[target] += weight
    return assign, waiting


def _even_out(
    claims: Mapping[str, Claim], load: Mapping[str, float], capacities: Mapping[str, float], releasing: set[str]
) -> list[str]:
    """One stream of the most loaded reader, if its move to the least loaded one is worth a gap."""
    if len(load) < 2 or any(claim.releasing for claim in claims.values()):
        return []
    least = min(load, key=lambda reader: (load[reader] / capacities[reader], reader))
    most = max(load, key=lambda reader: (load[reader] / capacities[reader], reader))
    for stream in sorted(claims):
        claim = claims[stream]
        if claim.owner != most or stream in releasing:
            continue
        afterwards = (load[least] + claim.weight) / capacities[least]
        if afterwards <= 1 and afterwards < load[most] / capacities[most]:
            return [stream]
    return []
