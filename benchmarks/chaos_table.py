"""The table of docs/chaos.md, of what the chaos suite wrote down. Usage: chaos_table.py LINES."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.compare import machine

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "chaos.json"
PAGE = ROOT / "docs" / "chaos.md"


def page(rounds: dict[str, list[dict[str, Any]]], where: str) -> str:
    """The document."""
    rows = []
    for what, found in sorted(rounds.items()):
        gaps_s = [one["gap_s"] for one in found]
        moved, lost = (max(one[name] for one in found) for name in ("cameras_moved", "topic_frames_lost"))
        rows.append(
            f"| {what} | {len(found)} | {lost} | {moved} | {statistics.median(gaps_s):.1f} | {max(gaps_s):.1f} |"
        )
    return "\n".join(
        [
            "# What is lost when something goes wrong",
            "",
            "Written by `make chaos`; do not edit.",
            "",
            "A service on a Ray cluster counts four simulated RTSP cameras and two streams of a Kafka topic",
            "while a part of it is killed (`SIGKILL`), frozen (`SIGSTOP`) or exchanged, or something that",
            "it needs is away, full or wrong: broker, camera, database, disk, clock",
            "(`tests/integration/chaos`, `tests/integration/nodes`, `tests/integration/clocks`). The suite",
            "fails if a topic's counts differ from those of an undisturbed run; if a crossing that a camera",
            "has shown is not counted once, with its time and direction, unless it lies in the gap; if",
            "coverage does not fit the time that was missed; or if a stream moves that had no reason to.",
            "",
            "The gap is what the camera that was hit worst missed beside those that were not hit, by its own",
            "coverage; where all were hit, beside the one that missed least. It is exact to about half a",
            "second.",
            "",
            "| what | times | topic: frames lost | of four cameras moved | gap of a camera, s: median | worst |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            f"On {where}, which run everything: cameras, broker, database, cluster.",
            "",
        ]
    )


def main() -> None:
    rounds: dict[str, list[dict[str, Any]]] = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        found = json.loads(line)
        rounds.setdefault(found.pop("what"), []).append(found)
    RESULTS.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1) + "\n")
    PAGE.write_text(page(rounds, machine()))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
