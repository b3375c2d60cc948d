"""Which partition a camera's messages are in, decided without a broker."""

from __future__ import annotations

from pipelines.sources.kafka_home import HASHES, METADATA_S, SETTLED_S, UNSURE_S, Confirmed, Home, homes
from pipelines.sources.kafka_place import PartitionPlace, TopicPlace

KEY = b"camera-1"
HOME = min(homes(KEY, 8))
"""Of eight."""
ELSEWHERE = next(number for number in range(8) if number not in homes(KEY, 8))


def places(**changed: int) -> dict[int, PartitionPlace]:
    return {number: PartitionPlace.at(changed.get(f"p{number}", 10)) for number in range(8)}


def looked() -> Home:
    home = Home(KEY)
    home.look(dict.fromkeys(range(8), 10), 0.0)
    home.saw(HOME, 1.0)
    return home


def test_producers_hash_keys_as_java_and_librdkafka_do() -> None:
    # murmur2 of "foobar" is -790332482, says a test of Java's client; its CRC-32 is 9ef61f95.
    assert homes(b"foobar", 1000) == {(-790332482 & 0x7FFFFFFF) % 1000, 0x9EF61F95 % 1000}
    assert homes(KEY, 1) == {0}


def test_a_home_is_known_once_nothing_came_from_elsewhere_for_a_while() -> None:
    home = looked()
    assert home.known(places(), 1.0 + SETTLED_S - 0.1) is None
    assert home.known(places(), 1.0 + SETTLED_S) == HOME
    home.saw(ELSEWHERE, 20.0)
    home.saw(HOME, 21.0)
    assert home.known(places(), 21.0 + SETTLED_S - 0.1) is None
    assert home.known(places(), 21.0 + SETTLED_S) == HOME


def test_not_before_all_that_was_there_at_the_beginning_was_read() -> None:
    home = looked()
    assert home.known(places(**{f"p{ELSEWHERE}": 9}), 60.0) is None
    assert home.known(places(**{f"p{HOME}": 9}), 60.0) == HOME


def test_where_no_known_hash_puts_the_key_is_no_home() -> None:
    home = looked()
    home.saw(ELSEWHERE, 2.0)
    assert home.known(places(), 60.0) is None


def test_who_takes_all_messages_has_none_nor_who_saw_nothing() -> None:
    every = Home(None)
    every.look(dict.fromkeys(range(8), 10), 0.0)
    every.saw(0, 1.0)
    assert every.known(places(), 60.0) is None
    silent = Home(KEY)
    silent.look(dict.fromkeys(range(8), 10), 0.0)
    assert silent.known(places(), 60.0) is None


def test_a_partition_that_was_added_meanwhile_begins_it_anew() -> None:
    home = looked()
    assert home.known({**places(), 8: PartitionPlace.at(0)}, 60.0) is None


def grown(key: bytes, was: int) -> Home:
    """Of a camera whose home was there, of eight, and which is looked for in nine."""
    home = Home(key)
    home.look(dict.fromkeys(range(9), 10), 0.0, (was, 8))
    return home


def in_nine() -> dict[int, PartitionPlace]:
    return {**places(), 8: PartitionPlace.at(10)}


def test_with_more_partitions_only_the_hash_that_named_the_home_names_the_next() -> None:
    """A producer that has not heard of them yet goes on where the other hash would put the key by now."""
    keys = (f"camera-{number}".encode() for number in range(10_000))
    key = next(
        one
        for one in keys
        if HASHES[0](one) % 8 == HASHES[1](one) % 9 and len(homes(one, 8)) == len(homes(one, 9)) == 2
    )
    before, after = HASHES[0](key) % 8, HASHES[0](key) % 9
    home = grown(key, before)
    home.saw(before, 1.0)
    assert home.known(in_nine(), 3600.0) is None
    home.saw(after, 3600.0)
    assert home.known(in_nine(), 3600.0 + SETTLED_S) == after


def test_where_both_hashes_named_the_home_it_takes_longer_to_be_sure() -> None:
    keys = (f"camera-{number}".encode() for number in range(10_000))
    key = next(one for one in keys if len(homes(one, 8)) == 1 and len(homes(one, 9)) == 2)
    after = HASHES[0](key) % 9
    home = grown(key, HASHES[0](key) % 8)
    home.saw(after, 1.0)
    assert home.known(in_nine(), 1.0 + UNSURE_S - 1) is None
    assert home.known(in_nine(), 1.0 + UNSURE_S) == after


def test_a_producer_may_take_to_another_hash() -> None:
    home = Home(KEY)
    first, second = (hashed(KEY) % 8 for hashed in HASHES)
    home.look(dict.fromkeys(range(8), 10), 0.0, (first, 8))
    home.saw(second, 1.0)
    assert home.known(places(), 1.0 + UNSURE_S) == second


def test_offsets_are_confirmed_a_while_later_by_the_same_partitions() -> None:
    confirmed = Confirmed()
    for second in range(int(METADATA_S)):
        assert confirmed.see({0: second, 1: second}, float(second)) == {}
    assert confirmed.see({0: 60, 1: 60}, METADATA_S) == {0: 0, 1: 0}
    assert confirmed.see({0: 61, 1: 61}, METADATA_S + 1) == {0: 1, 1: 1}
    assert confirmed.see({0: 62, 1: 62, 2: 0}, METADATA_S + 2) == {}
    assert confirmed.see({0: 63, 1: 63, 2: 0}, METADATA_S + 3) == {}


def test_a_place_remembers_the_home() -> None:
    place = TopicPlace(places(), HOME, (HOME, 8))
    assert TopicPlace.of(place.position()) == place
    assert TopicPlace.of(TopicPlace(places()).position()).home is None
