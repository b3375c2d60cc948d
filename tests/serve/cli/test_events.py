"""``footfall events export``, and what the documents say one can do with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from analytics.counting.base import CountEvent, Crossing, ZoneExit
from analytics.events import EVENT_TYPES, EventMaker
from analytics.storage.outbox import NumberedEvent
from footfall import Client, Unreachable
from footfall.types import EventAnswer
from pipelines.types import FrameStamp
from serve.cli import events as command
from serve.cli.events import as_table
from serve.cli.main import app
from serve.errors import OutputError
from serve.events.envelope import cloud_event
from serve.events.schemas import data_schema
from tests.analytics.test_events import CONTEXT
from tests.conftest import ROOT

HOUR_S, NINE_S = 3600.0, 1_772_355_600.0
TOLD: list[CountEvent] = [
    Crossing("door", 1, "in", NINE_S + 1),
    Crossing("door", 2, "in", NINE_S + 2),
    Crossing("door", 1, "out", NINE_S + 3),
    ZoneExit("till", 1, 8.5, NINE_S + 4),
    Crossing("door", 3, "in", NINE_S + HOUR_S),
]


@pytest.fixture
def told() -> list[EventAnswer]:
    events = EventMaker().make(TOLD, CONTEXT, FrameStamp(0, NINE_S, resume={"position": 1}))
    return [cast(EventAnswer, cloud_event(NumberedEvent(n, event, 0.0))) for n, event in enumerate(events, 1)]


def test_a_row_has_what_is_known_of_an_event(told: list[EventAnswer]) -> None:
    table = as_table(told)
    assert table["sequence"].tolist() == [1, 2, 3, 4, 5]
    assert table["time"][0] == pd.Timestamp("2026-03-01T09:00:01Z")
    assert table["direction"].tolist()[:3] == ["in", "in", "out"]
    assert table["dwell_s"].dropna().tolist() == [8.5]
    assert as_table([]).columns.tolist() == command.COLUMNS.names
    assert {field for kind in EVENT_TYPES for field in data_schema(kind)["properties"]} <= set(command.COLUMNS.names)


def test_a_file_is_written_a_part_at_a_time(
    told: list[EventAnswer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "AT_ONCE", 2)
    out = tmp_path / "events.parquet"
    assert command.write(told, out) == 5
    table = pd.read_parquet(out)
    assert (table["sequence"].tolist(), table["track"].dropna().tolist()) == ([1, 2, 3, 4, 5], [1, 2, 1, 1, 3])
    assert command.write([], out) == 0
    assert pd.read_parquet(out).columns.tolist() == command.COLUMNS.names


def test_what_breaks_off_leaves_the_file_as_it_was(told: list[EventAnswer], tmp_path: Path) -> None:
    def broken() -> Iterator[EventAnswer]:
        yield told[0]
        raise Unreachable("gone")

    out = tmp_path / "events.parquet"
    command.write(told, out)
    with pytest.raises(Unreachable):
        command.write(broken(), out)
    assert len(pd.read_parquet(out)) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]
    with pytest.raises(OutputError):
        command.write(told, tmp_path / "nowhere" / "x")


def test_events_are_exported_from_a_service(
    told: list[EventAnswer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        second = request.url.params.get("after") == "3"
        headers = {} if second else {"Link": '<?limit=1000&after=3>; rel="next"'}
        return httpx.Response(200, json=told[3:] if second else told[:3], headers=headers)

    def client(url: str, *, token: str | None) -> Client:
        return Client(url, token=token, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(command, "Client", client)
    out = tmp_path / "events.parquet"
    arguments = ["events", "export", "--out", str(out), "--stream", "cam", "--type", "a", "--type", "b"]
    done = CliRunner().invoke(app, [*arguments, "--token", "secret"])
    assert done.exit_code == 0, done.output
    assert pd.read_parquet(out)["sequence"].tolist() == [1, 2, 3, 4, 5]
    assert [request.url.params.get_list("type") for request in asked] == [["a", "b"]] * 2
    assert asked[0].headers["authorization"] == "Bearer secret"


def test_a_service_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["events", "export", "--out", str(tmp_path / "x"), "--url", "http://127.0.0.1:9"])
    assert done.exit_code != 0
    assert not (tmp_path / "x").exists()


def test_the_recipe_of_the_documents_works(
    told: list[EventAnswer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command.write(told, Path("events.parquet"))
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["by_hour"]["in"].tolist() == [2, 1]
    assert names["inside"].tolist() == [1, 2]
