from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from serve.control.planner import Claim, Plan, Room, plan
from serve.control.weights import Weight


def weighing(wanted: float) -> Weight:
    """Of a stream that cannot do with less."""
    return Weight(wanted, wanted)


def claimed(wanted: float, owner: str | None = None, *, on: bool = True, releasing: bool = False) -> Claim:
    return Claim(weighing(wanted), owner, on, releasing)


def rooms(capacities: Mapping[str, float]) -> dict[str, Room]:
    return {name: Room(capacity) for name, capacity in capacities.items()}


def carried_out(claims: Mapping[str, Claim], made: Plan) -> dict[str, Claim]:
    """What the registry makes of a plan, and readers of the registry's wishes."""
    after = dict(claims)
    for stream in made.orphaned:
        after[stream] = replace(after[stream], owner=None)
    for stream, owner in made.assign.items():
        after[stream] = replace(after[stream], owner=owner, releasing=False)
    for stream in made.release:
        after[stream] = replace(after[stream], owner=None, releasing=False)
    for stream, target in made.move.items():
        after[stream] = replace(after[stream], owner=target, releasing=False, target=None)
    return after


def settled(claims: Mapping[str, Claim], capacities: Mapping[str, float]) -> tuple[dict[str, Claim], int]:
    """Carry out plans until there is nothing to do; returns the claims and how many streams were moved."""
    after, moves = dict(claims), 0
    for _ in range(1000):
        made = plan(after, rooms(capacities))
        if not (made.assign or made.release or made.move or made.orphaned):
            return after, moves
        moves += len(made.move)
        after = carried_out(after, made)
    raise AssertionError("plans never come to an end")


def loads(claims: Mapping[str, Claim], capacities: Mapping[str, float]) -> dict[str, float]:
    return {name: sum(c.weight.wanted for c in claims.values() if c.owner == name) for name in capacities}


def new(count: int, weight: float = 1.0) -> dict[str, Claim]:
    return {f"cam{n:03}": claimed(weight) for n in range(count)}


def test_two_hundred_streams_are_spread_evenly_over_seven_readers() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(7)}
    after, moves = settled(new(200), capacities)
    assert sorted(loads(after, capacities).values()) == [28, 28, 28, 29, 29, 29, 29]
    assert moves == 0


def test_a_plan_that_was_carried_out_leaves_nothing_to_do() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(7)}
    first = plan(new(200), rooms(capacities))
    assert plan(carried_out(new(200), first), rooms(capacities)) == Plan({}, [], {}, [], [])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_start_no_reader_is_overfull_and_plans_come_to_an_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacities = {f"reader-{n}": float(rng.integers(1, 20)) for n in range(rng.integers(0, 6))}
    owners = [*capacities, "dead", None, None]
    claims = {
        f"cam{n:03}": claimed(
            float(rng.choice([0.5, 1.0, 2.0, 3.0])), owners[rng.integers(len(owners))], on=bool(rng.random() > 0.1)
        )
        for n in range(rng.integers(0, 60))
    }
    before = loads(claims, capacities)
    after, _ = settled(claims, capacities)
    for name, load in loads(after, capacities).items():
        assert load <= max(capacities[name], before[name])
    waiting = plan(after, rooms(capacities)).waiting
    for name, claim in after.items():
        assert claim.wanted or claim.owner is None
        assert claim.owner in (None, *capacities)
        if claim.wanted:
            assert (claim.owner is None) == (name in waiting)
    free = {name: capacities[name] - load for name, load in loads(after, capacities).items()}
    assert all(claims[name].weight.least > room for name in waiting for room in free.values())


@pytest.mark.parametrize("seed", range(10))
def test_a_stream_that_runs_well_is_never_touched_when_others_come_and_go(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacities = {f"reader-{n}": 30.0 for n in range(4)}
    claims, _ = settled(new(60), capacities)
    for _ in range(20):
        name = f"new{rng.integers(1000)}"
        claims[name] = claimed(1.0)
        made = plan(claims, rooms(capacities))
        assert set(made.assign) == {name}
        assert (list(made.release), list(made.move)) == ([], [])
        claims = carried_out(claims, made)


def test_a_dead_readers_streams_go_to_the_others_and_no_other_stream_moves() -> None:
    capacities = {f"reader-{n}": 64.0 for n in range(4)}
    claims, _ = settled(new(80), capacities)
    del capacities["reader-2"]
    made = plan(claims, rooms(capacities))
    orphans = {name for name, claim in claims.items() if claim.owner == "reader-2"}
    assert set(made.orphaned) == set(made.assign) == orphans
    assert (list(made.release), list(made.move)) == ([], [])
    after = carried_out(claims, made)
    assert max(loads(after, capacities).values()) - min(loads(after, capacities).values()) <= 1


def test_a_new_reader_takes_its_share_one_stream_at_a_time() -> None:
    capacities = {"old": 64.0}
    claims, _ = settled(new(10), capacities)
    capacities["young"] = 64.0
    made = plan(claims, rooms(capacities))
    assert len(made.move) == 1
    after, moves = settled(claims, capacities)
    assert loads(after, capacities) == {"old": 5, "young": 5}
    assert moves == 5


def test_no_more_streams_are_on_the_move_than_may_be() -> None:
    capacities = {"old": 64.0, "young": 64.0}
    claims = {f"cam{n}": claimed(1.0, "old", releasing=n == 0) for n in range(10)}
    assert list(plan(claims, rooms(capacities)).move) == []
    assert len(plan(claims, rooms(capacities), most_moves=3).move) == 2
    # Nine are to be had; those under way count where they will be, so no more are taken than are needed.
    assert len(plan(claims, rooms(capacities), most_moves=100).move) == 4
    prepared = claims | {"cam0": replace(claims["cam0"], releasing=False, target="young")}
    assert len(plan(prepared, rooms(capacities), most_moves=100).move) == 4


def test_what_was_on_its_way_to_a_reader_that_is_gone_counts_with_whoever_has_room() -> None:
    claims = {f"cam{n}": claimed(1.0, "old") for n in range(10)}
    claims["cam0"] = replace(claims["cam0"], target="gone")
    assert len(plan(claims, rooms({"old": 64.0, "young": 64.0}), most_moves=100).move) == 4


def test_a_move_that_would_only_swap_the_roles_is_not_made() -> None:
    claims = {"a": claimed(3.0, "one"), "b": claimed(1.0, "two")}
    assert list(plan(claims, rooms({"one": 10.0, "two": 10.0})).move) == []
    assert list(plan({"a": claimed(1.0, "one")}, rooms({"one": 10.0, "two": 10.0})).move) == []


def test_a_move_that_leaves_them_nearly_as_far_apart_the_other_way_round_is_not_made() -> None:
    readers = rooms({"one": 12.0, "two": 12.0})
    claims = {"large": claimed(7.6, "one"), "small": claimed(2.4, "one"), "other": claimed(7.5, "two")}
    assert list(plan(claims, readers).move) == []
    assert list(plan(claims | {"small": claimed(1.8, "one"), "more": claimed(0.6, "one")}, readers).move) == ["small"]


def test_readers_of_different_size_are_filled_by_their_share() -> None:
    capacities = {"large": 90.0, "small": 10.0}
    after, _ = settled(new(50), capacities)
    assert loads(after, capacities) == {"large": pytest.approx(45, abs=1), "small": pytest.approx(5, abs=1)}


def test_a_stream_finds_room_with_a_busier_reader_if_the_idle_one_is_too_small() -> None:
    claims = {"heavy": claimed(2.0), "other": claimed(1.0, "large")}
    assert plan(claims, rooms({"large": 64.0, "tiny": 1.0})).assign == {"heavy": "large"}


def test_streams_wait_when_every_reader_is_full_or_none_is_there() -> None:
    made = plan(new(5), rooms({"only": 3.0}))
    assert len(made.assign) == 3
    assert len(made.waiting) == 2
    assert plan(new(2), rooms({})).waiting == ["cam000", "cam001"]


def test_a_stream_that_is_switched_off_is_released_once_and_not_given_again() -> None:
    claims = {"cam": claimed(1.0, "one", on=False)}
    assert list(plan(claims, rooms({"one": 10.0})).release) == ["cam"]
    assert list(plan({"cam": replace(claims["cam"], releasing=True)}, rooms({"one": 10.0})).release) == []
    assert plan({"cam": claimed(1.0, on=False)}, rooms({"one": 10.0})) == Plan({}, [], {}, [], [])
    gone = plan(claims, rooms({"two": 10.0}))
    assert (gone.assign, gone.orphaned) == ({}, ["cam"])


def test_while_the_registry_settles_readers_may_still_come_back_for_their_streams() -> None:
    claims = {"held": claimed(1.0, "not back yet"), "new": claimed(1.0)}
    made = plan(claims, rooms({"one": 10.0}), settling=True)
    assert (made.assign, list(made.orphaned)) == ({"new": "one"}, [])
    assert plan(claims, rooms({"one": 10.0})).assign == {"held": "one", "new": "one"}


@pytest.mark.parametrize("heavy", [1.0, 0.5])
def test_a_reader_that_has_nothing_to_give_keeps_no_others_from_evening_out(heavy: float) -> None:
    small = {f"small{number}": claimed(0.11, "busy") for number in range(8)}
    claims = {"heavy": claimed(heavy, "alone"), **small}
    readers = rooms({"alone": 1.0, "busy": 1.0, "new": 1.0})
    made = plan(claims, readers, most_moves=10)
    assert set(made.move.values()) == {"new"}
    assert set(made.move) < set(small)
    assert len(made.move) in (3, 4)
    settled = {name: replace(claim, owner=made.move.get(name, claim.owner)) for name, claim in claims.items()}
    assert plan(settled, readers, most_moves=10).move == {}


def test_who_was_just_given_something_unknown_keeps_no_others_from_evening_out() -> None:
    claims = {
        "unknown": replace(claimed(0.1, "young"), guessed=True),
        **{f"small{number}": claimed(0.11, "busy") for number in range(8)},
    }
    made = plan(claims, rooms({"young": 1.0, "busy": 1.0, "new": 1.0}), most_moves=10)
    assert set(made.move.values()) == {"new"}


def test_streams_far_apart_in_weight_are_evened_out_by_the_one_that_fits_best() -> None:
    claims = {"heavy": claimed(4.0, "one"), "middle": claimed(2.0, "one"), "light": claimed(0.5, "one")}
    assert list(plan(claims, rooms({"one": 8.0, "two": 8.0})).move) == ["heavy"]
    claims["other"] = claimed(3.0, "two")
    assert list(plan(claims, rooms({"one": 8.0, "two": 8.0})).move) == ["middle"]


def test_readers_that_are_nearly_even_are_left_alone_whatever_is_measured_next() -> None:
    rng = np.random.default_rng(5)
    claims = {f"cam{n:03}": claimed(float(rng.uniform(0.1, 0.4)), None) for n in range(200)}
    capacities = {f"reader-{n}": 16.0 for n in range(5)}
    claims, _ = settled(claims, capacities)
    for _ in range(50):  # every weight is off by a tenth, another way each time
        noisy = {
            name: replace(known, weight=weighing(known.weight.wanted * float(rng.uniform(0.9, 1.1))))
            for name, known in claims.items()
        }
        assert list(plan(noisy, rooms(capacities), most_moves=10).move) == []


def test_a_reader_takes_more_than_it_can_do_well_but_not_more_than_the_least_of_all() -> None:
    claims = {f"cam{n}": Claim(Weight(1.0, 0.25), None) for n in range(10)}
    made = plan(claims, rooms({"only": 2.0}))
    assert (len(made.assign), len(made.waiting)) == (8, 2)


def test_of_readers_that_are_alike_the_one_on_the_emptier_node_is_taken() -> None:
    readers = {"a1": Room(4.0, "a"), "a2": Room(4.0, "a"), "b1": Room(4.0, "b")}
    claims = {"held": claimed(1.0, "a1"), "new": claimed(0.5)}
    assert plan(claims, readers).assign == {"new": "b1"}
    after, _ = settled(new(9, 0.1), {name: room.capacity for name, room in readers.items()})
    assert sorted(loads(after, dict.fromkeys(readers, 4.0)).values()) == pytest.approx([0.3, 0.3, 0.3])


def test_nothing_moves_for_the_sake_of_weights_that_are_guessed() -> None:
    claims = {f"cam{n}": claimed(1.0, "old") for n in range(10)}
    readers = rooms({"old": 64.0, "young": 64.0})
    assert len(plan(claims, readers).move) == 1
    claims["cam3"] = replace(claims["cam3"], guessed=True)
    assert list(plan(claims, readers).move) == []


def test_a_reader_that_leaves_is_given_nothing_and_nothing_else_is_evened_out_meanwhile() -> None:
    readers = {"one": Room(8.0), "two": Room(8.0), "going": Room(8.0, leaving=True)}
    claims = {f"cam{n}": claimed(1.0, "one") for n in range(6)} | {"new": claimed(1.0)}
    made = plan(claims, readers)
    assert (made.assign, list(made.move)) == ({"new": "two"}, [])


def test_all_that_a_leaving_reader_has_goes_to_others_a_few_at_a_time() -> None:
    readers = {"one": Room(8.0), "two": Room(8.0), "going": Room(8.0, leaving=True)}
    claims = {f"cam{n}": claimed(1.0, "going") for n in range(6)} | {"held": claimed(1.0, "one")}
    first = plan(claims, readers, most_leaving=4)
    assert list(first.move) == ["cam0", "cam1", "cam2", "cam3"]
    assert sorted(first.move.values()) == ["one", "one", "two", "two"]
    under_way = {name: replace(claim, target=first.move.get(name)) for name, claim in claims.items()}
    assert list(plan(under_way, readers, most_leaving=4).move) == []
    assert list(plan(carried_out(under_way, first), readers, most_leaving=4).move) == ["cam4", "cam5"]


def test_of_several_leaving_readers_each_has_streams_on_the_move() -> None:
    leaving = {f"going{n}": Room(30.0, leaving=True) for n in range(3)}
    claims = {f"cam{n:02}": claimed(1.0, f"going{n % 3}") for n in range(60)}
    made = plan(claims, leaving | rooms({"one": 64.0, "two": 64.0}), most_leaving=4)
    assert sorted(claims[name].owner or "" for name in made.move) == ["going0"] * 4 + ["going1"] * 4 + ["going2"] * 4
    under_way = {name: replace(claim, target=made.move.get(name)) for name, claim in claims.items()}
    arrived = {
        name: replace(claim, owner=claim.target, target=None) for name, claim in under_way.items() if claim.target
    }
    one_round = under_way | dict(list(arrived.items())[:1])
    (following,) = plan(one_round, leaving | rooms({"one": 64.0, "two": 64.0}), most_leaving=4).move
    assert claims[following].owner == claims[next(iter(arrived))].owner


def test_with_nobody_to_take_them_a_leaving_readers_streams_stay_until_it_lets_go() -> None:
    claims = {"cam": claimed(1.0, "going")}
    made = plan(claims, {"going": Room(8.0, leaving=True)})
    assert made == Plan({}, [], {}, [], [])
    full = plan(claims | {"big": claimed(8.0, "full")}, {"going": Room(8.0, leaving=True), "full": Room(8.0)})
    assert (full.move, full.assign) == ({}, {})
