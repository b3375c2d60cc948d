"""A machine's clock that is set wrong, and right again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.chaos.deployed import Deployed
from tests.integration.chaos.load import Load
from tests.integration.clocks.conftest import MachineClock
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
WRONG_S = 15.0
STEP_S = 2.0
"""More than a camera misses by two steps of the clock: the frames whose time is in doubt, with all tracks."""
DEPLOYMENTS = ("Api", "Deliverer", "Live", "Registry", "StreamReader")


@pytest.mark.parametrize(
    ("error_s", "what"), [(3600, "the clock is set an hour ahead"), (-600, "the clock is set ten minutes back")]
)
def test_a_wrong_clock_misdates_the_time_while_it_is_wrong_and_nothing_behind_it(
    clock: MachineClock, deployed: Deployed, load: Load, truth: dict[str, Any], error_s: int, what: str
) -> None:
    before, pids = load.places(), {name: deployed.pids(name) for name in DEPLOYMENTS}
    set_s = time.time()
    window = {"start": str(int(set_s) + error_s - 60), "end": str(int(set_s) + error_s + 180)}

    def misdated_s() -> float:
        return min(float(load.api.heatmap(name, **window)["covered_s"]) for name in load.cameras)

    clock.be_off_s(error_s)
    try:
        wait_until(lambda: misdated_s() > WRONG_S, 60, f"{WRONG_S:.0f} s to be counted at another time", every_s=0.5)
    finally:
        clock.be_off_s(0)
    right_s = time.time()
    load.wait_progress()
    assert misdated_s() < right_s - set_s + STEP_S
    load.check_topics(truth)
    load.check_stayed(before)
    assert {name: deployed.pids(name) for name in DEPLOYMENTS} == pids
    load.check_cameras(STEP_S, set(load.cameras), what=f"{what} for {WRONG_S:.0f} s", undated=load.cameras)
