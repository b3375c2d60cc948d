"""A live ramp on this machine: 2 simulated cameras, 24, and 2 again, with readers that come and go by themselves."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from footfall import Client
from footfall.types import RtspDefinition, StreamBody
from pipelines.models.catalogue import DEFAULT_MODEL
from pipelines.simulator.rtsp.camera_server import CameraServer
from serve.launch.benchmark import default_clip
from serve.launch.service import Service, client
from serve.settings import load

PORT = 8009
FEW, MANY = 2, 24
ANALYSIS_FPS = 2.0
CAPACITY = 0.25
MOST_READERS = 4
STAY_S = 60.0
"""At each height, once the readers stay as many."""
PATIENCE_S = 500.0
SAMPLE_S = 1.0


@dataclass(frozen=True)
class Sample:
    """How it stands at a moment.

    Attributes:
        at_s: since the beginning.
        cameras: that are registered.
        running: of these.
        readers: that are there.
        wanted: CPU cores that all streams want.
        frame_age_s: of the oldest newest frame; None while none runs.
        analysed: frames so far, of the streams that there are.
        skipped: frames for which there was no time, likewise.
    """

    at_s: float
    cameras: int
    running: int
    readers: int
    wanted: float
    frame_age_s: float | None
    analysed: int
    skipped: int


class _Ramp:
    def __init__(self, api: Client) -> None:
        self._api = api
        self._begun_s = time.monotonic()
        self.samples: list[Sample] = []

    def watch(self, until: Callable[[Sample], bool], what: str) -> None:
        """Take a sample a second until one fits, and for a while longer."""
        deadline_s, fits_s = time.monotonic() + PATIENCE_S, None
        while fits_s is None or time.monotonic() - fits_s < STAY_S:
            sample = self._sample()
            self.samples.append(sample)
            if until(sample):
                fits_s = fits_s or time.monotonic()
            elif time.monotonic() > deadline_s:
                raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain for {what}; last: {sample}")
            time.sleep(SAMPLE_S)

    def _sample(self) -> Sample:
        views, readers = list(self._api.streams()), self._api.readers()
        running = [view for view in views if view["state"] == "running"]
        ages = [view["frame_age_s"] for view in running if view["frame_age_s"] is not None]
        return Sample(
            at_s=round(time.monotonic() - self._begun_s, 1),
            cameras=len(views),
            running=len(running),
            readers=len(readers),
            wanted=round(sum(reader["wanted"] for reader in readers), 3),
            frame_age_s=max(ages, default=None),
            analysed=sum(view["analysed"] for view in views),
            skipped=sum(view["skipped"] for view in views),
        )


def measure() -> dict[str, object]:
    """The ramp, sample by sample, and what it comes to."""
    with tempfile.TemporaryDirectory() as folder, CameraServer({"hall": default_clip()}) as server:
        settings = load(
            None,
            data_dir=folder,
            api={"port": PORT},
            detector={"model": DEFAULT_MODEL, "placement": "inline"},
            reader={"max_replicas": MOST_READERS, "capacity": CAPACITY, "cpus": 0.5},
            ray={"dashboard": False},
            log_level="ERROR",
        )
        source: RtspDefinition = {"type": "rtsp", "url": server.url("hall")}
        body: StreamBody = {"source": source, "analysis_fps": ANALYSIS_FPS}
        with Service(settings), client(settings) as api:
            ramp = _Ramp(api)
            for number in range(FEW):
                api.put_stream(f"hall-{number:02d}", body)
            ramp.watch(lambda now: now.running == FEW, "the first cameras")
            for number in range(FEW, MANY):
                api.put_stream(f"hall-{number:02d}", body)
            ramp.watch(lambda now: now.running == MANY and now.readers > 1, "all cameras")
            for number in range(FEW, MANY):
                api.delete_stream(f"hall-{number:02d}")
            ramp.watch(lambda now: now.running == FEW and now.readers == 1, "one reader again")
    return _figures(ramp.samples)


def _figures(samples: list[Sample]) -> dict[str, object]:
    ages = [sample.frame_age_s for sample in samples if sample.frame_age_s is not None]
    readers = f"1 to {MOST_READERS} readers of {CAPACITY} cores"
    most = max(samples, key=lambda sample: sample.readers)
    return {
        "frame_age_p95_s": round(statistics.quantiles(ages, n=20)[-1], 3),
        "readers_most": most.readers,
        "setting": f"{readers}, {ANALYSIS_FPS:g} analysed frames a second and camera",
        "samples": [list(asdict(sample).values()) for sample in samples],
        "columns": list(asdict(samples[0])),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
