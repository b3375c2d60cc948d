"""How soon a camera that goes wrong is noticed, by its right name, and how often one is suspected that is well.

Simulated shops over weeks, and real recordings if they are there (``FOOTFALL_DATA``). Writes
benchmarks/results/drift.json and docs/drift.md. Usage: drift.py [--seeds N] [--processes N]. Run by
``benchmarks/run-drift``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from analytics.alerts.book import AlertBook, Problem
from analytics.drift.season import SLOT_S
from analytics.drift.view import View
from analytics.drift.watch import LOOK_FRAMES, LOOK_S, PictureWatch
from benchmarks.compare import machine
from benchmarks.drift_page import page
from benchmarks.drift_people import CAUSES as PEOPLE_CAUSES
from benchmarks.drift_people import LEVELS, MINUTES, bank, course
from benchmarks.drift_people import UNDISTURBED_DAYS as PEOPLE_DAYS
from benchmarks.drift_world import FAULTS, MONDAY_S, SEEN, Befallen, ShopCamera, shown
from pipelines.types import Image

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "drift.json"
PAGE = ROOT / "docs" / "drift.md"
SEEDS = 50
"""The first is 0. Thresholds were found on seeds from 1000 on, and on no recording."""
REGISTERED_H = 10
"""When a camera is seen first."""
LEARNT_DAYS, UNDISTURBED_DAYS = 21, 2
LEARNT_LOOKS = 4
"""In each quarter of an hour."""
UNDISTURBED_LOOK_S = 12.0
"""Between two looks at a camera of which one frame a second is analysed."""
WELL_S, FAULT_S = 40.0, 180.0
FAULT_HOURS = 10.0, 19.4
RECORDINGS = ("mall_a", "pets09_s2l1_vtest", "caviar_shop_corridor", "caviar_walk1", "intel_one_by_one")
RECORDING_LOOKS = 60
HALLS = 6
"""In which a detector sees people; their minutes are shared by all courses."""
CAUSES = {**{name: fault.cause for name, fault in FAULTS.items()}, **PEOPLE_CAUSES}
"""What is to be named, of each fault."""
UNKNOWN_BEFORE_A_WEEK = {"dimmed by 30 %", "dimmed by 60 %"}
"""Nobody can tell from minutes of a recording how bright its hall usually is."""


@dataclass(frozen=True)
class Outcome:
    """What was noticed of one fault.

    Attributes:
        fault: what befell the camera.
        cause: that was named; None if nothing was noticed in time.
        seconds: until people were told.
    """

    fault: str
    cause: str | None
    seconds: float | None

    @property
    def is_right(self) -> bool:
        return self.cause == CAUSES[self.fault]


@dataclass(frozen=True)
class Shop:
    """One simulated shop.

    Attributes:
        outcomes: of each fault.
        false_alarms: in days without any, the first of its days among them.
        days: without any.
    """

    outcomes: list[Outcome]
    false_alarms: list[str]
    days: int


class Watched:
    """A camera that is watched, and the book of its alerts."""

    def __init__(self, watch: PictureWatch) -> None:
        self.watch = watch
        self._book = AlertBook()

    def look(self, picture: Image, time_s: float) -> list[str]:
        """Look at one picture; returns the causes that people are told of now."""
        for _ in range(LOOK_FRAMES):  # frames that were analysed in between
            self.watch.wants(time_s)
        self.watch.look(picture, time_s, time_s)
        problems = [Problem(f"camera-{one.cause.value}", "camera", one.detail) for one in self.watch.symptoms]
        changes = self._book.observe(time_s, problems, lambda *_: True, lambda _: True)
        return [change.alert.rule.removeprefix("camera-") for change in changes if change.kind == "raised"]


def watched_all_day(watched: Watched, well: Befallen, begun_s: float) -> list[str]:
    """Causes that people are told of in a day without any fault, in which it is looked at without a break."""
    looks = round(86400 / UNDISTURBED_LOOK_S)
    times = (begun_s + look * UNDISTURBED_LOOK_S for look in range(looks))
    return [cause for time_s in times for cause in watched.look(well.picture(time_s), time_s)]


def learnt(watched: Watched, well: Befallen, begun_s: float, until_s: float) -> None:
    """Weeks, of which only some looks in each quarter of an hour are made: of others no more would be learnt."""
    for slot in range(round((until_s - begun_s) / SLOT_S)):
        for look in range(LEARNT_LOOKS):
            time_s = begun_s + slot * SLOT_S + look * UNDISTURBED_LOOK_S
            watched.look(well.picture(time_s), time_s)


def again(watch: PictureWatch) -> PictureWatch:
    """The same, as another reader would go on with it."""
    made = PictureWatch(View.of(watch.view.snapshot()))
    made.restore(watch.snapshot())
    for name, season in watch.seasons.items():
        made.seasons[name].restore(season.snapshot())
    return made


def shop(seed: int) -> Shop:
    """A first day, weeks of one shop, days after them, and each fault on one of those."""
    cv2.setNumThreads(1)
    camera, rng = ShopCamera(seed), np.random.default_rng(seed + 1_000_000)
    watched, well = Watched(PictureWatch(View())), Befallen(camera, None)
    first_s = MONDAY_S + REGISTERED_H * 3600
    first = watched_all_day(watched, well, first_s)
    judged_s = MONDAY_S + LEARNT_DAYS * 86400
    learnt(watched, well, first_s + 86400, judged_s)
    watch = watched.watch
    day, hour = int(rng.integers(6)), float(rng.uniform(*FAULT_HOURS))
    fault_s = judged_s + day * 86400 + hour * 3600
    outcomes = [
        befall(name, Watched(again(watch)), fault_s, Befallen(camera, None), Befallen(camera, fault))
        for name, fault in FAULTS.items()
    ]
    later: list[str] = []
    for chosen in rng.choice(7, UNDISTURBED_DAYS, replace=False):
        later += watched_all_day(Watched(again(watch)), Befallen(camera, None), judged_s + int(chosen) * 86400)
    return Shop(outcomes, [f"{cause}, on the first day" for cause in first] + later, 1 + UNDISTURBED_DAYS)


def befall(name: str, watched: Watched, begun_s: float, well: Befallen, ill: Befallen) -> Outcome:
    """Show a camera that is well, and then one that is not."""
    for look in range(round(WELL_S / LOOK_S)):
        time_s = begun_s + look * LOOK_S
        told = watched.look(well.picture(time_s), time_s)
        if told:
            return Outcome(name, f"{told[0]}, too soon", None)
    fault_s = begun_s + WELL_S
    for look in range(round(FAULT_S / LOOK_S)):
        time_s = fault_s + look * LOOK_S
        told = watched.look(ill.picture(time_s), time_s)
        if told:
            return Outcome(name, told[0], time_s - fault_s)
    return Outcome(name, None, None)


class Recording:
    """A recording as a camera that can be moved: what is shown is a part of its frames, some of them again and again.

    Args:
        frames: of it.
    """

    crf = None

    def __init__(self, frames: list[Image]) -> None:
        self.rng = np.random.default_rng(7)
        self._frames = frames
        height, width = frames[0].shape[:2]
        self._size = round(width / SEEN / 2) * 2, round(height / SEEN / 2) * 2

    def picture(self, local_s: float, *, right: float = 0.0, turned_deg: float = 0.0) -> Image:
        """Some frame; see `ShopCamera.picture`."""
        del local_s
        lens = self._frames[int(self.rng.integers(len(self._frames)))]
        matrix = shown(lens, self._size, right * self._size[0], 0.0, turned_deg)
        return np.asarray(cv2.warpAffine(lens, matrix, self._size), np.uint8)


def recording(folder: Path) -> list[Outcome]:
    """Each fault on the second half of a recording, after two minutes of looks at its first half."""
    cv2.setNumThreads(1)
    frames = list(_frames(folder / "video.mp4"))
    half = len(frames) // 2
    first, later = Recording(frames[:half]), Recording(frames[half:])
    watched, well = Watched(PictureWatch(View())), Befallen(first, None)
    for look in range(RECORDING_LOOKS):
        time_s = MONDAY_S + look * LOOK_S
        watched.look(well.picture(time_s), time_s)
    begun_s = MONDAY_S + RECORDING_LOOKS * LOOK_S
    return [
        befall(name, Watched(again(watched.watch)), begun_s, Befallen(later, None), Befallen(later, fault))
        for name, fault in FAULTS.items()
        if name not in UNKNOWN_BEFORE_A_WEEK
    ]


def _frames(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def people(pool: ProcessPoolExecutor, seeds: range) -> list[Shop]:
    """Weeks of people, and each fault of the detector."""
    halls = list(pool.map(bank, range(seeds.start, seeds.start + HALLS)))
    print(f"{HALLS} halls of {MINUTES} minutes with {LEVELS} people", file=sys.stderr, flush=True)
    found = []
    for seed, told in zip(seeds, pool.map(course, seeds, [halls] * len(seeds)), strict=True):
        swapped, doubled = (
            Outcome(name, *one) for name, one in zip(PEOPLE_CAUSES, (told.swapped, told.doubled), strict=True)
        )
        found.append(Shop([swapped, doubled], told.false_alarms, PEOPLE_DAYS))
        _report(f"people {seed}", found[-1])
    return found


def _report(name: str, shop: Shop) -> None:
    wrong = [asdict(one) for one in shop.outcomes if not one.is_right]
    print(f"{name}: false alarms {shop.false_alarms}, wrong {wrong}", file=sys.stderr, flush=True)


def summary(shops: list[Shop], courses: list[Shop]) -> dict[str, Any]:
    """The figures that are reported; a camera's false alarms are those of its pictures and those of its people."""
    outcomes = [one for shop in [*shops, *courses] for one in shop.outcomes]
    told = [one for one in outcomes if one.seconds is not None]
    alarms = {
        name: sum(len(shop.false_alarms) for shop in kind) / sum(shop.days for shop in kind) * 30
        for name, kind in (("pictures", shops), ("people", courses))
    }
    return {
        "detected": len(told) / len(outcomes),
        "cause_right": sum(one.is_right for one in outcomes) / len(outcomes),
        "median_seconds_to_detect": statistics.median([one.seconds for one in told if one.seconds is not None]),
        "false_alarms_per_30_camera_days": sum(alarms.values()),
        "false_alarms": alarms,
        "camera_days": sum(shop.days for shop in shops),
        "shops": len(shops),
    }


def by_fault(outcomes: list[Outcome]) -> dict[str, Any]:
    """How each fault fared, and what it was taken for."""
    found: dict[str, Any] = {}
    for name, cause in CAUSES.items():
        mine = [one for one in outcomes if one.fault == name]
        if not mine:
            continue
        seconds = sorted(one.seconds for one in mine if one.seconds is not None)
        taken_for: dict[str, int] = {}
        for one in mine:
            taken_for[one.cause or "nothing"] = taken_for.get(one.cause or "nothing", 0) + 1
        found[name] = {
            "cause": cause,
            "times": len(mine),
            "taken_for": taken_for,
            "median_s": statistics.median(seconds) if seconds else None,
            "longest_s": seconds[-1] if seconds else None,
        }
    return found


def _recordings() -> dict[str, list[Outcome]]:
    home = Path(os.environ.get("FOOTFALL_DATA", ROOT.parent / "shared" / "data"))
    there = [home / name for name in RECORDINGS if (home / name / "video.mp4").is_file()]
    if not there:
        print(f"no recordings in {home}: simulated shops only", file=sys.stderr)
    return {folder.name: recording(folder) for folder in there}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=0, help="first seed; those from 1000 on are for tuning")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    shops: list[Shop] = []
    seeds = range(options.first, options.first + options.seeds)
    with ProcessPoolExecutor(options.processes) as pool:
        for seed, found in zip(seeds, pool.map(shop, seeds), strict=True):
            shops.append(found)
            _report(f"shop {seed}", found)
        courses = people(pool, seeds)
    recordings = _recordings()
    results: Mapping[str, Any] = {
        "machine": machine(),
        **summary(shops, courses),
        "faults": by_fault([one for found in [*shops, *courses] for one in found.outcomes]),
        "recordings": {
            "names": list(recordings),
            "faults": by_fault([one for found in recordings.values() for one in found]),
        },
    }
    if options.first:
        print(json.dumps(results, indent=1))
        return
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
