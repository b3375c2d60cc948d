"""Tracking accuracy against ground truth: CLEAR MOT, identity F1 and HOTA.

Definitions are those of the papers: MOTA (Bernardin and Stiefelhagen, 2008), IDF1 (Ristani et al., 2016), HOTA (Luiten
et al., 2020). Files follow the MOT challenge: ``frame,id,x,y,w,h,conf,class,vis``, frames from 1, pixels; rows of
ground truth with ``conf`` 0 are areas to ignore, and a result that overlaps such a row is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from pipelines.boxes import pairwise_iou

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrackTable:
    """Boxes of many frames: ``frames`` int ``[N]``, ``ids`` int ``[N]``, ``boxes`` ``[N, 4]`` as x, y, w, h pixels."""

    frames: IntArray
    ids: IntArray
    boxes: FloatArray

    @staticmethod
    def read(path: Path) -> tuple[TrackTable, TrackTable]:
        """The counted and the ignored rows of a MOT file.

        Raises:
            ValueError: the file is no MOT file.
        """
        try:
            lines = [line for line in path.read_text().splitlines() if line.strip()]
            rows = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.zeros((0, 7))
        except ValueError as error:
            raise ValueError(f"{path} is not a MOT file of comma-separated numbers: {error}") from error
        if rows.shape[1] < 6:
            raise ValueError(f"{path} has {rows.shape[1]} columns, a MOT file has at least 6")
        counted = rows[:, 6] != 0 if rows.shape[1] > 6 else np.ones(len(rows), bool)
        first, second = (
            TrackTable(r[:, 0].astype(np.int64), r[:, 1].astype(np.int64), r[:, 2:6])
            for r in (rows[counted], rows[~counted])
        )
        return first, second

    def only(self, mask: npt.NDArray[np.bool_]) -> TrackTable:
        return TrackTable(self.frames[mask], self.ids[mask], self.boxes[mask])

    def only_frames(self, frames: Collection[int]) -> TrackTable:
        return self.only(np.isin(self.frames, list(frames)))


@dataclass(frozen=True, slots=True)
class TrackingScores:
    """All shares in [0, 1] except MOTA, which can be negative."""

    mota: float
    idf1: float
    hota: float
    precision: float
    recall: float
    id_switches: int
    false_positives: int
    misses: int
    truth_boxes: int


def score(truth: TrackTable, result: TrackTable, ignored: TrackTable | None = None) -> TrackingScores:
    """Score a result against the truth.

    Args:
        truth: the counted rows of the ground truth.
        result: what the tracker wrote.
        ignored: areas where results are not judged.
    """
    if ignored is not None and len(ignored.frames):
        result = _outside_ignored(truth, result, ignored)
    frames = list(_frames(truth, result))
    misses, false_positives, switches, matches = _clear(frames)
    total = len(truth.frames)
    return TrackingScores(
        mota=1 - (misses + false_positives + switches) / max(total, 1),
        idf1=_idf1(frames, total, len(result.frames)),
        hota=_hota(frames, total, len(result.frames)),
        precision=matches / max(matches + false_positives, 1),
        recall=matches / max(total, 1),
        id_switches=switches,
        false_positives=false_positives,
        misses=misses,
        truth_boxes=total,
    )


@dataclass(frozen=True, slots=True)
class _FramePair:
    truth_ids: IntArray
    result_ids: IntArray
    iou: FloatArray  # [truth, result]


def _frames(truth: TrackTable, result: TrackTable) -> Iterator[_FramePair]:
    """Per frame, ids as 0-based indices of their side and the overlaps between the sides."""
    truth_index = np.unique(truth.ids, return_inverse=True)[1]
    result_index = np.unique(result.ids, return_inverse=True)[1]
    for frame in np.union1d(truth.frames, result.frames):
        t, r = truth.frames == frame, result.frames == frame
        yield _FramePair(truth_index[t], result_index[r], _iou(truth.boxes[t], result.boxes[r]))


def _iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU of x, y, w, h boxes, ``[N, M]``."""
    return pairwise_iou(_corners(a), _corners(b))


def _corners(boxes: FloatArray) -> FloatArray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _match(similarity: FloatArray, threshold: float) -> tuple[IntArray, IntArray]:
    rows, columns = linear_sum_assignment(-similarity)
    good = similarity[rows, columns] >= threshold
    return rows[good], columns[good]


def _outside_ignored(truth: TrackTable, result: TrackTable, ignored: TrackTable) -> TrackTable:
    """Drop results that match an ignored box better than any counted one."""
    keep = np.ones(len(result.frames), bool)
    for frame in np.unique(ignored.frames):
        r = np.flatnonzero(result.frames == frame)
        if not len(r):
            continue
        counted, areas = truth.boxes[truth.frames == frame], ignored.boxes[ignored.frames == frame]
        overlap = _iou(np.concatenate([counted, areas]), result.boxes[r])
        rows, columns = _match(np.where(overlap >= 0.5, overlap, 0.0), 0.5)
        keep[r[columns[rows >= len(counted)]]] = False
    return result.only(keep)


def _clear(frames: list[_FramePair], threshold: float = 0.5) -> tuple[int, int, int, int]:
    """Misses, false positives, identity switches and matches.

    A pair of the frame before is kept before others are made; a switch is judged against a person's last pair, however
    long ago.
    """
    last: dict[int, int] = {}
    running: dict[int, int] = {}
    misses = false_positives = switches = matches = 0
    for pair in frames:
        kept = np.array([[running.get(int(t)) == int(r) for r in pair.result_ids] for t in pair.truth_ids], bool)
        kept = kept.reshape(pair.iou.shape)
        weighted = np.where(pair.iou >= threshold, pair.iou + 1000 * kept, 0.0)
        rows, columns = _match(weighted, threshold)
        for row, column in zip(rows, columns, strict=True):
            t, r = int(pair.truth_ids[row]), int(pair.result_ids[column])
            switches += last.get(t, r) != r
            last[t] = r
        if kept.size:  # a frame without truth or without results ends no pair
            running = {int(t): int(r) for t, r in zip(pair.truth_ids[rows], pair.result_ids[columns], strict=True)}
        matches += len(rows)
        misses += len(pair.truth_ids) - len(rows)
        false_positives += len(pair.result_ids) - len(rows)
    return misses, false_positives, switches, matches


def _idf1(frames: list[_FramePair], truth_boxes: int, result_boxes: int, threshold: float = 0.5) -> float:
    """Share of boxes that one global pairing of identities explains."""
    if not truth_boxes or not result_boxes:
        return 0.0
    common = _pair_counts(frames, threshold)
    rows, columns = linear_sum_assignment(-common)
    return float(2 * common[rows, columns].sum() / (truth_boxes + result_boxes))


def _pair_counts(frames: list[_FramePair], threshold: float) -> FloatArray:
    counts = np.zeros(_sizes(frames))
    for pair in frames:
        rows, columns = np.nonzero(pair.iou >= threshold)
        counts[pair.truth_ids[rows], pair.result_ids[columns]] += 1
    return counts


def _sizes(frames: list[_FramePair]) -> tuple[int, int]:
    truth = max((int(p.truth_ids.max()) + 1 for p in frames if len(p.truth_ids)), default=0)
    result = max((int(p.result_ids.max()) + 1 for p in frames if len(p.result_ids)), default=0)
    return truth, result


def _hota(frames: list[_FramePair], truth_boxes: int, result_boxes: int) -> float:
    """Mean over thresholds 0.05 to 0.95 of the root of detection times association accuracy."""
    if not truth_boxes or not result_boxes:
        return 0.0
    truth_count, result_count = np.zeros(_sizes(frames)[0]), np.zeros(_sizes(frames)[1])
    potential = np.zeros(_sizes(frames))
    for pair in frames:
        truth_count[pair.truth_ids] += 1
        result_count[pair.result_ids] += 1
        normaliser = pair.iou.sum(0)[None] + pair.iou.sum(1)[:, None] - pair.iou
        share = np.divide(pair.iou, normaliser, out=np.zeros_like(pair.iou), where=normaliser > 1e-9)
        potential[np.ix_(pair.truth_ids, pair.result_ids)] += share
    alignment = potential / np.maximum(truth_count[:, None] + result_count[None] - potential, 1e-9)
    alphas = np.arange(0.05, 0.99, 0.05)
    matched = np.zeros((len(alphas), *potential.shape))
    for pair in frames:
        rows, columns = linear_sum_assignment(-(alignment[np.ix_(pair.truth_ids, pair.result_ids)] * pair.iou))
        for index, alpha in enumerate(alphas):
            good = pair.iou[rows, columns] >= alpha - 1e-12
            matched[index, pair.truth_ids[rows[good]], pair.result_ids[columns[good]]] += 1
    scores = []
    for counts in matched:
        found = counts.sum()
        detection = found / max(truth_boxes + result_boxes - found, 1)
        union = np.maximum(truth_count[:, None] + result_count[None] - counts, 1)
        association = (counts * counts / union).sum() / max(found, 1)
        scores.append(np.sqrt(detection * association))
    return float(np.mean(scores))
