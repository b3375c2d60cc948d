"""Weeks of people before a camera, as a real detector sees simulated ones; and what can befall the detector.

What is drawn and detected are some minutes of each hall with few people, and with more and more. Weeks are made of
these minutes, drawn by chance: those that are learnt of one half of them, those after that of the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import av
import cv2
import numpy as np

from analytics.drift.causes import PeopleCause
from analytics.drift.people import PeopleCounts, PeopleFrame, PeopleSampler
from analytics.drift.population import SLICE_S, Population
from benchmarks.drift_world import CLOSED_DAY, CLOSES_H, MONDAY_S, OPENS_H
from pipelines.batching.letterbox import SlotWriter
from pipelines.detection.onnx import OnnxDetector
from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from pipelines.tracking.bytetrack import ByteTracker
from pipelines.types import Image

LEVELS = 2, 4, 8, 16
"""People in the hall at a time."""
MINUTES, FPS = 8, 5.0
WIDTH, HEIGHT = 640, 360
WORSE = 0.5
"""What the worse detector sees is scaled down to this, and up again."""
LEARNT_DAYS, UNDISTURBED_DAYS, FAULT_DAYS = 21, 14, 1
MINUTES_A_SLICE = round(SLICE_S / 60)


@dataclass(frozen=True)
class Bank:
    """Minutes of one hall: by detector (good, worse), by level, by number."""

    good: list[list[PeopleCounts]]
    worse: list[list[PeopleCounts]]


def bank(seed: int) -> Bank:
    """Draw a hall, and detect who is in it, twice."""
    cv2.setNumThreads(1)
    good, worse = [], []
    for level, people in enumerate(LEVELS):
        scene = Scene(Camera(WIDTH, HEIGHT), people=people, seconds=60 * MINUTES, fps=FPS, seed=100 * seed + level)
        seers = [_Seer(1.0), _Seer(WORSE)]
        for frame in range(scene.frames):
            image = scene.image(frame)
            for seer in seers:
                seer.look(image, frame / FPS)
        good.append(seers[0].minutes)
        worse.append(seers[1].minutes)
    return Bank(good, worse)


class _Seer:
    """Detector, tracker, and samples of what they say, by minute."""

    def __init__(self, scale: float) -> None:
        self.minutes: list[PeopleCounts] = []
        self._scale = scale
        self._detector = OnnxDetector(resolve(DEFAULT_MODEL))
        self._writer = SlotWriter(self._detector.input_size)
        self._slot = np.zeros((1, *self._detector.input_size, 3), np.uint8)
        self._tracker, self._sampler = ByteTracker(), PeopleSampler()

    def look(self, image: Image, time_s: float) -> None:
        if self._scale < 1:
            small = cv2.resize(image, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_AREA)
            image = np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)
        letterbox = self._writer.write(av.VideoFrame.from_ndarray(image, "bgr24"), self._slot[0])
        detections = letterbox.to_source(self._detector.detect(self._slot)[0])
        tracks = self._tracker.update(detections, time_s)
        self._sampler.update(PeopleFrame.of(tracks, detections, (HEIGHT, WIDTH), time_s, 1 / FPS))
        if round((time_s * FPS + 1) % (60 * FPS)) == 0:
            self.minutes.append(self._sampler.take())


@dataclass(frozen=True)
class PeopleCourse:
    """What was told in weeks before one camera.

    Attributes:
        false_alarms: causes, in undisturbed weeks; one that goes on is one.
        swapped: cause that was told after the detector was swapped, and seconds until then.
        doubled: the same after twice as many people came.
    """

    false_alarms: list[str]
    swapped: tuple[str | None, float | None]
    doubled: tuple[str | None, float | None]


def course(seed: int, halls: list[Bank]) -> PeopleCourse:
    """Three weeks that are learnt, two that are undisturbed; and, of the same state, a day of each fault."""
    hall, rng = halls[seed % len(halls)], np.random.default_rng(seed)
    population, half = Population(), MINUTES // 2
    slices = round(86400 / SLICE_S)

    def show(
        kind: Population, slice_: int, minutes: list[list[PeopleCounts]], part: range, more: int = 0
    ) -> str | None:
        local_s = MONDAY_S + slice_ * SLICE_S
        kind.add(_drawn(minutes, part, local_s, more, rng), local_s)
        return kind.symptoms[0].cause.value if kind.symptoms else None

    for slice_ in range(LEARNT_DAYS * slices):
        show(population, slice_, hall.good, range(half))
    state, false_alarms, before = population.snapshot(), [], None
    for slice_ in range(LEARNT_DAYS * slices, (LEARNT_DAYS + UNDISTURBED_DAYS) * slices):
        told = show(population, slice_, hall.good, range(half, MINUTES))
        false_alarms += [told] if told is not None and told != before else []
        before = told
    begun = LEARNT_DAYS * slices + int(rng.integers(6)) * slices + round(rng.uniform(10, 17) * 3600 / SLICE_S)
    outcomes = []
    for minutes, more in ((hall.worse, 0), (hall.good, 1)):
        again, outcome = Population.of(state), (None, None)
        for slice_ in range(begun, begun + FAULT_DAYS * slices):
            told = show(again, slice_, minutes, range(half, MINUTES), more)
            if told is not None:
                outcome = told, (slice_ + 1 - begun) * SLICE_S
                break
        outcomes.append(outcome)
    return PeopleCourse(false_alarms, outcomes[0], outcomes[1])


def _drawn(
    minutes: list[list[PeopleCounts]], part: range, local_s: float, more: int, rng: np.random.Generator
) -> PeopleCounts:
    """Ten minutes of a shop: nobody by night and on Sundays, most in the middle of the day."""
    hour, day = local_s % 86400 / 3600, (local_s - MONDAY_S) // 86400 % 7
    found = PeopleCounts()
    busy = math.sin((hour - OPENS_H) / (CLOSES_H - OPENS_H) * math.pi)
    for _ in range(MINUTES_A_SLICE):
        if OPENS_H <= hour < CLOSES_H and day != CLOSED_DAY:
            level = min(max(int(rng.normal(2 * busy, 0.5)), 0), len(LEVELS) - 2) + more
            found.add(minutes[level][int(rng.choice(part))])
        else:
            found.covered_s += 60.0
    return found


CAUSES = {"detector swapped for a worse one": PeopleCause.MODEL.value, "twice the people": PeopleCause.TRAFFIC.value}
