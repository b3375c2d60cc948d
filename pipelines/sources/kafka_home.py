"""Which partition a camera's messages are in, and when the others need not be read any more. No broker here.

Producers give a key to a partition by a hash of it, so a camera lives in one, its home; but which hash is the
producer's choice, and with the number of partitions the home changes. So a camera reads all partitions until its home
is known beyond doubt, and all of them again once there are more.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping

from kafka.partitioner import murmur2

from pipelines.sources.kafka_place import PartitionPlace

SETTLED_S = 10.0
"""For so long no message may have come from elsewhere: producers learn of new partitions one after the other."""
UNSURE_S = 600.0
"""The same where it is not known which hash the producers use: they learn of new partitions within five minutes."""
METADATA_S = 60.0
"""What was read at a moment counts as read with the partitions known then once those were seen so much later."""


def _murmur2(key: bytes) -> int:
    """Of the Java client and its kin."""
    return int(murmur2(key)) & 0x7FFFFFFF


HASHES: tuple[Callable[[bytes], int], ...] = (_murmur2, zlib.crc32)
"""The second is librdkafka's."""


def homes(key: bytes, partitions: int) -> set[int]:
    """Where producers put a key, of so many partitions."""
    return {hashed(key) % partitions for hashed in HASHES}


class Home:
    """Finds out where one camera's messages are.

    Args:
        key: of its messages; None for all, which have no home.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._ends: Mapping[int, int] = {}
        self._hashes = HASHES
        self._settled_s = SETTLED_S
        self._found: int | None = None
        self._elsewhere_s = 0.0

    def look(self, ends: Mapping[int, int], now_s: float, was: tuple[int, int] | None = None) -> None:
        """Begin to look, in all partitions.

        A producer that has not heard of new partitions goes on as before, and the hash that it does not use may name
        that very partition with the new number. So only a hash that named the last home may name the next one.

        Args:
            ends: offsets behind what is in them now: up to there, messages of before may be anywhere.
            now_s: monotonic seconds.
            was: its last home, and how many partitions there were.
        """
        self._ends, self._found, self._elsewhere_s = ends, None, now_s
        self._hashes, self._settled_s = HASHES, SETTLED_S
        if was is None or self._key is None:
            return
        home, partitions = was
        if partitions != len(ends):
            self._hashes = tuple(hashed for hashed in HASHES if hashed(self._key) % partitions == home)
        # With as many partitions as before, its producer uses another hash by now.
        self._settled_s = SETTLED_S if len(self._possible()) == 1 else UNSURE_S

    def _possible(self) -> set[int]:
        assert self._key is not None
        return {hashed(self._key) % len(self._ends) for hashed in self._hashes}

    def saw(self, number: int, now_s: float) -> None:
        """A message of ours came from a partition."""
        if number != self._found:
            self._found, self._elsewhere_s = number, now_s

    def known(self, places: Mapping[int, PartitionPlace], now_s: float) -> int | None:
        """The home, if nothing of ours can be elsewhere any more.

        Args:
            places: up to where each partition was read.
            now_s: monotonic seconds.
        """
        home = self._found
        if self._key is None or places.keys() != self._ends.keys() or home not in self._possible():
            return None
        read = all(places[number].next >= end for number, end in self._ends.items() if number != home)
        return home if read and now_s - self._elsewhere_s >= self._settled_s else None


class Confirmed:
    """Offsets of a topic up to which all was written while its partitions were those that are known."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[int, int]]] = deque()

    def see(self, ends: Mapping[int, int], now_s: float) -> Mapping[int, int]:
        """Ends of the partitions now, at a time in monotonic seconds; returns those that are confirmed by now."""
        if self._seen and self._seen[0][1].keys() != ends.keys():
            self._seen.clear()
        self._seen.append((now_s, ends))
        while len(self._seen) > 1 and now_s - self._seen[1][0] >= METADATA_S:
            self._seen.popleft()
        at_s, confirmed = self._seen[0]
        return confirmed if now_s - at_s >= METADATA_S else {}
