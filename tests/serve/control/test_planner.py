from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from serve.control.planner import Claim, Plan, plan


def carried_out(claims: Mapping[str, Claim], made: Plan) -> dict[str, Claim]:
    """What the registry makes of a plan, and readers of the registry's wishes."""
    after = dict(claims)
    for stream in made.orphaned:
        after[stream] = replace(after[stream], owner=None)
    for stream, owner in made.assign.items():
        after[stream] = replace(after[stream], owner=owner, releasing=False)
    for stream in made.release:
        after[stream] = replace(after[stream], owner=None, releasing=False)
    return after


def settled(claims: Mapping[str, Claim], capacities: Mapping[str, float]) -> tuple[dict[str, Claim], int]:
    """Carry out plans until there is nothing to do; returns the claims and how many streams were released."""
    after, moves = dict(claims), 0
    for _ in range(1000):
        made = plan(after, capacities)
        if not made.assign and not made.release and not made.orphaned:
            return after, moves
        moves += len(made.release)
        after = carried_out(after, made)
    raise AssertionError("plans never come to an end")


def loads(claims: Mapping[str, Claim], capacities: Mapping[str, float]) -> dict[str, float]:
    return {name: sum(c.weight for c in claims.values() if c.owner == name) for name in capacities}


def new(count: int, weight: float = 1.0) -> dict[str, Claim]:
    return {f"cam{n:03}": Claim(weight, None) for n in range(count)}


def test_two_hundred_streams_are_spread_evenly_over_seven_readers() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(7)}
    after, moves = settled(new(200), capacities)
    assert sorted(loads(after, capacities).values()) == [28, 28, 28, 29, 29, 29, 29]
    assert moves == 0


def test_a_plan_that_was_carried_out_leaves_nothing_to_do() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(7)}
    first = plan(new(200), capacities)
    assert plan(carried_out(new(200), first), capacities) == Plan({}, [], [], [])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_start_no_reader_is_overfull_and_plans_come_to_an_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacities = {f"reader-{n}": float(rng.integers(1, 20)) for n in range(rng.integers(0, 6))}
    owners = [*capacities, "dead", None, None]
    claims = {
        f"cam{n:03}": Claim(
            float(rng.choice([0.5, 1.0, 2.0, 3.0])), owners[rng.integers(len(owners))], bool(rng.random() > 0.1)
        )
        for n in range(rng.integers(0, 60))
    }
    before = loads(claims, capacities)
    after, _ = settled(claims, capacities)
    for name, load in loads(after, capacities).items():
        assert load <= max(capacities[name], before[name])
    waiting = plan(after, capacities).waiting
    for name, claim in after.items():
        assert claim.wanted or claim.owner is None
        assert claim.owner in (None, *capacities)
        if claim.wanted:
            assert (claim.owner is None) == (name in waiting)
    free = {name: capacities[name] - load for name, load in loads(after, capacities).items()}
    assert all(claims[name].weight > room for name in waiting for room in free.values())


@pytest.mark.parametrize("seed", range(10))
def test_a_stream_that_runs_well_is_never_touched_when_others_come_and_go(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacities = {f"reader-{n}": 30.0 for n in range(4)}
    claims, _ = settled(new(60), capacities)
    for _ in range(20):
        name = f"new{rng.integers(1000)}"
        claims[name] = Claim(1.0, None)
        made = plan(claims, capacities)
        assert set(made.assign) == {name}
        assert list(made.release) == []
        claims = carried_out(claims, made)


def test_a_dead_readers_streams_go_to_the_others_and_no_other_stream_moves() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(4)}
    claims, _ = settled(new(80), capacities)
    del capacities["reader-2"]
    made = plan(claims, capacities)
    orphans = {name for name, claim in claims.items() if claim.owner == "reader-2"}
    assert set(made.orphaned) == set(made.assign) == orphans
    assert list(made.release) == []
    after = carried_out(claims, made)
    assert max(loads(after, capacities).values()) - min(loads(after, capacities).values()) <= 1


def test_a_new_reader_takes_its_share_one_stream_at_a_time() -> None:
    capacities = {"old": 64.0}
    claims, _ = settled(new(10), capacities)
    capacities["young"] = 64.0
    made = plan(claims, capacities)
    assert len(made.release) == 1
    after, moves = settled(claims, capacities)
    assert loads(after, capacities) == {"old": 5, "young": 5}
    assert moves == 5


def test_one_move_at_a_time() -> None:
    capacities = {"old": 64.0, "young": 64.0}
    claims = {f"cam{n}": Claim(1.0, "old", releasing=n == 0) for n in range(10)}
    assert list(plan(claims, capacities).release) == []


def test_a_move_that_would_only_swap_the_roles_is_not_made() -> None:
    claims = {"a": Claim(3.0, "one"), "b": Claim(1.0, "two")}
    assert list(plan(claims, {"one": 10.0, "two": 10.0}).release) == []
    assert list(plan({"a": Claim(1.0, "one")}, {"one": 10.0, "two": 10.0}).release) == []


def test_readers_of_different_size_are_filled_by_their_share() -> None:
    capacities = {"large": 90.0, "small": 10.0}
    after, _ = settled(new(50), capacities)
    assert loads(after, capacities) == {"large": pytest.approx(45, abs=1), "small": pytest.approx(5, abs=1)}


def test_a_stream_finds_room_with_a_busier_reader_if_the_idle_one_is_too_small() -> None:
    claims = {"heavy": Claim(2.0, None), "other": Claim(1.0, "large")}
    assert plan(claims, {"large": 64.0, "tiny": 1.0}).assign == {"heavy": "large"}


def test_streams_wait_when_every_reader_is_full_or_none_is_there() -> None:
    made = plan(new(5), {"only": 3.0})
    assert len(made.assign) == 3
    assert len(made.waiting) == 2
    assert plan(new(2), {}).waiting == ["cam000", "cam001"]


def test_a_stream_that_is_switched_off_is_released_once_and_not_given_again() -> None:
    claims = {"cam": Claim(1.0, "one", wanted=False)}
    assert list(plan(claims, {"one": 10.0}).release) == ["cam"]
    assert list(plan({"cam": replace(claims["cam"], releasing=True)}, {"one": 10.0}).release) == []
    assert plan({"cam": Claim(1.0, None, wanted=False)}, {"one": 10.0}) == Plan({}, [], [], [])
    gone = plan(claims, {"two": 10.0})
    assert (gone.assign, gone.orphaned) == ({}, ["cam"])


def test_while_the_registry_settles_readers_may_still_come_back_for_their_streams() -> None:
    claims = {"held": Claim(1.0, "not back yet"), "new": Claim(1.0, None)}
    made = plan(claims, {"one": 10.0}, settling=True)
    assert (made.assign, list(made.orphaned)) == ({"new": "one"}, [])
    assert plan(claims, {"one": 10.0}).assign == {"held": "one", "new": "one"}
