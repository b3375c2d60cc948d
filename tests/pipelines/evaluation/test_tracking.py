"""Tracking scores: cases that can be worked out by hand, and one that TrackEval 1.3.0 scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluation.tracking import TrackTable, score


def table(*rows: tuple[int, int, float, float, float, float]) -> TrackTable:
    values = np.array(rows, np.float64).reshape(-1, 6)
    return TrackTable(values[:, 0].astype(np.int64), values[:, 1].astype(np.int64), values[:, 2:])


def standing(track: int, frames: range, x: float = 0.0) -> list[tuple[int, int, float, float, float, float]]:
    return [(frame, track, x, 0.0, 10.0, 20.0) for frame in frames]


def test_a_perfect_result_scores_one_in_everything() -> None:
    truth = table(*standing(1, range(1, 11)), *standing(2, range(3, 9), x=50))
    result = table(*standing(7, range(1, 11)), *standing(9, range(3, 9), x=50))
    perfect = score(truth, result)
    assert (perfect.mota, perfect.idf1, perfect.precision, perfect.recall) == (1.0, 1.0, 1.0, 1.0)
    assert perfect.hota == pytest.approx(1.0)
    assert (perfect.id_switches, perfect.false_positives, perfect.misses, perfect.truth_boxes) == (0, 0, 0, 16)


def test_a_change_of_id_half_way_is_one_switch_and_half_an_identity() -> None:
    truth = table(*standing(1, range(1, 11)))
    result = table(*standing(1, range(1, 6)), *standing(2, range(6, 11)))
    scores = score(truth, result)
    assert scores.id_switches == 1
    assert scores.mota == pytest.approx(1 - 1 / 10)
    assert scores.idf1 == pytest.approx(2 * 5 / 20)
    # Detection is perfect; each half associates 5 of the 10 boxes: the root of 5 / 10.
    assert scores.hota == pytest.approx(np.sqrt(0.5))


def test_misses_and_false_positives_are_told_apart() -> None:
    truth = table(*standing(1, range(1, 11)))
    result = table(*standing(1, range(1, 9)), *standing(2, range(1, 4), x=100))
    scores = score(truth, result)
    assert (scores.misses, scores.false_positives) == (2, 3)
    assert scores.mota == pytest.approx(1 - 5 / 10)
    assert scores.precision == pytest.approx(8 / 11)
    assert scores.recall == pytest.approx(8 / 10)
    assert scores.idf1 == pytest.approx(2 * 8 / (10 + 11))


def test_a_switch_after_a_pause_counts_too() -> None:
    truth = table(*standing(1, range(1, 11)))
    result = table(*standing(1, range(1, 4)), *standing(2, range(8, 11)))
    assert score(truth, result).id_switches == 1


def test_a_running_pair_is_kept_while_it_still_overlaps() -> None:
    truth = table((1, 1, 0, 0, 10, 10), (2, 1, 0, 0, 10, 10))
    result = table((1, 5, 0, 0, 10, 10), (2, 5, 3, 0, 10, 10), (2, 6, 0, 0, 10, 10))
    scores = score(truth, result)
    assert (scores.id_switches, scores.false_positives) == (0, 1)


def test_a_box_that_overlaps_by_less_than_half_is_wrong_twice() -> None:
    truth, result = table((1, 1, 0, 0, 10, 10)), table((1, 1, 4, 0, 10, 10))  # IoU 6 / 14
    scores = score(truth, result)
    assert (scores.misses, scores.false_positives) == (1, 1)
    assert scores.mota == -1.0
    # 8 of the 19 thresholds lie below 6 / 14.
    assert scores.hota == pytest.approx(8 / 19)


def test_results_in_ignored_areas_are_neither_right_nor_wrong() -> None:
    truth = table(*standing(1, range(1, 11)))
    ignored = table(*standing(9, range(1, 11), x=200))
    result = table(*standing(1, range(1, 11)), *standing(2, range(1, 11), x=201))
    assert score(truth, result).false_positives == 10
    assert score(truth, result, ignored).mota == 1.0


def test_nothing_found_and_nothing_there_have_scores_too() -> None:
    truth, nothing = table(*standing(1, range(1, 11))), table()
    assert (score(truth, nothing).mota, score(truth, nothing).idf1, score(truth, nothing).hota) == (0.0, 0.0, 0.0)
    assert score(nothing, truth).false_positives == 10
    assert score(nothing, nothing).mota == 1.0


def noisy_case() -> tuple[TrackTable, TrackTable, TrackTable]:
    """Five people and an ignored area for 60 frames, found with tremble, gaps, swaps of ids and ghosts."""
    rng = np.random.default_rng(2026)
    truth, result, ignored = [], [], []
    ids = {person: person for person in range(1, 6)}
    for frame in range(1, 61):
        if frame in (15, 40):
            ids[1], ids[2] = ids[2], ids[1]
        if frame == 30:
            ids[3] = 33
        for person in ids:
            x, y = 20.0 * person + frame * (1.5 if person % 2 else -0.5), 10.0 + 3 * person
            truth.append((frame, person, x, y, 18.0, 40.0))
            if rng.random() > 0.12:
                dx, dy, dw, dh = np.round(rng.normal(0, 2.2, 4), 2)
                result.append((frame, ids[person], x + dx, y + dy, 18.0 + dw, 40.0 + dh))
        if rng.random() < 0.2:
            result.append((frame, 90 + frame % 3, 300.0 + frame, 50.0, 20.0, 40.0))
        ignored.append((frame, 100, 500.0, 50.0, 30.0, 60.0))
        if frame % 2:
            result.append((frame, 70, 502.0, 52.0, 30.0, 60.0))
    return table(*truth), table(*result), table(*ignored)


def write(path: Path, counted: TrackTable, ignored: TrackTable | None = None) -> Path:
    parts = [(counted, 1)] + ([(ignored, 0)] if ignored is not None else [])
    with path.open("w") as file:
        for part, confidence in parts:
            for frame, track, box in zip(part.frames, part.ids, part.boxes, strict=True):
                file.write(f"{frame},{track},{','.join(f'{v:.4f}' for v in box)},{confidence},1,1\n")
    return path


def test_a_mot_file_is_read_with_its_ignored_rows_apart(tmp_path: Path) -> None:
    truth, _, ignored = noisy_case()
    counted, apart = TrackTable.read(write(tmp_path / "gt.txt", truth, ignored))
    assert counted.boxes == pytest.approx(truth.boxes)
    assert counted.ids.tolist() == truth.ids.tolist()
    assert len(apart.frames) == 60
    assert len(counted.only_frames({1, 2}).frames) == 10


@pytest.mark.parametrize(("content", "reason"), [("1,2,3\n", "at least 6"), ("a,b,c,d,e,f\n", "not a MOT file")])
def test_what_is_no_mot_file_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "x.txt").write_text(content)
    with pytest.raises(ValueError, match=reason):
        TrackTable.read(tmp_path / "x.txt")


def test_a_file_of_two_numbers_more_or_less_is_read_and_an_empty_one_too(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("1,2,3,4,5,6\n")
    assert len(TrackTable.read(tmp_path / "short.txt")[0].frames) == 1
    (tmp_path / "empty.txt").write_text("")
    assert len(TrackTable.read(tmp_path / "empty.txt")[0].frames) == 0


def test_scores_are_those_of_trackeval(tmp_path: Path) -> None:
    truth, result, ignored = noisy_case()
    counted, apart = TrackTable.read(write(tmp_path / "gt.txt", truth, ignored))
    found, _ = TrackTable.read(write(tmp_path / "tracks.txt", result))
    scores = score(counted, found, apart)
    # TrackEval 1.3.0, MotChallenge2DBox, the ignored area as a distractor class.
    assert scores.mota == pytest.approx(0.7666666666666667, abs=1e-12)
    assert scores.idf1 == pytest.approx(0.6573913043478261, abs=1e-12)
    assert scores.hota == pytest.approx(0.4984779078678472, abs=1e-12)
    assert scores.precision == pytest.approx(0.9309090909090909, abs=1e-12)
    assert scores.recall == pytest.approx(0.8533333333333334, abs=1e-12)
    assert (scores.id_switches, scores.false_positives, scores.misses) == (7, 19, 44)
