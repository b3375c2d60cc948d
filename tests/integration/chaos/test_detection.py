"""Models that are exchanged under load, where readers detect by themselves; nobody is restarted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
EXCHANGES = 3


def check_another_model(
    deployment: str, deployed: Deployed, load: Load, truth: dict[str, Any], model: Path, folder: Path
) -> None:
    """It finds the same people, so every count is as if nothing had been done."""
    before, pids = load.places(), deployed.pids(deployment)
    for number in range(EXCHANGES):
        deployed.use_model(Path(shutil.copy(model, folder / f"model-{number}.onnx")), deployment)
        load.wait_progress(5)
        deployed.wait_replicas(deployment, lambda now: now == pids, f"the same replicas of {deployment}")
    load.wait_progress()
    load.check_topics(truth)
    load.check_stayed(before)
    assert deployed.pids(deployment) == pids
    load.check_cameras(what=f"another model takes over, three times, in {deployment}")


def test_another_model_takes_over_in_the_readers_and_no_frame_is_lost(
    deployed: Deployed, load: Load, truth: dict[str, Any], model_path: Path, tmp_path: Path
) -> None:
    check_another_model("StreamReader", deployed, load, truth, model_path, tmp_path)
