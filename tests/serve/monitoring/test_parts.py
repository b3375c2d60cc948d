from __future__ import annotations

import socket
from pathlib import Path

import pytest

from analytics.storage.database import DatabaseStore
from pipelines.sources.base import SourceLimits
from serve.monitoring import parts
from serve.monitoring.findings import State
from serve.sections import DetectorSettings
from serve.settings import load

QUICK = SourceLimits(open_s=1.0, read_s=1.0, stall_s=1.0)


def test_what_is_installed_here_is_what_is_wanted() -> None:
    found = list(parts.examine_libraries())
    assert [one.state for one in found] == [State.OK, State.OK]
    assert "ray" in found[1].detail


@pytest.mark.parametrize(
    ("required", "wrong"),
    [
        (["numpy>=2"], None),
        (["numpy<1"], "numpy"),
        (["no-such-package-at-all>=1"], "no-such-package-at-all nothing"),
        (["numpy<1; sys_platform == 'plan9'"], None),
        (["numpy<1; extra == 'edge'"], None),
        (["not a requirement at all!"], None),
    ],
)
def test_requirements_hold_where_they_apply(required: list[str], wrong: str | None) -> None:
    found = parts.judge_libraries(required)
    assert found.state is (State.OK if wrong is None else State.FAILED)
    assert wrong is None or wrong in found.detail


def test_decoders_that_cameras_need_are_here() -> None:
    assert parts.examine_codecs().state is State.OK


def test_a_missing_decoder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "NEEDED_CODECS", ("h264", "no-such-codec"))
    found = parts.examine_codecs()
    assert found.state is State.FAILED
    assert "no-such-codec" in found.detail


def test_the_detector_is_tried(model_path: Path, tmp_path: Path) -> None:
    settings = DetectorSettings(model=str(model_path))
    found = parts.examine_detector(settings, nvidia=tmp_path / "none")
    assert found.state is State.OK
    assert "ms an image" in found.detail
    beside_a_card = parts.examine_detector(settings, nvidia=tmp_path)
    assert beside_a_card.state is State.WARNING
    assert "onnxruntime-gpu" in beside_a_card.advice


def test_a_model_that_is_not_there_or_none_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    missing = parts.examine_detector(DetectorSettings(model=str(tmp_path / "none.onnx")))
    assert missing.state is State.FAILED
    assert "models pull" in missing.advice
    assert parts.examine_detector(DetectorSettings(model=str(broken))).state is State.FAILED


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen()
        assert not parts.port_is_free("127.0.0.1", port)
    assert parts.port_is_free("127.0.0.1", port)
    assert not parts.port_is_free("no-such-host.invalid", port)


def test_a_database_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    settings = load(None, data_dir=str(tmp_path / "data"))
    assert parts.examine_database(settings).state is State.OK
    assert list(tmp_path.iterdir()) == []
    store = DatabaseStore(settings.store_url)
    store.migrate()
    store.close()
    found = parts.examine_database(settings)
    assert found.state is State.OK
    assert "SQLite" in found.detail


def test_a_database_that_is_away_keeps_its_password() -> None:
    settings = load(None, database_url="postgresql://footfall:s3cret-word@127.0.0.1:9/none")
    found = parts.examine_database(settings)
    assert found.state is State.FAILED
    assert "s3cret-word" not in found.detail + found.advice


def test_a_broker_that_is_not_there_is_found() -> None:
    found = parts.examine_broker(["127.0.0.1:9"], QUICK)
    assert found.state is State.FAILED
    assert found.advice


@pytest.mark.parametrize(
    ("url", "detail"),
    [("rtsp://admin:s3cret@127.0.0.1:9/x", "nobody answers"), ("http://127.0.0.1/x", "no address"), ("", "no address")],
)
def test_a_camera_that_does_not_answer_keeps_its_password(url: str, detail: str) -> None:
    found = parts.examine_camera(url, QUICK)
    assert found.state is State.FAILED
    assert detail in found.detail
    assert "s3cret" not in found.subject + found.detail + found.advice
