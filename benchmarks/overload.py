"""More cameras than there is time for, and nothing to grow into: who gets how many frames, and who says so.

One reader, which finds people on a single thread, and cameras with the default number of frames to be analysed.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from typing import Any

from footfall import Client
from footfall.types import RtspDefinition, StreamAnswer, StreamBody
from pipelines.models.catalogue import DEFAULT_MODEL
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.benchmark import default_clip
from serve.launch.service import Service, client
from serve.settings import load

PORT = 8011
CAMERAS, FEW = 16, 2
SETTLE_S, WATCH_S = 30.0, 60.0
PATIENCE_S = 120.0


def _views(api: Client) -> list[StreamAnswer]:
    return list(api.streams())


def _wait(api: Client, what: str, fits: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(fits(view) for view in _views(api)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain for {what}")
        time.sleep(0.5)


def _watch(api: Client) -> dict[str, Any]:
    """A while of it, looked at once a second."""
    before = {view["id"]: view for view in _views(api)}
    ages: list[float] = []
    begun_s = time.monotonic()
    while (elapsed_s := time.monotonic() - begun_s) < WATCH_S:
        ages.append(max(view["frame_age_s"] or 0.0 for view in _views(api)))
        time.sleep(1.0)
    after = _views(api)
    analysed = [view["analysed"] - before[view["id"]]["analysed"] for view in after]
    skipped = sum(view["skipped"] - before[view["id"]]["skipped"] for view in after)
    half = len(ages) // 2
    return {
        "cameras": len(after),
        "fps": [round(count / elapsed_s, 2) for count in sorted(analysed)],
        "skipped_share": round(skipped / (skipped + sum(analysed)), 3),
        "overloaded": sum(view["error_code"] == "overloaded" for view in after),
        "frame_age_p95_s": round(statistics.quantiles(ages, n=20)[-1], 2),
        "frame_age_p95_s_halves": [
            round(statistics.quantiles(part, n=20)[-1], 2) for part in (ages[:half], ages[half:])
        ],
    }


def measure() -> dict[str, Any]:
    """With too many cameras, and once most of them are gone."""
    with tempfile.TemporaryDirectory() as folder, CameraServer({"hall": default_clip()}) as server:
        settings = load(
            None,
            data_dir=folder,
            api={"port": PORT},
            detector={"model": DEFAULT_MODEL, "placement": "inline", "threads": 1},
            reader={"replicas": 1},
            ray={"dashboard": False},
            log_level="ERROR",
        )
        source: RtspDefinition = {"type": "rtsp", "url": server.url("hall")}
        body: StreamBody = {"source": source}
        with Service(settings), client(settings) as api:
            for number in range(CAMERAS):
                api.put_stream(f"hall-{number:02d}", body)
            _wait(api, "all cameras to run", lambda view: view["state"] == "running")
            time.sleep(SETTLE_S)
            crowded = _watch(api)
            for number in range(FEW, CAMERAS):
                api.delete_stream(f"hall-{number:02d}")
            _wait(api, "the rest to have time again", lambda view: view["error_code"] is None)
            time.sleep(SETTLE_S)
            return {"crowded": crowded, "relieved": _watch(api)}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
