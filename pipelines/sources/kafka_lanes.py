"""The lanes of a process: which cameras share one, and when one is opened and closed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

from pipelines.sources.kafka_client import Cluster
from pipelines.sources.kafka_lane import Lane
from pipelines.sources.kafka_subscription import Subscription


class Lanes:
    """The lanes of a process. Whoever has entered one leaves it in every case; the last one closes it."""

    def __init__(self) -> None:
        self._lanes: dict[Cluster, list[Lane]] = {}
        self._users: Counter[Lane] = Counter()
        self._opening: dict[Cluster, threading.Lock] = {}
        self._refused: dict[Cluster, tuple[float, Exception]] = {}
        self._changing = threading.Lock()

    def enter(self, cluster: Cluster) -> Lane:
        """Any lane of a cluster; opened if there is none.

        Raises:
            KafkaError, OSError, ValueError: nobody answers, or refuses; told to all who asked meanwhile.
        """
        came_s = time.monotonic()
        with self._changing:
            opening = self._opening.setdefault(cluster, threading.Lock())
        with opening:
            with self._changing:
                open_lanes = [lane for lane in self._lanes.get(cluster, ()) if not lane.broken]
                if open_lanes:
                    self._users[open_lanes[0]] += 1
                    return open_lanes[0]
                refused_s, refusal = self._refused.get(cluster, (0.0, None))
            if refusal is not None and refused_s > came_s:
                raise refusal
            return self._open(cluster)

    def _open(self, cluster: Cluster) -> Lane:
        try:
            lane = Lane(cluster)
        except Exception as error:
            with self._changing:
                self._refused[cluster] = time.monotonic(), error
            raise
        with self._changing:
            self._refused.pop(cluster, None)
            self._lanes.setdefault(cluster, []).append(lane)
            self._users[lane] += 1
        return lane

    def join(self, cluster: Cluster, lane: Lane, member: Subscription) -> Lane:
        """Hand out messages to a camera, from a lane near its place.

        Args:
            cluster: of the lane.
            lane: that was entered, and is left if another is better.
            member: the camera's part.

        Returns:
            The lane to leave in the end.
        """
        needs = {number: member.needs(number) for number in member.partitions}
        try:
            chosen = self._nearest(cluster, member.topic, needs)
            if chosen is None:
                chosen = self._open(cluster)
                chosen.claim(member.topic, needs)
        finally:
            self.leave(cluster, lane)  # if it is the one that was chosen, it was entered once more
        try:
            chosen.join(member)
        except BaseException:
            self.leave(cluster, chosen)
            raise
        return chosen

    def _nearest(self, cluster: Cluster, topic: str, needs: Mapping[int, int]) -> Lane | None:
        """The one with the most cameras, of those that are near; entered."""
        with self._changing:
            lanes = [one for one in self._lanes.get(cluster, ()) if not one.broken and one.near(topic, needs)]
            chosen = max(lanes, key=lambda one: (one.reads(topic), one.members), default=None)
            if chosen is not None:
                self._users[chosen] += 1
                chosen.claim(topic, needs)
            return chosen

    def better(self, cluster: Cluster, lane: Lane, topic: str, needs: Mapping[int, int]) -> bool:
        """Whether a camera has come so near to others that it could share their lane, which is fuller than its own."""
        with self._changing:
            others = [one for one in self._lanes.get(cluster, ()) if one is not lane and not one.broken]
        return any(one.members > lane.members and one.reads(topic) and one.near(topic, needs) for one in others)

    def leave(self, cluster: Cluster, lane: Lane, member: Subscription | None = None) -> None:
        """Nothing more of this lane; closes it after the last one."""
        if member is not None:
            lane.leave(member)
        with self._changing:
            self._users[lane] -= 1
            if self._users[lane] > 0:
                return
            del self._users[lane]
            self._lanes[cluster] = [one for one in self._lanes.get(cluster, ()) if one is not lane]
            if not self._lanes[cluster]:
                del self._lanes[cluster]
        lane.close()


LANES = Lanes()
"""Of this process."""
