"""The table of docs/chaos.md, of what the chaos suite wrote down, now and before. Usage: chaos_table.py LINES [COMMIT].

A round takes half an hour, so rounds are kept, the newest ten of each line, with the commit that they were of.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.compare import machine

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "chaos.json"
PAGE = ROOT / "docs" / "chaos.md"
KEPT = 10


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
            "coverage; where all were hit, beside the one that missed least. Before d13b952, when each began to",
            "be counted was known to about half a second only; since then, to two tenths.",
            "",
            *_rounds(rounds),
            "",
            "| what | times | topic: frames lost | of four cameras moved | gap of a camera, s: median | worst |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            f"On {where}, which run everything: cameras, broker, database, cluster.",
            "",
        ]
    )


def _rounds(rounds: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Which commits they are of, the newest last."""
    most: dict[str, int] = {}
    for found in rounds.values():
        for commit, times in Counter(one["commit"] for one in found).items():
            most[commit] = max(times, most.get(commit, 0))
    told = ", ".join(f"{times} of {commit}" for commit, times in most.items())
    return [f"Rounds, the oldest first, by the commit that they were of: {told}."]


def _merged(before: dict[str, list[dict[str, Any]]], lines: list[str], commit: str) -> dict[str, list[dict[str, Any]]]:
    """What was kept and what is new; what the suite does not do any more is left out."""
    new: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found = json.loads(line)
        new.setdefault(found.pop("what"), []).append({**found, "commit": commit})
    return {what: [*before.get(what, []), *found][-KEPT:] for what, found in new.items()}


def _commit() -> str:
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    commit = sys.argv[2] if len(sys.argv) > 2 else _commit()
    before = json.loads(RESULTS.read_text())["rounds"] if RESULTS.is_file() else {}
    rounds = _merged(before, Path(sys.argv[1]).read_text().splitlines(), commit)
    RESULTS.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1) + "\n")
    PAGE.write_text(page(rounds, machine()))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
