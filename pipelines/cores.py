"""How many CPU cores this process may keep busy."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(limits: Path = CGROUP) -> float:
    """Those that it may run on, or fewer where its container is limited: then also fractions of one."""
    cores = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    try:
        quota, period = limits.read_text().split()
        return max(0.01, min(cores, int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
        return cores
