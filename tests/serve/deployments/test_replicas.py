"""A replica that starts imports what it needs: on few cores, what starts takes from what runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"alembic", "av", "cv2", "fastapi", "kafka", "onnxruntime", "pandas", "scipy", "sqlalchemy"}


def brings(module: str) -> set[str]:
    """Which of the heavy packages a module imports, beyond what Ray Serve does."""
    code = (
        "import sys, ray.serve\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    return set(found.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    ("replica", "needs"),
    [
        ("live", {"av"}),
        ("registry", {"av", "kafka", "onnxruntime", "sqlalchemy"}),
        ("detector", {"av", "onnxruntime"}),
        ("deliverer", {"av", "kafka", "sqlalchemy"}),
        ("reader", {"av", "cv2", "kafka", "onnxruntime", "scipy", "sqlalchemy"}),
    ],
)
def test_a_replica_imports_no_more_than_it_needs(replica: str, needs: set[str]) -> None:
    assert brings(f"serve.deployments.replicas.{replica}") <= needs
