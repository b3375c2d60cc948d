"""How readers follow a day of 200 shops, through the real planner and policy: docs/elastic.md and its figures.

Usage: elastic.py [--shops N] [--days N]. plot_elastic.py draws the results; ``make elastic`` runs both.
"""

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import handover
from benchmarks.compare import machine
from benchmarks.shops import Cameras, Moment, day, flaps, over_provisioned, plan_seconds

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "elastic.json"
PAGE = ROOT / "docs" / "elastic.md"
SEEDS = (101, 102, 103, 104, 105)
"""None of them was looked at when the policy's constants were chosen."""
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


def planning() -> dict[str, float]:
    """Medians of several rounds, seconds."""
    rounds = [plan_seconds() for _ in range(ROUNDS)]
    return {name: round(statistics.median(found[name] for found in rounds), 4) for name in rounds[0]}


def page(days: list[dict[str, float]], plan_s: dict[str, float], moved: dict[str, Any], shops: int) -> str:
    names = {
        "cameras_least": "cameras that are on, least",
        "cameras_most": "cameras that are on, most",
        "readers_least": "readers, least",
        "readers_most": "readers, most",
        "over_provisioned_share": "share of readers above need, for 5 minutes or longer, most",
        "over_provisioned_mean": "the same, mean of the day",
        "flaps": "readers that came and went within 15 minutes, or went and came",
        "waiting_most": "cameras without a reader, most",
        "skipped_most": "share of frames for which there was no time, most",
        "skipped_mean": "the same, mean of the day",
        "moved": "streams that changed their reader",
    }
    rows = [
        f"| {words} | {statistics.median(one[name] for one in days):g} | {max(one[name] for one in days):g} |"
        for name, words in names.items()
    ]
    return "\n".join(
        [
            "# Elastic",
            "",
            "Written by `make elastic`; do not edit.",
            "",
            f"## A day of {shops} shops",
            "",
            "Simulated are the cameras' weights (`benchmarks/shops.py`: opening hours in six time zones, fuller shops",
            "weigh more, measured weights are noisy) and that a reader takes 30 s to start. What decides is the",
            "product's own code: the planner and the readers' policy, of which nothing was tuned on these days. A",
            "reader takes 1 core.",
            "",
            "![Cameras that are on, readers needed and readers, over a day](images/elastic-day.png)",
            "",
            f"| of {len(days)} days | median | worst |",
            "| --- | ---: | ---: |",
            *rows,
            "",
            "Readers needed are what all streams that are on weigh, over 0.8 of a reader's capacity, rounded up.",
            "",
            "## Moves",
            "",
            "The same four RTSP cameras (simulated, 12 frames a second, every frame analysed by the default model) are",
            "counted twice: by readers of which each is replaced by another as soon as it runs, and by one that stays",
            "(`benchmarks/handover.py`; one process, without Ray).",
            "",
            "| | replaced | stays |",
            "| --- | ---: | ---: |",
            f"| moves of a stream | {moved['moves']} | 0 |",
            f"| most seconds between analysed frames | {moved['handover_gap_s_max']} | {moved['gap_s_max_without']} |",
            f"| frames counted, of {moved['minutes']} minutes | {moved['frames']} | {moved['frames_without']} |",
            f"| crossings that differ, of {moved['crossings']} | {moved['handover_counts_wrong']} | |",
            "",
            "## The planner",
            "",
            f"5,000 streams on 100 readers, {machine()}: {plan_s['first']:.2f} s to give all of them to readers,",
            f"{plan_s['idle'] * 1e3:.1f} ms when nothing has changed (medians of {ROUNDS}).",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shops", type=int, default=200)
    parser.add_argument("--days", type=int, default=len(SEEDS))
    arguments = parser.parse_args()
    plan_s, moved = planning(), handover.measure()
    print(f"moves: {moved}", file=sys.stderr, flush=True)
    days, curve = [], []
    for seed in SEEDS[: arguments.days]:
        moments = list(day(Cameras.of_shops(arguments.shops, seed), step_s=STEP_S, seed=seed))
        days.append(figures(moments))
        curve = curve or shown(moments)
        print(f"day {seed}: {days[-1]}", file=sys.stderr, flush=True)
    results = {
        "machine": machine(),
        "over_provisioned_share": max(one["over_provisioned_share"] for one in days),
        "flaps": max(one["flaps"] for one in days),
        "plan_s_5000": plan_s["first"],
        "plan_idle_s_5000": plan_s["idle"],
        "handover_gap_s_max": moved["handover_gap_s_max"],
        "handover_counts_wrong": moved["handover_counts_wrong"],
        "moves": moved,
        "days": days,
        "curve": {"columns": ["hour", "cameras", "needed", "readers"], "rows": curve},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(days, plan_s, moved, arguments.shops))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
