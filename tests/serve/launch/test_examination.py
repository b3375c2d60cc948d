from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest

from footfall.types import StreamAnswer
from serve.launch import examination
from serve.launch.examination import NAMED, Wanted, examine, judge_streams
from serve.monitoring.findings import State
from serve.settings import Settings, load
from tests.integration.brokers import free_port


def settings_in(folder: Path, model: Path, **ray: Any) -> Settings:
    return load(
        None,
        data_dir=str(folder / "data"),
        api={"port": free_port()},
        detector={"model": str(model)},
        ray={"dashboard_port": free_port(), **ray},
    )


def stream(id: str, state: str = "running", error: str | None = None) -> StreamAnswer:
    return cast(StreamAnswer, {"id": id, "state": state, "error": error})


def test_everything_is_looked_at_and_nothing_is_changed(tmp_path: Path, model_path: Path) -> None:
    found = {one.subject: one for one in examine(settings_in(tmp_path, model_path), Wanted())}
    for subject in ("processor", "memory", "disk", "clock", "Python", "libraries", "decoders", "detector", "database"):
        assert subject in found
    ports = [one for subject, one in found.items() if subject.startswith("port ")]
    assert [one.state for one in ports] == [State.OK, State.OK]
    assert list(tmp_path.iterdir()) == []


def test_one_part_that_breaks_down_keeps_no_other_from_being_looked_at(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("burst")

    monkeypatch.setattr(examination.parts, "examine_codecs", burst)
    found = {one.subject: one for one in examine(settings_in(tmp_path, model_path), Wanted())}
    assert found["decoders"].state is State.FAILED
    assert found["detector"].state is State.OK


def test_a_port_that_somebody_else_has_is_found(tmp_path: Path, model_path: Path) -> None:
    settings = settings_in(tmp_path, model_path)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", settings.ray.dashboard_port))
        listener.listen()
        found = {one.subject: one for one in examine(settings, Wanted())}
    assert found[f"port {settings.ray.dashboard_port}"].state is State.FAILED
    assert found[f"port {settings.api.port}"].state is State.OK


def test_a_cluster_that_is_away_is_found(tmp_path: Path, model_path: Path) -> None:
    settings = settings_in(tmp_path, model_path, address=f"127.0.0.1:{free_port()}")
    found = {one.subject: one for one in examine(settings, Wanted())}
    assert found["Ray"].state is State.FAILED
    assert not any(subject.endswith(str(settings.ray.dashboard_port)) for subject in found)


def test_streams_that_have_something_wrong_are_named_and_the_rest_is_counted() -> None:
    wrong = [stream(f"s{number}", "failed", "wrong password") for number in range(NAMED + 5)]
    found = list(judge_streams([stream("well"), stream("away", "stopped"), *wrong]))
    assert found[0].state is State.OK
    assert f"2 of {len(wrong) + 2}" in found[0].detail
    assert [one.subject for one in found[1:-1]] == [f"stream s{number}" for number in range(NAMED)]
    assert found[-1].detail.startswith("5 more")


@pytest.mark.parametrize(
    ("state", "error", "judged"),
    [
        ("running", None, State.OK),
        ("running", "overloaded", State.WARNING),
        ("reconnecting", None, State.WARNING),
        ("failed", "x", State.FAILED),
    ],
)
def test_a_stream_is_judged_by_its_state_and_its_error(state: str, error: str | None, judged: State) -> None:
    (found,) = judge_streams([stream("one", state, error)])
    assert found.state is judged


def test_no_streams_are_no_trouble() -> None:
    (found,) = judge_streams([])
    assert found.state is State.SKIPPED
