"""Two-stage association after ByteTrack (Zhang et al.: Multi-Object Tracking by Associating Every Detection Box, 2022).

Confident detections are matched first, with everybody who is present or was recently lost; what is left of the tracks
is then matched with the doubtful detections, which are mostly people half hidden. Only confident detections found new
tracks. All of it works on arrays: the cost of a frame does not grow with Python loops over people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.boxes import grown, pairwise_iou
from pipelines.tracking.kalman import BoxStates, MotionModel
from pipelines.tracking.matching import assign
from pipelines.types import BoolArray, Detections, Float32Array, Float64Array, Int64Array, Tracks

FORMAT = "bytetrack-1"


@dataclass(frozen=True, slots=True)
class ByteTrackSettings:
    """Thresholds of the tracker.

    Attributes:
        start_score: a detection from here on may found a track.
        high_score: from here on it takes part in the first stage.
        low_score: from here on it may continue a track in the second stage.
        first_overlap: least overlap of widened boxes in the first stage.
        second_overlap: least overlap in the second stage.
        widening: share of its size by which a box is grown on each side before overlaps are taken.
        confirm_hits: observations that make a track; fewer are noise and never counted.
        keep_lost_s: how long a confirmed track waits for its person to come back into sight.
        max_tracks: bound on memory; the longest unseen are given up first.
        motion: of the Kalman filter.
    """

    start_score: float = 0.55
    high_score: float = 0.5
    low_score: float = 0.3
    first_overlap: float = 0.25
    second_overlap: float = 0.4
    widening: float = 0.3
    confirm_hits: int = 2
    keep_lost_s: float = 2.0
    max_tracks: int = 1000
    motion: MotionModel = field(default_factory=MotionModel)


class ByteTracker:
    """Tracks of one stream; see `pipelines.tracking.base.Tracker`."""

    def __init__(self, settings: ByteTrackSettings | None = None) -> None:
        self._settings = settings or ByteTrackSettings()
        self._time_s: float | None = None
        self._next_id = 1
        # One row a track, in the order of their ids.
        self._states = BoxStates.empty()
        self._ids: Int64Array = np.zeros(0, np.int64)
        self._hits: Int64Array = np.zeros(0, np.int64)
        self._seen_s: Float64Array = np.zeros(0)
        self._present: BoolArray = np.zeros(0, bool)
        self._boxes: Float32Array = np.zeros((0, 4), np.float32)
        self._scores: Float32Array = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def update(self, detections: Detections, time_s: float, *, discontinuity: bool = False) -> Tracks:
        first_frame = self._time_s is None
        interval_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        # A gap of no length is a clock that was set back: how long it really took, nobody knows.
        gone = self._give_up(time_s, everybody=discontinuity and interval_s <= 0.0)
        self._states.predict(interval_s, self._settings.motion)

        rows, columns = self._associate(detections)
        self._continue(rows, detections, columns, time_s)
        free = np.ones(len(detections), bool)
        free[columns] = False
        founders = np.flatnonzero(free & (detections.scores >= self._settings.start_score))
        # Whoever stands there when the stream begins needs no second look: ByteTrack does the same.
        self._found(detections, founders, time_s, hits=self._settings.confirm_hits if first_frame else 1)
        gone = np.concatenate([gone, self._bound_memory()])

        seen = self._present & self._confirmed()
        return Tracks(self._ids[seen], self._boxes[seen], self._scores[seen], gone)

    def _confirmed(self) -> BoolArray:
        return self._hits >= self._settings.confirm_hits

    def _associate(self, detections: Detections) -> tuple[Int64Array, Int64Array]:
        """Pairs of track rows and detection columns over the stages; nothing is changed."""
        settings, scores = self._settings, detections.scores
        # Overlaps of grown boxes still tell neighbours apart when people have moved further than their own width
        # between two frames (Yang et al.: Hard to Track Objects with Irregular Motions and Similar Appearances, 2023).
        overlap = pairwise_iou(
            grown(self._states.boxes(), settings.widening),
            grown(detections.boxes.astype(np.float64), settings.widening),
        )
        confirmed = self._confirmed()
        high = scores >= settings.high_score
        low = ~high & (scores >= settings.low_score)
        stages = (
            (confirmed, high, settings.first_overlap),
            (confirmed & self._present, low, settings.second_overlap),
            (~confirmed, high, settings.first_overlap),
        )
        free_rows, free_columns = np.ones(len(self), bool), np.ones(len(scores), bool)
        pairs = []
        for row_mask, column_mask, least in stages:
            rows, columns = np.flatnonzero(row_mask & free_rows), np.flatnonzero(column_mask & free_columns)
            picked_rows, picked_columns = assign(overlap[np.ix_(rows, columns)], least)
            pairs.append((rows[picked_rows], columns[picked_columns]))
            free_rows[pairs[-1][0]] = False
            free_columns[pairs[-1][1]] = False
        return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])

    def _continue(self, rows: Int64Array, detections: Detections, columns: Int64Array, time_s: float) -> None:
        """Take the matched detections into their tracks, and forget tracks that were seen once and never again."""
        self._states.correct(rows, detections.boxes[columns], self._settings.motion)
        self._hits[rows] += 1
        self._seen_s[rows] = time_s
        self._boxes[rows] = detections.boxes[columns]
        self._scores[rows] = detections.scores[columns]
        self._present[:] = False
        self._present[rows] = True
        self._keep(self._present | self._confirmed())

    def _found(self, detections: Detections, columns: Int64Array, time_s: float, hits: int) -> None:
        """Start a track for each detection in ``columns``."""
        count = len(columns)
        self._states = self._states.append(BoxStates.start(detections.boxes[columns], self._settings.motion))
        self._ids = np.concatenate([self._ids, np.arange(self._next_id, self._next_id + count)])
        self._next_id += count
        self._hits = np.concatenate([self._hits, np.full(count, hits)])
        self._seen_s = np.concatenate([self._seen_s, np.full(count, time_s)])
        self._present = np.concatenate([self._present, np.ones(count, bool)])
        self._boxes = np.concatenate([self._boxes, detections.boxes[columns]])
        self._scores = np.concatenate([self._scores, detections.scores[columns]])

    def _give_up(self, time_s: float, *, everybody: bool) -> Int64Array:
        """Drop tracks unseen for too long; returns their ids if they were confirmed."""
        lost = np.full(len(self), everybody) | (time_s - self._seen_s > self._settings.keep_lost_s)
        gone = self._ids[lost & self._confirmed()]
        self._keep(~lost)
        return gone

    def _bound_memory(self) -> Int64Array:
        """Keep the newest ``max_tracks`` by last sight; returns the confirmed ids that had to go."""
        excess = len(self) - self._settings.max_tracks
        if excess <= 0:
            return np.zeros(0, np.int64)
        lost = np.zeros(len(self), bool)
        lost[np.argsort(self._seen_s, kind="stable")[:excess]] = True
        gone = self._ids[lost & self._confirmed()]
        self._keep(~lost)
        return gone

    def _keep(self, rows: BoolArray) -> None:
        if rows.all():
            return
        self._states = self._states.take(rows)
        self._ids, self._hits, self._seen_s = self._ids[rows], self._hits[rows], self._seen_s[rows]
        self._present, self._boxes, self._scores = self._present[rows], self._boxes[rows], self._scores[rows]

    def snapshot(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "time_s": self._time_s,
            "next_id": self._next_id,
            "ids": self._ids.tolist(),
            "hits": self._hits.tolist(),
            "seen_s": self._seen_s.tolist(),
            "present": self._present.tolist(),
            "boxes": self._boxes.tolist(),
            "scores": self._scores.tolist(),
            "position": self._states.position.tolist(),
            "velocity": self._states.velocity.tolist(),
            "covariance": self._states.covariance.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        if state.get("format") != FORMAT:
            raise ValueError(f"a tracker state of format {FORMAT} is needed, found {state.get('format')!r}")
        self._time_s, self._next_id = state["time_s"], int(state["next_id"])
        count = len(state["ids"])
        self._ids = np.array(state["ids"], np.int64)
        self._hits = np.array(state["hits"], np.int64)
        self._seen_s = np.array(state["seen_s"], np.float64)
        self._present = np.array(state["present"], bool)
        self._boxes = np.array(state["boxes"], np.float32).reshape(count, 4)
        self._scores = np.array(state["scores"], np.float32)
        self._states = BoxStates(
            np.array(state["position"], np.float64).reshape(count, 4),
            np.array(state["velocity"], np.float64).reshape(count, 4),
            np.array(state["covariance"], np.float64).reshape(count, 4, 3),
        )
