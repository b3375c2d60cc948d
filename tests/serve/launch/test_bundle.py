from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from serve.errors import ServiceError
from serve.launch.bundle import TAIL_BYTES, without, write_bundle
from serve.settings import Settings, load
from tests.integration.brokers import free_port

SECRETS = {
    "database": "db-Passw0rd",
    "token": "api-token-" + "x" * 30,
    "ray": "ray-token-abcdefgh",
    "key": "credentials-key-12345",
    "camera": "cam3ra-pass",
    "environment": "kafka-passw0rd",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    data.mkdir()
    (data / "ray-token").write_text(SECRETS["ray"] + "\n")
    (data / "credentials.key").write_text(SECRETS["key"] + "\n")
    return load(
        None,
        data_dir=str(data),
        api={"port": free_port(), "token": SECRETS["token"]},
        database_url=f"postgresql://footfall:{SECRETS['database']}@127.0.0.1/footfall",
    )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "session" / "logs"
    (folder / "serve").mkdir(parents=True)
    spoken = " ".join(SECRETS.values())
    quoted = json.dumps(f"a token: {SECRETS['token']}")
    (folder / "serve" / "replica_footfall_Api_1.log").write_text(f"said {spoken}\n{quoted}\n")
    (folder / "worker-1.err").write_text(f"opening rtsp://admin:{SECRETS['camera']}@10.0.0.5/stream1\n")
    return folder


def contents(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def test_no_secret_is_in_it(settings: Settings, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KAFKA_PASSWORD", SECRETS["environment"])
    # The camera's password by itself is known to nobody here; in a URL it is hidden.
    (logs / "serve" / "replica_footfall_Api_1.log").write_text(
        " ".join(secret for name, secret in SECRETS.items() if name != "camera")
    )
    file = tmp_path / "bundle.zip"
    findings = [{"subject": "camera", "detail": f"rtsp://admin:{SECRETS['camera']}@10.0.0.5/x", "state": "failed"}]
    write_bundle(file, settings, findings, logs=logs)
    written = contents(file)
    everything = "".join(written.values()) + "".join(written)
    for name, secret in SECRETS.items():
        assert secret not in everything, name
    assert "10.0.0.5" in everything
    assert "logs/serve/replica_footfall_Api_1.log" in written


def test_what_support_needs_is_in_it(settings: Settings, logs: Path, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    write_bundle(file, settings, [{"subject": "memory", "state": "ok"}], logs=logs)
    written = contents(file)
    assert json.loads(written["findings.json"]) == [{"subject": "memory", "state": "ok"}]
    assert json.loads(written["settings.json"])["api"]["port"] == settings.api.port
    assert "ray 2." in written["packages.txt"]
    assert "service.txt" in written  # nobody answered, and it says so
    assert "worker-1.err" in "".join(written)


def test_it_is_its_owners_alone_and_no_file_is_overwritten(settings: Settings, logs: Path, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    write_bundle(file, settings, [], logs=logs)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(ServiceError, match="cannot be written"):
        write_bundle(file, settings, [], logs=logs)


def test_a_folder_that_cannot_be_written_is_one_line(settings: Settings, logs: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="cannot be written"):
        write_bundle(tmp_path / "none" / "bundle.zip", settings, [], logs=logs)


def test_long_logs_give_their_end(settings: Settings, logs: Path, tmp_path: Path) -> None:
    (logs / "worker-2.err").write_text("early\n" + "x" * TAIL_BYTES + "\nlate\n")
    write_bundle(tmp_path / "bundle.zip", settings, [], logs=logs)
    text = contents(tmp_path / "bundle.zip")["logs/worker-2.err"]
    assert "late" in text
    assert "early" not in text


def test_a_stranger_cannot_have_a_file_of_ours_put_into_it(settings: Settings, logs: Path, tmp_path: Path) -> None:
    """The folder of Ray's sessions is below one in which everybody may make names."""
    private = tmp_path / "private.txt"
    private.write_text("nobody's business\n")
    (logs / "worker-3.err").symlink_to(private)
    os.link(private, logs / "worker-4.err")
    os.mkfifo(logs / "worker-5.err")
    write_bundle(tmp_path / "bundle.zip", settings, [], logs=logs)
    assert "nobody's business" not in "".join(contents(tmp_path / "bundle.zip").values())


def test_without_logs_there_is_still_a_bundle(settings: Settings, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle.zip", settings, [], logs=tmp_path / "none")
    assert "findings.json" in contents(tmp_path / "bundle.zip")


@pytest.mark.parametrize("secret", ['with"quote', "with\\slash", "plain-secret", "umlaut-ü"])
def test_secrets_are_hidden_in_text_and_in_json(secret: str) -> None:
    document: Any = {"a": f"the {secret} here"}
    for text in (f"the {secret} here", json.dumps(document)):
        assert secret not in without([secret], text)
        assert json.dumps(secret)[1:-1] not in without([secret], text)
