"""What the processes of a service hold, as the kernel counts it."""

from __future__ import annotations

import os
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = ("Api", "Deliverer", "Detector", "Live", "Registry", "StreamReader")
_REPLICA = re.compile(r"ray::ServeReplica:[^:]+:(\w+)")
_RAYS = {
    "gcs_server": "gcs",
    "raylet/raylet": "raylet",
    "ray::ServeController": "controller",
    "ray::ProxyActor": "proxy",
    "dashboard": "dashboard and agents",
    "Dashboard": "dashboard and agents",
}


@dataclass(frozen=True, slots=True)
class Held:
    """What one process holds.

    Attributes:
        name: of the part: a deployment, or a part of Ray.
        threads: number.
        fds: open descriptors.
        rss_mb: resident memory.
        private_mb: of it, what nobody shares.
        shared_mb: shared memory (``/dev/shm``) that it has mapped and touched.
    """

    name: str
    threads: int
    fds: int
    rss_mb: float
    private_mb: float
    shared_mb: float


def held_by(root: int) -> dict[int, Held]:
    """Of every process under ``root``, by process id; those that end meanwhile are left out."""
    found = {}
    for pid in descendants(root):
        try:
            found[pid] = _held(pid)
        except (OSError, StopIteration):
            continue
    return found


def _held(pid: int) -> Held:
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    rollup = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
    private = sum(_mb(rollup[kind]) for kind in ("Private_Clean", "Private_Dirty"))
    fds = len(os.listdir(folder / "fd"))  # noqa: PTH208
    return Held(
        name_of(command_line(pid)),
        int(status["Threads"]),
        fds,
        _mb(status["VmRSS"]),
        private,
        _mb(status.get("RssShmem", "0 kB")),
    )


def command_line(pid: int) -> str:
    """How a process calls itself; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _mb(text: str) -> float:
    return int(text.split()[0]) / 1024


def name_of(command_line: str) -> str:
    """The part of the service that a process is."""
    replica = _REPLICA.match(command_line)
    if replica is not None:
        return replica[1]
    return next((name for mark, name in _RAYS.items() if mark in command_line), "other parts of Ray")


def descendants(root: int) -> list[int]:
    """Processes that a process started, and those that they did."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children[parent].append(int(entry.name))
    found, open_ends = [], [root]
    while open_ends:
        found += children[open_ends[-1]]
        open_ends += children[open_ends.pop()]
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil-Sen: the median of the slopes of all pairs, which single outliers do not move; 0 for fewer than two."""
    slopes = [
        (y - earlier_y) / (x - earlier_x)
        for index, (x, y) in enumerate(points)
        for earlier_x, earlier_y in points[:index]
        if x != earlier_x
    ]
    return statistics.median(slopes) if slopes else 0.0


def least(samples: Iterable[dict[int, Held]], figure: str) -> dict[str, float]:
    """The smallest value of a figure in some samples taken at rest, summed up over each part's processes."""
    smallest: dict[str, float] = {}
    for sample in samples:
        sums: dict[str, float] = defaultdict(float)
        for held in sample.values():
            sums[held.name] += getattr(held, figure)
        for name, value in sums.items():
            smallest[name] = min(value, smallest.get(name, value))
    return smallest
