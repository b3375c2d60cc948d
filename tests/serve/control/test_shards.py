"""How the planner keeps together what a reader reads once, such as a topic's partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from serve.control.planner import WORTH_A_MOVE, Claim, Room, plan
from serve.control.weights import Weight
from tests.serve.control.test_planner import carried_out, claimed, loads, rooms, settled

MOST_AT_ONCE = 4


def in_shards(
    number: int, each: int, weight: float = 0.1, owners: tuple[str | None, ...] = (None,)
) -> dict[str, Claim]:
    """Streams of shards, in turn with the owners."""
    return {
        f"cam-{shard}-{stream}": replace(
            claimed(weight, owners[(shard + stream) % len(owners)]), shard=f"topic/{shard}"
        )
        for shard in range(number)
        for stream in range(each)
    }


def readers_of(claims: Mapping[str, Claim]) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for claim in claims.values():
        if claim.shard is not None:
            found.setdefault(claim.shard, set()).add(claim.owner)
    return found


def test_a_shard_is_given_to_one_reader() -> None:
    capacities = {f"reader-{number}": 8.0 for number in range(3)}
    after, moves = settled(in_shards(12, 10), capacities)
    assert all(len(owners) == 1 for owners in readers_of(after).values())
    assert moves == 0
    assert list(loads(after, capacities).values()) == pytest.approx([4.0, 4.0, 4.0])


def test_streams_that_were_given_before_their_shard_was_known_are_gathered() -> None:
    capacities = {"reader-1": 80.0, "reader-2": 80.0}
    scattered = in_shards(16, 60, owners=("reader-1", "reader-2"))
    after, moves = settled(scattered, capacities)
    assert all(len(owners) == 1 for owners in readers_of(after).values())
    assert moves == 16 * 30  # no more than has to
    assert max(loads(after, capacities).values()) <= 1.25 * min(loads(after, capacities).values())


def test_shards_are_not_gathered_as_long_as_it_is_not_known_what_they_weigh() -> None:
    scattered = in_shards(2, 4, owners=("reader-1", "reader-2"))
    guessed = scattered | {"new": replace(claimed(0.1, "reader-2"), guessed=True)}
    capacities = {"reader-1": 8.0, "reader-2": 8.0}
    assert plan(guessed, rooms(capacities)).move == {}
    assert plan(scattered, rooms(capacities)).move != {}


def test_a_shard_moves_as_one() -> None:
    scattered = in_shards(16, 60, owners=("reader-1", "reader-2"))
    made = plan(scattered, rooms({"reader-1": 80.0, "reader-2": 80.0}), most_moves=MOST_AT_ONCE)
    assert len({scattered[stream].shard for stream in made.move}) == MOST_AT_ONCE
    assert len(made.move) == MOST_AT_ONCE * 30
    under_way = {name: replace(claim, target=made.move.get(name)) for name, claim in scattered.items()}
    again = plan(under_way, rooms({"reader-1": 80.0, "reader-2": 80.0}), most_moves=MOST_AT_ONCE + 1)
    assert len({scattered[stream].shard for stream in again.move}) == 1


@pytest.mark.parametrize("readers", [2, 3])
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_a_scattered_shard_is_gathered_once_and_then_stays(readers: int, load: float) -> None:
    """Also on the fullest reader, from where it would be evened out again."""
    capacities = {f"reader-{number}": 4.0 for number in range(readers)}
    claims = in_shards(1, 40, load * 4.0 / 40, tuple(capacities))
    moved: Counter[str] = Counter()
    for _ in range(20):
        made = plan(claims, rooms(capacities), most_moves=MOST_AT_ONCE)
        moved.update(made.move.keys())
        claims = carried_out(claims, made)
    assert max(moved.values()) == 1
    assert made.move == {}
    assert len(readers_of(claims)["topic/0"]) == 1


def test_one_stream_goes_to_the_many_of_its_shard_and_not_they_to_it() -> None:
    claims = in_shards(1, 50, owners=("reader-1",)) | {
        "late": replace(claimed(0.1, "reader-2"), shard="topic/0"),
        "other": claimed(3.0, "reader-2"),
    }
    assert plan(claims, rooms({"reader-1": 8.0, "reader-2": 8.0})).move == {"late": "reader-1"}


def test_a_new_stream_of_a_known_shard_goes_where_the_others_are() -> None:
    claims = in_shards(1, 20, owners=("reader-1",)) | {"back": replace(claimed(0.1), shard="topic/0")}
    assert plan(claims, rooms({"reader-1": 8.0, "reader-2": 8.0})).assign == {"back": "reader-1"}


def test_to_even_out_a_whole_shard_moves() -> None:
    claims = in_shards(4, 10, owners=("reader-1",))
    made = plan(claims, rooms({"reader-1": 8.0, "reader-2": 8.0}))
    assert len(made.move) == 10
    assert len({claims[stream].shard for stream in made.move}) == 1


def test_what_a_dead_reader_had_stays_together() -> None:
    capacities = {f"reader-{number}": 8.0 for number in range(3)}
    after, _ = settled(in_shards(12, 10), capacities)
    del capacities["reader-1"]
    orphaned = carried_out(after, plan(after, rooms(capacities)))
    assert all(len(owners) == 1 for owners in readers_of(orphaned).values())


def test_a_shard_that_is_too_much_for_any_reader_is_divided_and_stays_so() -> None:
    capacities = {"reader-1": 4.0, "reader-2": 4.0, "reader-3": 4.0}
    after, _ = settled(in_shards(1, 100), capacities)
    assert len(readers_of(after)["topic/0"]) == 3
    assert max(loads(after, capacities).values()) <= 4.0
    grown = {name: replace(claim, weight=Weight(0.15, 0.05), owner="reader-1") for name, claim in after.items()}
    later, moves = settled(grown, {"reader-1": 16.0, "reader-2": 4.0})
    assert readers_of(later)["topic/0"] == {"reader-1"}
    assert moves == 0
    later, _ = settled(grown, {"reader-1": 8.0, "reader-2": 8.0})
    fuller, other = sorted(loads(later, {"reader-1": 8.0, "reader-2": 8.0}).values(), reverse=True)
    assert fuller - other <= WORTH_A_MOVE * fuller


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_start_plans_come_to_an_end_and_whoever_could_be_together_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    capacities = {f"reader-{number}": float(rng.integers(4, 20)) for number in range(rng.integers(1, 6))}
    owners = [*capacities, "dead", None]
    claims = {
        f"cam{number:03}": replace(
            claimed(float(rng.choice([0.1, 0.2, 0.5])), owners[rng.integers(len(owners))]),
            shard=None if rng.random() < 0.3 else f"topic/{rng.integers(8)}",
        )
        for number in range(rng.integers(0, 80))
    }
    after, _ = settled(claims, capacities)
    wanted = sum(claim.weight.wanted for claim in claims.values())
    if wanted < 0.5 * sum(capacities.values()):
        for shard, readers in readers_of(after).items():
            weight = sum(claim.weight.wanted for claim in claims.values() if claim.shard == shard)
            assert len(readers) == 1 or weight > 0.4 * min(capacities.values()), shard


def test_readers_that_leave_give_shards_away_whole() -> None:
    claims = in_shards(4, 10, owners=("reader-1",))
    readers = {"reader-1": Room(8.0, leaving=True), "reader-2": Room(8.0), "reader-3": Room(8.0)}
    made = plan(claims, readers)
    assert made.move.keys() == claims.keys()
    moved = {name: replace(claim, owner=made.move[name]) for name, claim in claims.items()}
    assert all(len(owners) == 1 for owners in readers_of(moved).values())
