"""All that is watched of one camera: its pictures against their reference, its people against the usual ones."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from analytics.drift.causes import Cause, PeopleCause, Verdict
from analytics.drift.people import PeopleFrame, PeopleSampler
from analytics.drift.population import SLICE_S, PeopleSymptom, Population
from analytics.drift.states import fields, number, whole
from analytics.drift.view import View
from analytics.drift.watch import PictureWatch, Symptom
from pipelines.types import FrameStamp, Image

FORMAT = 1
JUDGED_S = 45.0
"""After so long, whatever is wrong with pictures has been seen."""
PROPOSED_S = 600.0
"""A camera that has looked elsewhere for so long may be meant to."""


class CameraDrift:
    """Judges one camera, from one epoch of its stream to the next.

    Pictures are shown by the thread that decodes them, people by the one that tracks them, and whoever likes asks: each
    waits for the other, which takes some milliseconds every few seconds.

    Args:
        version: of the reference; one of another version is not taken up.
        zone: of the clock on the camera's wall, by which its site lives.
        phase_s: so much later than others its people are judged, so that not all are at the same moment.
    """

    def __init__(self, version: int = 0, zone: tzinfo = UTC, phase_s: float = 0.0) -> None:
        self.version = version
        self._phase_s = phase_s
        self._zone = zone
        self._lock = threading.Lock()
        self._begin(version)

    def _begin(self, version: int) -> None:
        self._picture_verdicts: tuple[Verdict, ...] = ()
        self._people_verdicts: tuple[Verdict, ...] = ()
        self._before: dict[str, float] = {}
        """Since when causes were there that the epoch before has left, until this one has judged for itself."""
        self._watch = PictureWatch(View(version))
        self._population = Population(version)
        self._sampler = PeopleSampler()
        self._slice: int | None = None
        self._doubtful = False
        """Whether something was wrong with the pictures since the slice began."""
        self._first_s: float | None = None

    def renew(self, version: int) -> None:
        """What the camera shows from now on is how it should be."""
        with self._lock:
            self.version = version
            self._begin(version)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What is wrong; what is wrong with the pictures comes first, for it explains what is wrong with the people."""
        return self._picture_verdicts + self._people_verdicts

    @property
    def judges_pictures(self) -> bool:
        """Whether what is wrong with pictures would have been seen by now."""
        looked_s = self._watch.looked_s
        return self._first_s is not None and looked_s is not None and looked_s - self._first_s >= JUDGED_S

    @property
    def judges_people(self) -> bool:
        """Whether there are enough people to say that they are as usual."""
        return bool(self._population.distances)

    @property
    def judges_traffic(self) -> bool:
        """Whether an hour was compared."""
        return self._population.hours > 0

    def proposes_renewal(self, time_s: float) -> bool:
        """Whether the camera has looked elsewhere for so long that this may be its new view.

        Args:
            time_s: seconds since the epoch.
        """
        return any(
            one.cause == Cause.MOVED.value and time_s - one.since_s >= PROPOSED_S for one in self._picture_verdicts
        )

    @property
    def features(self) -> Mapping[str, float]:
        """What is judged, by name: of pictures as in `PictureWatch.numbers`, of people the stability index."""
        distances = {f"people_{name}": one.index for name, one in self._population.distances.items()}
        return {**self._watch.numbers, **distances}

    def show(self, picture: Image, stamp: FrameStamp) -> None:
        """Look at a picture, if it is time to.

        Args:
            picture: without margins, BGR; read only while this lasts.
            stamp: of its frame.
        """
        with self._lock:
            if stamp.gap:
                self._watch.gap()
            if not self._watch.wants(stamp.time_s):
                return
            self._watch.look(picture, stamp.time_s, self._local_s(stamp.time_s))
            if self._first_s is None or stamp.time_s < self._first_s:
                self._first_s = stamp.time_s
            self._picture_verdicts = self._told(self._watch.symptoms, self._picture_verdicts, stamp.time_s)
            if self.judges_pictures:
                self._forget(Cause)
            self._doubtful = self._doubtful or bool(self._picture_verdicts)

    def count(self, frame: PeopleFrame) -> None:
        """Take in the people of a frame; every ten minutes, what was seen of them is judged."""
        local_s = self._local_s(frame.time_s)
        slice_ = int((local_s - self._phase_s) // SLICE_S)
        with self._lock:
            if slice_ != self._slice:
                self._judge(frame.time_s)
                self._slice = slice_
            self._sampler.update(frame)

    def _judge(self, time_s: float) -> None:
        """The slice is over."""
        counted, doubtful = self._sampler.take(), self._doubtful
        self._doubtful = bool(self._picture_verdicts)
        if self._slice is None:
            return
        self._population.add(counted, self._slice * SLICE_S + self._phase_s, trusted=not doubtful)
        self._people_verdicts = self._told(self._population.symptoms, self._people_verdicts, time_s)
        if self.judges_people:
            self._forget(PeopleCause)

    def _told(
        self, symptoms: Iterable[Symptom | PeopleSymptom], before: Iterable[Verdict], time_s: float
    ) -> tuple[Verdict, ...]:
        """Symptoms with the time since when they are there; what goes on since the epoch before, since that time."""
        since = self._before | {one.cause: one.since_s for one in before}
        return tuple(
            Verdict(one.cause.value, one.detail, min(since.get(one.cause.value, time_s), time_s)) for one in symptoms
        )

    def _forget(self, kind: type[Cause] | type[PeopleCause]) -> None:
        """What the epoch before has left is out of date."""
        for cause in kind:
            self._before.pop(cause.value, None)

    def _local_s(self, time_s: float) -> float:
        offset = datetime.fromtimestamp(time_s, self._zone).utcoffset()
        return time_s + (offset.total_seconds() if offset is not None else 0.0)

    def snapshot(self) -> dict[str, Any]:
        """What goes on with the next epoch, as JSON types; small enough for every checkpoint."""
        with self._lock:
            since = self._before | {one.cause: one.since_s for one in self.verdicts}
            return {"format": FORMAT, "version": self.version, "watch": self._watch.snapshot(), "since": since}

    def reference(self) -> dict[str, Any]:
        """What is known of the camera, as JSON types; some hundred kilobytes, so to be stored once an hour."""
        with self._lock:
            return {
                "format": FORMAT,
                "version": self.version,
                "view": self._watch.view.snapshot(),
                "seasons": {name: season.snapshot() for name, season in self._watch.seasons.items()},
                "population": self._population.snapshot(),
            }

    def take_up(self, reference: Mapping[str, Any] | None, state: Mapping[str, Any] | None) -> None:
        """Go on with what another epoch has left; what is of another version is left out.

        Args:
            reference: of `reference`; None: nothing is known.
            state: of `snapshot`; None: likewise.

        Raises:
            ValueError: one of them is none, or is of another format; nothing is changed then.
        """
        version = self.version
        watch, population = PictureWatch(View(version)), Population(version)
        before: dict[str, float] = {}
        if reference is not None and whole(fields(reference, FORMAT), "version") == version:
            watch = PictureWatch(View.of(_part(reference, "view")))
            seasons = _part(reference, "seasons")
            for name, season in watch.seasons.items():
                season.restore(_part(seasons, name))
            population = Population.of(_part(reference, "population"))
        if state is not None and whole(fields(state, FORMAT), "version") == version:
            watch.restore(_part(state, "watch"))
            causes = _part(state, "since")
            before = {str(cause): number(causes, cause) for cause in causes}
        with self._lock:
            if version != self.version:
                return  # somebody has said meanwhile that this is the new view
            self._begin(version)
            self._watch, self._population, self._before = watch, population, before


def _part(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = state.get(name)
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} is missing")  # noqa: TRY004 - of a state, whatever is wrong is a ValueError
    return found
