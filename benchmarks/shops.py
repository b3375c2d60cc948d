"""A day of shops in six time zones, through the real planner and the real policy: how readers come and go with them.

What is simulated are the cameras' weights, and that a replica takes its time to start. What decides is the product's
own code. Time goes in steps, so a day passes in about a minute.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from serve.control.moves import AT_ONCE, Moves
from serve.control.planner import Claim, Plan, Room, plan
from serve.control.scaling import Scaling, readers_needed
from serve.control.weights import Weight

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
ZONES_H = (-8, -5, 0, 1, 8, 10)
"""Offsets of the shops' time zones from UTC, hours."""
START_S = 30.0
"""From the decision to a replica that takes streams, on a node that is there."""
PEOPLE = 0.3
"""Share by which a camera weighs more while its shop is full."""
NOISE = 0.05
LEAST_SHARE = 0.4
"""Of its weight, what a camera takes at `reader.min_fps`."""
SUSTAINED_S = 300.0
FLAP_S = 900.0
"""Who goes and is back within so long, or comes and is gone, need not have moved."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cameras:
    """All cameras of all shops, as columns.

    Attributes:
        names: of the streams.
        weight: CPU cores that each takes in an empty shop, ``[N]``.
        opens_s: when its shop opens, seconds of the day in UTC, ``[N]``; a camera is switched on for as long.
        open_s: for how long, seconds, ``[N]``.
        always: whether it stays on at night, ``[N]``.
    """

    names: list[str]
    weight: Floats
    opens_s: Floats
    open_s: Floats
    always: NDArray[np.bool_]

    @staticmethod
    def of_shops(shops: int, seed: int) -> Cameras:
        """Between 4 and 16 cameras a shop; one in ten of them looks at the door day and night."""
        random = np.random.default_rng(seed)
        count = random.integers(4, 17, shops)
        zone_s = random.choice(ZONES_H, shops) * HOUR_S
        opens_s = random.normal(9.0, 0.7, shops) * HOUR_S - zone_s
        open_s = np.clip(random.normal(11.0, 1.5, shops), 6, 15) * HOUR_S
        shop = np.repeat(np.arange(shops), count)
        weight = random.choice([0.08, 0.12, 0.2, 0.35], len(shop), p=[0.3, 0.4, 0.2, 0.1])
        names = [f"shop{number:03d}-{camera:04d}" for camera, number in enumerate(shop)]
        return Cameras(names, weight, opens_s[shop] % DAY_S, open_s[shop], random.random(len(shop)) < 0.1)

    def at(self, time_s: float, random: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
        """Which are on, and what each weighs, at a time of the day in UTC, seconds."""
        since_s = (time_s - self.opens_s) % DAY_S
        is_open = since_s < self.open_s
        people = np.where(is_open, np.sin(np.pi * np.minimum(since_s / self.open_s, 1.0)), 0.0)
        noise = 1 + NOISE * random.standard_normal(len(self.names))
        return is_open | self.always, self.weight * (1 + PEOPLE * people) * noise


@dataclass
class Moment:
    """How it stands in one step."""

    at_s: float
    cameras: int
    needed: float
    readers: int
    waiting: int
    moved: int
    skipped: float


@dataclass
class _Reader:
    ready_s: float
    leaving: bool = False


@dataclass
class _House:
    """Streams and readers as registry and Serve have them."""

    capacity: float
    claims: dict[str, Claim] = field(default_factory=dict)
    readers: dict[str, _Reader] = field(default_factory=dict)
    made: int = 0
    moved: int = 0
    now_s: float = -math.inf
    moves: Moves = field(init=False)

    def __post_init__(self) -> None:
        self.moves = Moves(lambda: self.now_s)

    def scale(self, wanted: int, now_s: float) -> None:
        """Serve starts replicas, or has some leave; which, it does not say."""
        there = [name for name, reader in self.readers.items() if not reader.leaving]
        for _ in range(wanted - len(there)):
            self.readers[f"reader-{self.made}"] = _Reader(now_s + START_S)
            self.made += 1
        for name in there[wanted:]:
            self.readers[name].leaving = True

    def step(self, now_s: float) -> Plan:
        """A round of the registry: what was released is free by now, who left is gone, and a plan is carried out."""
        leaving = {name for name, reader in self.readers.items() if reader.leaving}
        for name, claim in self.claims.items():
            if claim.releasing:
                self.claims[name] = replace(claim, owner=None, releasing=False)
            elif claim.target is not None:
                self.claims[name] = replace(claim, owner=claim.target, target=None)
                self.moved += 1
        has = {claim.owner for claim in self.claims.values()}
        for name in leaving - has:
            del self.readers[name]
        rooms = {
            name: Room(self.capacity, leaving=reader.leaving)
            for name, reader in self.readers.items()
            if reader.ready_s <= now_s
        }
        self.now_s = now_s
        made = plan(self.claims, rooms, most_moves=self.moves.left(0))
        for name, owner in made.assign.items():
            self.claims[name] = replace(self.claims[name], owner=owner)
        for name in made.release:
            self.claims[name] = replace(self.claims[name], releasing=True)
        for name, target in made.move.items():
            self.moves.begun_for_balance(not rooms[str(self.claims[name].owner)].leaving)
            self.claims[name] = replace(self.claims[name], target=target)
        return made

    def skipped(self) -> float:
        """Share of all frames for which there is no time."""
        has: dict[str, float] = {}
        total = 0.0
        for claim in self.claims.values():
            if claim.wanted:
                total += claim.weight.wanted
                if claim.owner is not None:
                    has[claim.owner] = has.get(claim.owner, 0.0) + claim.weight.wanted
        done = sum(min(self.capacity, wanted) for wanted in has.values())
        return 1 - done / total if total else 0.0


def day(
    cameras: Cameras, *, capacity: float = 1.0, least: int = 2, most: int = 1000, step_s: float = 5.0, seed: int = 1
) -> Iterator[Moment]:
    """A day, step by step, after an hour in which everything falls into place."""
    random = np.random.default_rng(seed)
    house, policy = _House(capacity), Scaling()
    house.scale(least, -HOUR_S - START_S)
    told = np.zeros(len(cameras.names))
    was_on = np.zeros(len(cameras.names), bool)
    for now_s in np.arange(-HOUR_S, DAY_S, step_s):
        on, weight = cameras.at(float(now_s), random)
        off_by = [Weight(old, old).differs(Weight(new, new)) for old, new in zip(told, weight, strict=True)]
        changed = np.flatnonzero((on != was_on) | (on & np.array(off_by)))
        told[changed], was_on = weight[changed], on
        for index in changed:
            name = cameras.names[index]
            wanted = Weight(float(told[index]), float(told[index]) * LEAST_SHARE)
            before = house.claims.get(name, Claim(wanted, None))
            house.claims[name] = replace(before, weight=wanted, wanted=bool(on[index]))
        moved = house.moved
        made = house.step(float(now_s))
        needed = readers_needed(float(told[on].sum()), capacity)
        there = sum(not reader.leaving for reader in house.readers.values())
        house.scale(policy.wanted(there, needed, float(now_s), least=least, most=most), float(now_s))
        if now_s >= 0:
            skipped = house.skipped()
            yield Moment(float(now_s), int(on.sum()), needed, there, len(made.waiting), house.moved - moved, skipped)


def over_provisioned(moments: list[Moment], sustained_s: float = SUSTAINED_S) -> float:
    """The largest share by which there were more readers than needed for that long without a break."""
    step_s = moments[1].at_s - moments[0].at_s
    length = int(sustained_s / step_s)
    over = np.array([moment.readers / max(1, math.ceil(moment.needed)) - 1 for moment in moments])
    windows = np.lib.stride_tricks.sliding_window_view(over, length)
    return max(0.0, float(windows.min(axis=1).max()))


def flaps(moments: list[Moment]) -> int:
    """How often readers came and went within minutes, or went and came."""
    turns, last_s, last = 0, -math.inf, 0
    for before, after in itertools.pairwise(moments):
        step = after.readers - before.readers
        if step:
            turns += step * last < 0 and after.at_s - last_s < FLAP_S
            last_s, last = after.at_s, step
    return turns


def plan_seconds(streams: int = 5000, readers: int = 100) -> Mapping[str, float]:
    """How long a plan takes: for all of them at once, and when nothing has changed."""
    random = np.random.default_rng(2)
    weights = random.choice([0.08, 0.12, 0.2, 0.35], streams)
    claims = {f"cam{number}": Claim(Weight(float(one), float(one) / 2), None) for number, one in enumerate(weights)}
    rooms = {f"reader{number}": Room(12.0, f"node{number % 25}") for number in range(readers)}
    begun_s = time.perf_counter()
    made = plan(claims, rooms, most_moves=AT_ONCE)
    first_s = time.perf_counter() - begun_s
    claims = {name: replace(claim, owner=made.assign[name]) for name, claim in claims.items()}
    begun_s = time.perf_counter()
    plan(claims, rooms, most_moves=AT_ONCE)
    return {"first": first_s, "idle": time.perf_counter() - begun_s}
