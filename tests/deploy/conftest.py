"""What `kubectl apply -k` would send."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Document = dict[str, Any]
Render = Callable[[Path], list[Document]]


@pytest.fixture(scope="session")
def render() -> Render:
    """The documents of a folder with a kustomization; without kubectl or kustomize skipped, but a failure in CI."""
    ours = shutil.which("kustomize", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if ours is not None:
        command = [ours, "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    else:
        reason = "neither kustomize nor kubectl (1.30 or newer) is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def rendered(folder: Path) -> list[Document]:
        ran = subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return list(yaml.safe_load_all(ran.stdout))

    return rendered
