"""What Home Assistant finds, held against its own schemas and templates."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analytics.events import STREAM_STATE
from serve.events.sinks.home_assistant import node_of
from serve.events.sinks.ledger import ENTRY, QUEUE
from tests.integration.sinks.receivers import Listener, Mosquitto
from tests.integration.sinks.test_mqtt import Desk, event
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
VERSION = "2024.3.3"
"""The newest that Python 3.11 runs; what it takes, later ones take, too."""
NODE = node_of("footfall", "main")
CHECK = Path(__file__).with_name("check_discovery.py")


@pytest.fixture(scope="session")
def home_assistant(test_cache: Path) -> str:
    """A Python that has Home Assistant, which wants other versions of nearly everything than we do."""
    folder = test_cache / f"home-assistant-{VERSION}"
    python = folder / "bin" / "python"
    complete = folder / ".complete"
    if not complete.is_file():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        wanted = [f"homeassistant=={VERSION}", "paho-mqtt<2"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *wanted], check=True, timeout=300)
        complete.touch()
    return str(python)


def test_doors_and_rooms_appear_by_themselves(mosquitto: Mosquitto, home_assistant: str) -> None:
    listener = Listener(mosquitto.port, "#")

    async def send() -> None:
        desk = Desk(mosquitto)
        state = {"state": "running", "before": None, "error": None, "error_code": None}
        events = [event(1, STREAM_STATE, "", **state), event(2), event(3)]
        events += [event(4, ENTRY, "till", zone="till", track=7)]
        events += [event(5, QUEUE, "till", zone="till", over=True, people=5)]
        assert (await desk.send(*events)).done == 5
        wait_until(lambda: len(listener.last()) == 11, 10, "everything that is retained")
        await desk.sink.close()

    asyncio.run(send())
    retained = listener.last()
    listener.close()
    retained["footfall/status"] = "online"
    given = {
        "configurations": {
            topic: json.loads(text) for topic, text in retained.items() if topic.startswith("homeassistant/")
        },
        "retained": retained,
    }
    done = subprocess.run(
        [home_assistant, str(CHECK)], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert {name.removeprefix(f"{NODE}_shop_"): one["state"] for name, one in found.items()} == {
        "connected": "ON",
        "line_door_in": "2",
        "line_door_out": "0",
        "zone_till_people": "1",
        "zone_till_entries": "1",
        "zone_till_queue": "ON",
        "zone_till_full": "OFF",
    }
    assert all(one["unknown"] == [] for one in found.values())
    assert all(set(one["available"]) == {"online"} for one in found.values())
