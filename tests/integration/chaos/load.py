"""Cameras with a known truth, and topics whose counts are exact, whoever dies."""

from __future__ import annotations

import json
import os
import re
import statistics
import threading
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from footfall import ApiProblem, Client, Unreachable
from footfall.types import StreamAnswer
from pipelines.simulator.kafka_feed import KafkaFeed
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.scene import Scene
from tests.integration.brokers import Broker
from tests.integration.chaos.crossings import EDGE_S, Crossing, phases_of, shown_between, unmatched
from tests.integration.conftest import wait_frames, wait_state
from tests.integration.test_kafka import BEGUN_S, FPS, register, report, wait_all_counted
from tests.waiting import wait_until

SECONDS = 30
PACE_S = 0.08
"""Between two frames of a topic: the whole scene takes some 20 s, so that what is done to it happens in its middle."""
APART_S = 2.0
"""Cameras of which none was hit have missed nearly the same since each began to run."""
END_S = 0.5
"""A camera is seen to run a second or more after it began to be counted, so it has seen more than this less."""


class Load:
    """Four cameras that show the same scene at the same moment, and two streams of one topic.

    Attributes:
        cameras: names of the streams.
        topics: likewise.
    """

    def __init__(
        self, api: Client, servers: Mapping[str, CameraServer], clip: Path, feed: KafkaFeed, scene: Scene
    ) -> None:
        self.api = api
        self.cameras = list(servers)
        self.topics = ["topic0", "topic1"]
        self._servers = servers
        self._truth = json.loads((clip / "truth.json").read_text())
        self._geometry = json.loads((clip / "geometry.json").read_text())
        self._feed, self._scene = feed, scene
        self._sender = threading.Thread(target=self._send, name="feed", daemon=True)
        self._stop = threading.Event()
        self._begun_s = 0.0
        self._running_s: dict[str, float] = {}
        self._since_s: dict[str, float] = {}
        self._first: dict[str, int] = {}
        self._topic_lost: int | None = None
        self._taken_before: dict[str, int] = {}
        self._events_before = 0

    @property
    def names(self) -> list[str]:
        return [*self.cameras, *self.topics]

    def begin(self, broker: Broker) -> None:
        """Returns once all are counted, and the topic is in the middle of its scene."""
        self._begun_s = time.time()
        self._events_before = max((int(event["sequence"]) for event in self.api.events()), default=0)
        for name in self.cameras:
            source = {"type": "rtsp", "url": self._servers[name].url(name)}
            self.api.put_stream(name, {"source": source, "analysis_fps": 5, "geometry": self._geometry})  # type: ignore
        self._sender.start()
        # The second one takes all messages: of one partition, the two would be brought together.
        for name, key in zip(self.topics, ("camera-1", None), strict=True):
            register(self.api, name, broker, self._feed, self._scene, key)
        for name in self.cameras:
            view = wait_frames(self.api, name, 12)
            self._running_s[name] = time.time()  # at the latest: those before were waited for
            self._since_s[name] = datetime.fromisoformat(view["since"]).timestamp()
        self._first = {name: epoch for name, (_, epoch) in self.places().items()}
        for name in self.topics:
            wait_until(lambda name=name: report(self.api, name)["covered_s"] > 0.2 * SECONDS, 60, "a part of the scene")
        self._taken_before = self._taken()

    def _send(self) -> None:
        for number in range(self._scene.frames):
            if self._stop.wait(PACE_S):
                return
            self._feed.send(self._scene.image(number), BEGUN_S + number / FPS, FPS)
        self._feed.flush()

    def end(self) -> None:
        self._stop.set()
        self._sender.join(60)
        for name in self.cameras:
            self._servers[name].freeze(name, False)
        for view in self.api.streams():
            self.api.delete_stream(view["id"], purge=True)

    def views(self) -> dict[str, StreamAnswer]:
        return {view["id"]: view for view in self.api.streams()}

    def places(self) -> dict[str, tuple[str | None, int]]:
        """Who has each stream, in which epoch."""
        return {name: (view["reader"], view["epoch"]) for name, view in self.views().items()}

    def _taken(self) -> dict[str, int]:
        """Streams that the registry took from readers since it began, by why."""
        found = re.findall(r'footfall_stream_moves_total{why="(.*)"} (.*)', self.api.metrics())
        return {why: int(float(count)) for why, count in found}

    def check_stayed(self, before: Mapping[str, tuple[str | None, int]], *, another_registry: bool = False) -> None:
        """Streams are where they were: nobody took them for lost, and of planned moves only those for balance.

        How much streams weigh is measured anew, by and by, so some may be evened out at any time.
        """
        after, taken = self.places(), self._taken()
        moves = sum(after[name][1] - epoch for name, (_, epoch) in before.items())
        if not another_registry:  # whose counts begin anew
            taken = {why: count - self._taken_before[why] for why, count in taken.items()}
        assert after == before or (moves <= taken["balance"] and not taken["lost"]), (before, after, taken)

    def owned_by(self, *readers: str) -> set[str]:
        return {name for name, (owner, _) in self.places().items() if owner in readers}

    def wait_moved(self, streams: set[str], *readers: str, timeout_s: float = 60) -> float:
        """Wait until none of these is with the readers, and all deliver again; returns the seconds that it took."""
        begun = time.monotonic()

        def moved() -> bool:
            try:
                views = self.views()
            except (ApiProblem, Unreachable):
                return False
            return all(
                views[name]["reader"] not in (None, *readers) and views[name]["state"] == "running" for name in streams
            )

        wait_until(moved, timeout_s, f"{sorted(streams)} to run elsewhere than with {readers}")
        return time.monotonic() - begun

    def wait_progress(self, frames: int = 15) -> None:
        """All cameras deliver; counts of frames begin anew with an epoch."""
        for name in self.cameras:
            before = self.api.get_stream(name)

            def advanced(name: str = name, before: StreamAnswer = before) -> bool:
                now = self.api.get_stream(name)
                least = before["frames"] + frames if now["epoch"] == before["epoch"] else frames
                return now["state"] == "running" and now["frames"] >= least

            wait_until(advanced, 60, f"{frames} more frames of {name}")

    def wait_analysed(self, cameras: Collection[str], since_s: float) -> None:
        """Until a picture of each was analysed that was taken after a time, seconds since the epoch."""

        def newest_s(name: str) -> float:
            age_s = self.api.get_stream(name)["frame_age_s"]
            return 0.0 if age_s is None else time.time() - age_s

        for name in sorted(cameras):
            wait_until(lambda name=name: newest_s(name) > since_s, 6, f"{name} to be analysed")

    def wait_away_s(self, seconds: float, cameras: Collection[str] | None = None) -> None:
        """Until cameras that show something all the time, all if none are named, were analysed for so long."""
        begun_s = time.time()
        for name in self.cameras if cameras is None else cameras:

            def analysed(name: str = name) -> bool:
                age_s = self.api.get_stream(name)["frame_age_s"]
                return age_s is not None and time.time() - age_s > begun_s + seconds

            wait_until(analysed, seconds + 30, f"{seconds:.0f} s of {name}", every_s=1.0)

    def check_topics(self, truth: dict[str, Any]) -> None:
        """Every frame counts once, whatever happened."""
        found = {name: wait_all_counted(self.api, name, self._scene.frames, timeout_s=90) for name in self.topics}
        seen = [round(counted["covered_s"] * FPS) + 1 for counted in found.values()]
        self._topic_lost = max(self._scene.frames - frames for frames in seen)
        for name, counted in found.items():
            assert counted == truth, name
            crossings = sum(sum(counts.values()) for b in counted["buckets"] for counts in b["lines"].values())
            self._check_events(name, crossings)

    def _check_events(self, name: str, crossings: int) -> None:
        """Every crossing that is counted is told once, in the order of the pictures."""
        told = list(self.api.events(type=["footfall.crossing.v1"], stream=[name], after=self._events_before))
        assert len(told) == len({event["id"] for event in told}) == crossings, name
        if name in self.topics:  # a camera's clock may be wrong for a while
            assert [event["time"] for event in told] == sorted(event["time"] for event in told), name

    def _check_told(self, name: str, ended_s: float, away_s: float) -> None:
        """Each crossing of a camera is told once, but for those of one gap of so many seconds."""
        told = [
            Crossing(datetime.fromisoformat(event["time"]).timestamp(), str(event["data"]["direction"]))
            for event in self.api.events(type=["footfall.crossing.v1"], stream=[name], after=self._events_before)
        ]
        loop_s = self._truth["frames"] / self._truth["fps"]
        shown = [Crossing(one["frame"] / self._truth["fps"], one["direction"]) for one in self._truth["crossings"]]
        if not told:  # whatever was shown is within the gap, then, or within the margins of the run
            assert ended_s - self._running_s[name] < away_s + loop_s + 2 * EDGE_S, name
            return
        least_s, most_s = self._running_s[name] + EDGE_S, ended_s - EDGE_S

        def misfit(phase_s: float) -> tuple[int, float, str]:
            """How many were told and not shown, and how many seconds too much those lie apart that were not told."""
            expected = shown_between(shown, phase_s, loop_s, self._begun_s, ended_s)
            extra, missing = unmatched(told, expected, least_s)
            certain = [one.time_s for one in missing if least_s <= one.time_s <= most_s]
            gap_s = max(certain) - min(certain) + 1.0 if certain else 0.0
            too_long_s = max(0.0, gap_s - (away_s + EDGE_S if away_s else 0.0))
            return len(extra), too_long_s, f"{name}: told {told}, shown {expected}"

        best = min(misfit(phase_s) for phase_s in phases_of(told, shown, loop_s))
        assert best[:2] == (0, 0.0), best

    def check_cameras(
        self,
        outage_s: float = 0.0,
        hit: set[str] | None = None,
        *,
        least_s: float = 0.0,
        what: str | None = None,
        undated: Collection[str] = (),
    ) -> None:
        """What was counted is what was shown, each crossing once, and what was not seen is accounted for.

        Args:
            outage_s: how long the streams that were hit were away, at most.
            hit: streams that were away once; each further epoch of a stream is a planned move, which costs nothing.
            least_s: how long they certainly were, and their coverage has to say so.
            what: was done to them, for the table of docs/chaos.md.
            undated: cameras that have shown their clip from its beginning again, or whose clock was wrong: of their
                crossings only the number is looked at.
        """
        missing_s: dict[str, float] = {}
        moved = 0
        for name in self.cameras:  # all at once: they have shown the same up to here
            self._servers[name].freeze(name)
        ended_s = time.time()
        for name in self.cameras:
            wait_state(self.api, name, "reconnecting", timeout_s=30)  # by then everything is written
        end = str(int(ended_s) + 2 * 3600)  # what a wrong clock dates ahead counts, too
        for name in self.cameras:
            covered_s = self.api.heatmap(name, end=end)["covered_s"]
            lines = self.api.counts(name, bucket="1h", end=end)["total"]["lines"]
            crossings = sum(sum(counts.values()) for counts in lines.values())
            moves = self.api.get_stream(name)["epoch"] - self._first[name]
            moved += moves > 0
            away_s = outage_s if name in (hit or ()) else 0.0
            shortest_s = ended_s - self._running_s[name] - away_s - END_S
            longest_s = ended_s - self._begun_s + 0.5
            found = (
                f"{name}: {covered_s} s of {shortest_s:.1f} to {longest_s:.1f}, {crossings} crossings, {moves} moves"
            )
            assert shortest_s <= covered_s <= longest_s, found
            self._check_events(name, crossings)
            if name not in undated:
                self._check_told(name, ended_s, away_s)
            least, most = self.crossings_within(covered_s, away_s)
            assert least - 1 <= crossings <= most + 1, f"{found}; the truth is {least} to {most}"
            missing_s[name] = ended_s - self._since_s[name] - covered_s
        spared = [seconds for name, seconds in missing_s.items() if name not in (hit or ())]
        usual_s = statistics.median(spared) if spared else min(missing_s.values())
        struck = [missing_s[name] for name in missing_s if name in (hit or ())] or list(missing_s.values())
        gap_s = max(0.0, max(struck) - usual_s)
        assert hit or gap_s < APART_S, missing_s
        assert not least_s or min(struck) - usual_s >= least_s, missing_s
        file = os.environ.get("FOOTFALL_CHAOS_RESULTS")
        if what is not None and file is not None:
            with Path(file).open("a") as out:
                told = {"what": what, "gap_s": round(gap_s, 2), "usual_s": round(usual_s, 2)}
                out.write(json.dumps({**told, "cameras_moved": moved, "topic_frames_lost": self._topic_lost}) + "\n")

    def crossings_within(self, covered_s: float, away_s: float) -> tuple[int, int]:
        """Fewest and most true crossings in so many seconds of the endless clip, wherever they begin.

        Args:
            covered_s: seen, in one piece unless something was missed.
            away_s: missed in between, at most: it may have held crossings, or none.
        """
        fps, length = self._truth["fps"], self._truth["frames"]
        crossed = [crossing["frame"] for crossing in self._truth["crossings"]]

        def within(begin: int, frames: int) -> int:
            return sum((frames + begin - 1 - at) // length - (begin - 1 - at) // length for at in crossed)

        seen, gaps = round(covered_s * fps), round(away_s * fps)
        found = [within(begin, seen) for begin in range(length)]
        between = max(within(begin, gaps) for begin in range(length)) if gaps else 0
        return max(0, min(found) - between), max(found) + between
