"""How one stream is doing, as its reader tells the registry, and the registry tells everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.sources.supervisor import StreamState
from serve.streams.drift_report import DriftReport
from serve.streams.travelling import travels

QUANTILES = 0.5, 0.95, 0.99
"""Of latency, that are told."""


@travels
@dataclass(frozen=True, slots=True)
class StreamStatus:
    """How a stream is right now. Counters begin at zero with every worker.

    Attributes:
        state: of its source.
        since_s: when the state began, seconds since the epoch.
        error: what is wrong, in plain words and without credentials; None while all is well.
        error_code: the same for machines.
        codec: short name; None before the first connection.
        width: of a frame, pixels.
        height: of a frame, pixels.
        fps_in: decoded frames a second over the last seconds.
        fps_processed: analysed frames a second.
        frame_age_s: since the capture of the newest analysed frame; None before the first.
        frames: decoded.
        corrupt: of these, with missing parts.
        reconnects: broken connections.
        analysed: frames.
        skipped: sampled frames that a newer one replaced.
        source_cpu_s: CPU seconds that its frames have cost until they were scaled.
        analysis_cpu_s: CPU seconds that they have cost from there on, as far as that was in the reader.
        spooled: checkpoints that wait on disk for the database.
        rows_lost: minutes that neither database nor disk could keep.
        unsaved_s: how long the database has not taken this stream's rows; zero while it does.
        shard: names what its reader reads once for all of its streams that say the same, such as a topic's partition.
        waited_s: for which decoded frames have waited because those before them were not analysed yet.
        latency_s: of a live stream, from capture to count, over the last minute or two: half of the frames, 95 % and
            99 % of them took no longer; None each while there was none.
        person_s: capture time of the newest frame in which somebody was, seconds since the epoch; until somebody was,
            of the first frame; None before that.
        drift: how its pictures and people compare with its reference; None if nobody watches that.
        reconnects_by: broken connections by what broke them, as in ``error_code``.
        hard_frames_kept: frames in which the detector was unsure, that were kept on disk.
        hard_frames_missed: such frames that should have been kept, and for which the disk was too slow or full.
    """

    state: StreamState
    since_s: float
    error: str | None = None
    error_code: str | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps_in: float = 0.0
    fps_processed: float = 0.0
    frame_age_s: float | None = None
    frames: int = 0
    corrupt: int = 0
    reconnects: int = 0
    analysed: int = 0
    skipped: int = 0
    source_cpu_s: float = 0.0
    analysis_cpu_s: float = 0.0
    spooled: int = 0
    rows_lost: int = 0
    unsaved_s: float = 0.0
    shard: str | None = None
    waited_s: float = 0.0
    latency_s: tuple[float | None, ...] = ()
    person_s: float | None = None
    drift: DriftReport | None = None
    reconnects_by: Mapping[str, int] = field(default_factory=dict)
    hard_frames_kept: int = 0
    hard_frames_missed: int = 0
