"""All parts and the peer in turn, several rounds, the table that the docs include, and all figures as measured.

Usage: compare.py [VIDEO ...] [--rounds N] [--out FILE]; without a video, a simulated one. Run by ``benchmarks/run``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pipelines.models.catalogue import DEFAULT_MODEL, resolve
from serve.launch.benchmark import (
    Measurement,
    Row,
    default_clip,
    measure_analyze,
    measure_limit,
    measure_service,
    summarise,
)

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "throughput.json"
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PORT = 8009
NAMES = {
    "limit": "limit: decode, scale and model alone, a process per core",
    "analyze": "`footfall analyze`",
    "service": "the service: Ray, database, API, four recordings at once",
    "peer": "single-file script: OpenCV, ONNX Runtime, supervision",
    "peer without heatmap": "the same without its heatmap",
}


def measure_peer(model: Path, video: Path, *options: str) -> Measurement:
    command = [str(PEER_PYTHON), str(ROOT / "benchmarks" / "peer_script.py"), str(model), str(video), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return Measurement("peer without heatmap" if options else "peer", result["frames"], result["seconds"])


def one_round(video: Path) -> list[Measurement]:
    model = resolve(DEFAULT_MODEL)
    parts = (
        lambda: measure_limit(DEFAULT_MODEL, video),
        lambda: measure_analyze(DEFAULT_MODEL, video),
        lambda: measure_service(DEFAULT_MODEL, video, PORT),
        lambda: measure_peer(model, video),
        lambda: measure_peer(model, video, "--no-heatmap"),
    )
    found = []
    for part in parts:
        found.append(part())
        print(f"  {found[-1].part}: {found[-1].fps:.1f} frames/s", file=sys.stderr, flush=True)
    return found


def table(title: str, rows: list[Row]) -> str:
    lines = [f"### {title}", "", "| what | frames/s, median (range) | of the limit |", "| --- | ---: | ---: |"]
    lines += [
        f"| {NAMES[row.part]} | {row.fps:.1f} ({row.slowest:.1f} - {row.fastest:.1f}) | {row.of_limit:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())
    return f"{os.cpu_count()} cores of {cpu}"


def page(tables: list[str], rounds: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "av", "numpy"))
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; do not edit. Every round measures all parts one after the other, and ratios are",
            f"taken within a round. {rounds} rounds on {machine()}, CPU only, Python",
            f"{platform.python_version()}, {versions}, model {DEFAULT_MODEL} (int8, 416x320).",
            "",
            "\n\n".join(tables),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    tables, measured = [], {}
    for video in arguments.videos or [default_clip()]:
        title = f"{video.parent.name}/{video.name}" if arguments.videos else "Simulated people, 640x360"
        rounds = []
        for number in range(arguments.rounds):
            print(f"{title}, round {number + 1}", file=sys.stderr, flush=True)
            rounds.append(one_round(video))
        tables.append(table(title, summarise(rounds)))
        measured[title] = [{part.part: round(part.fps, 2) for part in parts} for parts in rounds]
    results = {"machine": machine(), "unit": "frames/s", "rounds": measured}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    arguments.out.write_text(page(tables, arguments.rounds))
    print(arguments.out.read_text())


if __name__ == "__main__":
    main()
