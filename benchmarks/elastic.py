"""How readers follow their cameras: docs/elastic.md and its figures.

Usage: elastic.py [PART ...], of day, moves, plan, ramp and kafka; all without. What is not measured stays as it was.
plot_elastic.py draws the results; ``make elastic`` runs both.
"""

import argparse
import itertools
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import handover, kafka_cameras, ramp
from benchmarks.compare import machine
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
    return {"plan_s_5000": first, "plan_idle_s_5000": idle}


def measure_ramp() -> dict[str, Any]:
    """Cameras that come and go on this machine."""
    found = ramp.measure()
    return {"frame_age_p95_s": found["frame_age_p95_s"], "ramp": found}


def measure_kafka() -> dict[str, Any]:
    """Many cameras of one topic."""
    return {"kafka": kafka_cameras.measure()}


PARTS = {"day": measure_day, "moves": measure_moves, "plan": measure_plan, "ramp": measure_ramp, "kafka": measure_kafka}


def page(results: dict[str, Any]) -> str:
    days, moved = results["days"], results["moves"]
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
            f"## A day of {SHOPS} shops",
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
            *(_ramp_lines(results["ramp"]) if "ramp" in results else ()),
            "## The planner",
            "",
            f"5,000 streams on 100 readers: {results['plan_s_5000']:.2f} s to give all of them to readers,",
            f"{results['plan_idle_s_5000'] * 1e3:.1f} ms when nothing has changed (medians of {ROUNDS}).",
            "",
            *(_kafka_lines(results["kafka"]) if "kafka" in results else ()),
            f"All on {results['machine']}.",
            "",
        ]
    )


def _ramp_lines(found: dict[str, Any]) -> list[str]:
    samples = [dict(zip(found["columns"], row, strict=True)) for row in found["samples"]]
    table = []
    for _, together in itertools.groupby(samples, key=lambda row: row["cameras"]):
        stretch = list(together)
        ages = [row["frame_age_s"] for row in stretch if row["frame_age_s"] is not None]
        seen = stretch[-1]["analysed"] - stretch[0]["analysed"]
        missed = stretch[-1]["skipped"] - stretch[0]["skipped"]
        p95 = statistics.quantiles(ages, n=20)[-1] if len(ages) > 1 else float("nan")
        readers = f"{stretch[0]['readers']} to {stretch[-1]['readers']}"
        share = missed / max(1, seen + missed)
        seconds = stretch[-1]["at_s"] - stretch[0]["at_s"]
        table.append(f"| {stretch[0]['cameras']} | {seconds:.0f} | {readers} | {p95:.2f} | {max(0.0, share):.3f} |")
    return [
        "## Up and down, live",
        "",
        "A service whose readers come and go by themselves, and simulated RTSP cameras that are registered and deleted",
        "through the API, looked at once a second (`benchmarks/ramp.py`):",
        f"{found['setting']}.",
        "Frame age is that of the camera whose newest analysed frame is the oldest, as the API tells it: readers",
        "report once a second, so up to a second of it is that of the report.",
        "",
        "![Cameras, readers, frame age and skipped frames, over the ramp](images/elastic-ramp.png)",
        "",
        "| cameras | for seconds | readers | frame age, s, 95 % below | share of frames skipped |",
        "| ---: | ---: | --- | ---: | ---: |",
        *table,
        "",
    ]


def _kafka_lines(kafka: dict[str, Any]) -> list[str]:
    return [
        "## Many cameras of one topic",
        "",
        f"{kafka['cameras']:,} cameras in one topic of {kafka['partitions']} partitions, against as many cameras",
        "as partitions with a topic each and as many pictures together (JPEG, 320x180). Two processes have half of",
        "the cameras each (`benchmarks/kafka_cameras.py`).",
        "",
        "| CPU ms a picture, medians of 5 rounds | one topic | a topic each | ratio |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {words} | {kafka[kind]['keyed_ms']} | {kafka[kind]['topic_each_ms']} | {kafka[kind]['ratio']} |"
            for kind, words in (
                ("whole", "received, decoded, scaled, people found"),
                ("received", "received and decoded alone"),
            )
        ),
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in parser.parse_args().parts:
        results |= {"machine": machine(), **PARTS[name]()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
