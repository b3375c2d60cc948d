"""How readers follow their cameras: docs/elastic.md and its figures.

Usage: elastic.py [PART ...], of day, moves, plan, ramp, overload and kafka; all without. What is not measured stays as
it was.
plot_elastic.py draws the results; ``make elastic`` runs both.
"""

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import handover, kafka_cameras, overload, ramp
from benchmarks.compare import machine
from benchmarks.elastic_page import page
from benchmarks.shops import Cameras, Moment, day, flaps, over_provisioned, plan_seconds

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "elastic.json"
PAGE = ROOT / "docs" / "elastic.md"
SEEDS = (101, 102, 103, 104, 105)
"""None of them was looked at when the policy's constants were chosen."""
SHOPS = 200
STEP_S = 10.0
SHOWN_S = 300.0
ROUNDS = 7


def figures(moments: list[Moment]) -> dict[str, float]:
    """What a day is judged by."""
    needed = sum(math.ceil(moment.needed) for moment in moments)
    return {
        "cameras_most": max(moment.cameras for moment in moments),
        "cameras_least": min(moment.cameras for moment in moments),
        "readers_most": max(moment.readers for moment in moments),
        "readers_least": min(moment.readers for moment in moments),
        "over_provisioned_share": round(over_provisioned(moments), 4),
        "over_provisioned_mean": round(sum(moment.readers for moment in moments) / needed - 1, 4),
        "flaps": flaps(moments),
        "waiting_most": max(moment.waiting for moment in moments),
        "skipped_most": round(max(moment.skipped for moment in moments), 4),
        "skipped_mean": round(statistics.fmean(moment.skipped for moment in moments), 6),
        "moved": sum(moment.moved for moment in moments),
    }


def shown(moments: list[Moment]) -> list[tuple[float, int, float, int]]:
    """The curve, thinned: hour, cameras, readers needed, readers."""
    every = int(SHOWN_S / STEP_S)
    return [(round(m.at_s / 3600, 3), m.cameras, round(m.needed, 2), m.readers) for m in moments[::every]]


def measure_day() -> dict[str, Any]:
    """Days of 200 shops."""
    days, curve = [], []
    for seed in SEEDS:
        moments = list(day(Cameras.of_shops(SHOPS, seed), step_s=STEP_S, seed=seed))
        days.append(figures(moments))
        curve = curve or shown(moments)
        print(f"day {seed}: {days[-1]}", file=sys.stderr, flush=True)
    return {
        "over_provisioned_share": max(one["over_provisioned_share"] for one in days),
        "flaps": max(one["flaps"] for one in days),
        "days": days,
        "curve": {"columns": ["hour", "cameras", "needed", "readers"], "rows": curve},
    }


def measure_moves() -> dict[str, Any]:
    """Planned moves under load."""
    moved = handover.measure()
    names = "handover_gap_s_max", "handover_counts_wrong"
    return {**{name: moved[name] for name in names}, "moves": moved}


def measure_plan() -> dict[str, Any]:
    """Medians of several rounds, seconds."""
    rounds = [plan_seconds() for _ in range(ROUNDS)]
    first, idle = (round(statistics.median(found[name] for found in rounds), 4) for name in ("first", "idle"))
    return {"plan_s_5000": first, "plan_idle_s_5000": idle, "plan_rounds": ROUNDS}


def measure_ramp() -> dict[str, Any]:
    """Cameras that come and go on this machine."""
    found = ramp.measure()
    return {"frame_age_p95_s": found["frame_age_p95_s"], "ramp": found}


def measure_kafka() -> dict[str, Any]:
    """Many cameras of one topic."""
    return {"kafka": kafka_cameras.measure()}


def measure_overload() -> dict[str, Any]:
    """More cameras than there is time for."""
    return {"overload": overload.measure()}


PARTS = {
    "day": measure_day,
    "moves": measure_moves,
    "plan": measure_plan,
    "ramp": measure_ramp,
    "overload": measure_overload,
    "kafka": measure_kafka,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in parser.parse_args().parts:
        results |= PARTS[name]()
        results["machines"] = {**results.get("machines", {}), name: machine()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
