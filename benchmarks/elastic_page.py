"""The document of how readers follow their cameras, of what `benchmarks.elastic` has measured."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from typing import Any

DAY = {
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
"""Figures of a day, in the order of the table."""


def page(results: Mapping[str, Any]) -> str:
    """All of it; parts that were not measured are left out."""
    sections = {
        "day": _day,
        "moves": _moves,
        "ramp": _ramp,
        "overload": _overload,
        "plan": _plan,
        "kafka": _kafka,
    }
    lines = ["# Elastic", "", "Written by `make elastic`; do not edit.", ""]
    for name, section in sections.items():
        if name in results["machines"]:
            lines += [*section(results), "", f"On {results['machines'][name]}.", ""]
    return "\n".join(lines)


def _day(results: Mapping[str, Any]) -> list[str]:
    days = results["days"]
    rows = []
    for name, words in DAY.items():
        found = [one[name] for one in days]
        rows.append(f"| {words} | {statistics.median(found):g} | {min(found):g} | {max(found):g} |")
    return [
        "## A day of 200 shops",
        "",
        "Simulated are the cameras' weights (`benchmarks/shops.py`: opening hours in six time zones, fuller shops",
        "weigh more, measured weights are noisy) and that a reader takes 30 s to start. What decides is the",
        "product's own code: the planner, and what the readers' policy goes by (`serve/control/scaling.py`), of which",
        "nothing was tuned on these days. A reader takes 1 core.",
        "",
        "![Cameras that are on, readers needed and readers, over a day](images/elastic-day.png)",
        "",
        f"| of {len(days)} days | median | lowest | highest |",
        "| --- | ---: | ---: | ---: |",
        *rows,
        "",
        "Readers needed are what all streams that are on weigh, over 0.8 of a reader's capacity, rounded up.",
    ]


def _moves(results: Mapping[str, Any]) -> list[str]:
    moved = results["moves"]
    return [
        "## Moves",
        "",
        f"The same {moved['cameras']} RTSP cameras (simulated, 12 frames a second, so one each 0.083 s; every frame",
        "analysed by the default model) are counted twice: by readers of which each is replaced by another as soon as",
        "it runs, and by one that stays (`benchmarks/handover.py`; one process, without Ray).",
        "",
        "| | replaced | stays |",
        "| --- | ---: | ---: |",
        f"| moves of a stream | {moved['moves']} | 0 |",
        f"| most seconds between analysed frames | {moved['handover_gap_s_max']} | {moved['gap_s_max_without']} |",
        f"| times that a frame was missing in between | {moved['longer_gaps']} | {moved['longer_gaps_without']} |",
        f"| frames that a newer one replaced, for want of time | {moved['skipped']} | {moved['skipped_without']} |",
        f"| frames counted, of {moved['minutes']} minutes | {moved['frames']} | {moved['frames_without']} |",
        f"| crossings that differ, of {moved['crossings']} | {moved['handover_counts_wrong']} | |",
    ]


def _plan(results: Mapping[str, Any]) -> list[str]:
    return [
        "## The planner",
        "",
        f"5,000 streams on 100 readers: {results['plan_s_5000']:.2f} s to give all of them to readers,",
        f"{results['plan_idle_s_5000'] * 1e3:.1f} ms when nothing has changed (medians of {results['plan_rounds']}).",
    ]


def _overload(results: Mapping[str, Any]) -> list[str]:
    found = results["overload"]
    columns = found["crowded"], found["relieved"]

    def row(words: str, *cells: object) -> str:
        return f"| {words} | {' | '.join(map(str, cells))} |"

    return [
        "## Too many, and nothing to grow into",
        "",
        "One reader that finds people on a single thread, and simulated RTSP cameras of which six frames a second are",
        "to be analysed, which is the default; then most of them are deleted (`benchmarks/overload.py`).",
        "",
        row("cameras", *(one["cameras"] for one in columns)),
        "| --- | ---: | ---: |",
        row("analysed frames a second, of the camera with the fewest", *(one["fps"][0] for one in columns)),
        row("of the camera with the most", *(one["fps"][-1] for one in columns)),
        row("share of frames skipped", *(one["skipped_share"] for one in columns)),
        row("cameras that say so (`overloaded`)", *(one["overloaded"] for one in columns)),
        row("age of the oldest newest frame, s, 95 % below", *(one["frame_age_p95_s"] for one in columns)),
        row(
            "the same, first and second half", *(" / ".join(map(str, one["frame_age_p95_s_halves"])) for one in columns)
        ),
    ]


def _ramp(results: Mapping[str, Any]) -> list[str]:
    found = results["ramp"]
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
    ]


def _kafka(results: Mapping[str, Any]) -> list[str]:
    kafka = results["kafka"]
    return [
        "## Many cameras of one topic",
        "",
        f"{kafka['cameras']:,} cameras in one topic of {kafka['partitions']} partitions, against as many cameras",
        "as partitions with a topic each and as many pictures together (JPEG, 320x180). Two processes have half of",
        "the partitions or topics each (`benchmarks/kafka_cameras.py`).",
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
    ]
