"""Counts and heatmaps: windows, zones, formats, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from tests.serve.api.conftest import NOON
from tests.serve.api.test_streams import problem_of

DAY = {"start": "2026-09-27T00:00:00Z", "end": "2026-09-28T00:00:00Z"}


def test_counts_have_what_was_seen_and_leave_out_what_was_not(api: TestClient, counted: str) -> None:
    found = api.get(f"/api/v1/streams/{counted}/counts", params={**DAY, "bucket": "1m"}).json()
    assert [b["start"] for b in found["buckets"]] == ["2026-09-27T12:00:00Z", "2026-09-27T12:02:00Z"]
    assert [b["coverage"] for b in found["buckets"]] == [1.0, 0.5]
    assert found["total"]["lines"] == {"door": {"in": 5, "out": 2}}
    assert found["total"]["coverage"] == pytest.approx(90 / 86_400, abs=1e-4)
    assert found["buckets"][1]["people"]["mean"] == 3.0


def test_buckets_follow_the_time_zone(api: TestClient, counted: str) -> None:
    parameters = {**DAY, "bucket": "1d", "tz": "Asia/Kolkata"}
    found = api.get(f"/api/v1/streams/{counted}/counts", params=parameters).json()
    assert found["tz"] == "Asia/Kolkata"
    assert [(b["start"], b["end"]) for b in found["buckets"]] == [("2026-09-27T00:00:00Z", "2026-09-27T18:30:00Z")]


def test_times_may_be_seconds_local_or_with_an_offset(api: TestClient, counted: str) -> None:
    for start, end, zone in (
        (str(NOON), str(NOON + 60), "UTC"),
        ("2026-09-27T14:00", "2026-09-27T14:01", "Europe/Berlin"),
        ("2026-09-27T14:00:00+02:00", "2026-09-27T14:01:00+02:00", "UTC"),
    ):
        parameters = {"start": start, "end": end, "tz": zone, "bucket": "1m"}
        found = api.get(f"/api/v1/streams/{counted}/counts", params=parameters).json()
        assert found["total"]["lines"]["door"] == {"in": 3, "out": 1}, start


def test_counts_come_as_csv_and_parquet_too(api: TestClient, counted: str) -> None:
    path, parameters = f"/api/v1/streams/{counted}/counts", {**DAY, "bucket": "1m", "tz": "Europe/Berlin"}
    csv = api.get(path, params={**parameters, "format": "csv"})
    assert "attachment" in csv.headers["content-disposition"]
    table = pd.read_csv(io.StringIO(csv.text))
    assert table["line.door.in"].tolist() == [3, 2]
    assert table["start"][0] == "2026-09-27 14:00:00+02:00"
    parquet = api.get(path, params={**parameters, "format": "parquet"})
    same = pd.read_parquet(io.BytesIO(parquet.content))
    assert same["zone.till.entries"].tolist() == [2, 2]
    assert list(same.columns) == list(table.columns)


def test_an_empty_window_gives_no_buckets_and_no_error(api: TestClient, counted: str) -> None:
    parameters = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    found = api.get(f"/api/v1/streams/{counted}/counts", params=parameters).json()
    assert found["buckets"] == []
    assert found["total"]["coverage"] == 0
    assert found["total"]["people"]["mean"] is None
    for shape in ("csv", "parquet"):
        answer = api.get(f"/api/v1/streams/{counted}/counts", params={**parameters, "format": shape})
        assert answer.status_code == 200
    picture = api.get(f"/api/v1/streams/{counted}/heatmap", params={**parameters, "format": "png"})
    assert picture.status_code == 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"start": "yesterday"}, "bad-request"),
        ({"start": "2026-09-28", "end": "2026-09-27"}, "bad-request"),
        ({"start": "-5"}, "bad-request"),
        ({"end": "nan"}, "bad-request"),
        ({"tz": "Mars/Olympus"}, "bad-request"),
        ({"tz": "../../etc/passwd"}, "bad-request"),
        ({"bucket": "5m"}, "invalid"),
        ({"format": "xls"}, "invalid"),
        ({"start": "2020-01-01", "end": "2026-01-01", "bucket": "1m"}, "bad-request"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    api: TestClient, camera: str, parameters: dict[str, Any], code: str
) -> None:
    problem_of(api.get(f"/api/v1/streams/{camera}/counts", params=parameters), 422, code)


@pytest.mark.parametrize("parameters", [{"measure": "heat"}, {"format": "gif"}, {"clip": 0}, {"clip": 101}])
def test_a_heatmap_question_that_makes_no_sense_is_refused(
    api: TestClient, camera: str, parameters: dict[str, Any]
) -> None:
    problem_of(api.get(f"/api/v1/streams/{camera}/heatmap", params=parameters), 422, "invalid")


def test_a_heatmap_is_data_with_a_unit(api: TestClient, counted: str) -> None:
    path = f"/api/v1/streams/{counted}/heatmap"
    dwell = api.get(path, params=DAY).json()
    assert (dwell["unit"], dwell["shape"], dwell["total"]) == ("person-seconds", [36, 64], 180.0)
    assert dwell["grid"][1][36] == 120.0
    visits = api.get(path, params={**DAY, "measure": "visits"}).json()
    assert (visits["unit"], visits["total"]) == ("visits", 6.0)
    packed = np.load(io.BytesIO(api.get(path, params={**DAY, "format": "npz"}).content))
    assert packed["person_seconds"].shape == (36, 64)
    assert packed["person_seconds"].dtype == np.float32
    assert float(packed["covered_s"]) == 90.0


def test_a_heatmap_picture_is_drawn_even_while_the_camera_is_away(api: TestClient, counted: str) -> None:
    answer = api.get(f"/api/v1/streams/{counted}/heatmap", params={**DAY, "format": "png"})
    assert answer.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[1] >= 640


def test_a_picture_that_is_not_there_yet_says_why(api: TestClient, camera: str) -> None:
    problem = problem_of(api.get(f"/api/v1/streams/{camera}/snapshot.jpg"), 503, "not-ready")
    assert "starting" in problem["detail"]
