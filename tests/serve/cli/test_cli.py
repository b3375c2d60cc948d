"""The command line: one line and an exit code for every mistake."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn, cast

import pytest
import yaml
from typer.main import get_command

from serve.cli import service, terminal
from serve.cli.main import COMMANDS, app
from serve.errors import SettingsError
from serve.launch.demo import CAMERAS
from serve.launch.service import Service
from serve.settings import Settings, load
from tests.integration.brokers import free_port

CLI = str(Path(sys.executable).parent / "footfall")


def footfall(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    # A service that a test has started in this process tells Ray's token in the environment.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    return subprocess.run(
        [CLI, *arguments], cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, timeout=100
    )


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The complaint, once it is sure that it is one line."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("footfall: ")
    return lines[0]


def test_help_names_every_command() -> None:
    text = footfall("--help").stdout
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.summary)}$", text, re.MULTILINE), name  # a line each
        command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]
        assert command.name == name
        assert command.help
    assert footfall("--version").stdout.startswith("footfall 0.")


def test_analyze_says_what_is_wrong_in_one_line(tmp_path: Path, model_path: Path) -> None:
    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(b"x" * 1000)
    bad = tmp_path / "bad.json"
    bad.write_text('{"lines": [{"id": "a"}]}')
    out, model = str(tmp_path / "out"), str(model_path)
    none = str(tmp_path / "none.mp4")
    assert "does not exist" in one_line(footfall("analyze", none, "--out", out, "--model", model), 1)
    assert "no video" in one_line(footfall("analyze", str(rubbish), "--out", out, "--model", model), 1)
    bad_geometry = footfall("analyze", none, "--out", out, "--model", model, "--geometry", str(bad))
    assert "lines[0].a" in one_line(bad_geometry, 1)
    assert "models pull" in one_line(footfall("analyze", none, "--out", out, FOOTFALL_MODELS=str(tmp_path)), 1)
    assert "rubbish.mp4" in one_line(footfall("analyze", none, "--out", out, "--model", str(rubbish)), 1)
    assert footfall("analyze", none).returncode == 2


def test_simulate_writes_the_files_of_the_contract(tmp_path: Path, test_cache: Path) -> None:
    out = tmp_path / "scene"
    done = footfall(
        *("simulate", "--seed", "3", "--people", "2", "--seconds", "3", "--size", "320x180", "--fps", "8"),
        *("--overlap", "0.15", "--out", str(out)),
        FOOTFALL_CACHE=str(test_cache),
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"video.mp4", "gt.txt", "geometry.json", "truth.json"}
    truth = json.loads((out / "truth.json").read_text())
    assert {"lines", "zones", "person_seconds"} <= truth.keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("simulate",), "--out DIR"),
        (("simulate", "--out", "x", "--size", "big"), "640x360"),
        (("simulate", "--out", "x", "--size", "641x360"), "even"),
        (("simulate", "--kafka", "127.0.0.1:9", "--codec", "mp3"), "jpeg or h264"),
    ],
)
def test_simulate_refuses_what_makes_no_sense(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    assert says in one_line(footfall(*arguments, cwd=tmp_path), 2)


def test_settings_come_from_file_and_environment_and_typing_errors_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "footfall.yaml"
    file.write_text("api: {port: 9001}\nreader: {capacity: 5}\n")
    done = footfall("settings", "--config", str(file), FOOTFALL_API__PORT="9002")
    document = yaml.safe_load(done.stdout)
    assert document["api"]["port"] == 9002
    assert document["reader"]["capacity"] == 5
    file.write_text("api: {prot: 9001}\n")
    assert "api.prot" in one_line(footfall("settings", "--config", str(file)), 1)
    file.write_text("- a list\n")
    one_line(footfall("settings", "--config", str(file)), 1)
    file.write_text("{unclosed\n")
    one_line(footfall("settings", "--config", str(file)), 1)
    assert "does not exist" in one_line(footfall("settings", "--config", str(tmp_path / "none.yaml")), 1)


def test_up_refuses_an_open_door_a_taken_port_and_a_folder_it_cannot_write(tmp_path: Path, model_path: Path) -> None:
    models = str(model_path.parent)
    open_door = footfall("up", "--host", "0.0.0.0", "--data-dir", str(tmp_path), FOOTFALL_MODELS=models)
    assert "api.token" in one_line(open_door, 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = footfall("up", "--port", port, "--data-dir", str(tmp_path), FOOTFALL_MODELS=models)
    assert "--port" in one_line(done, 1)
    (tmp_path / "file").write_text("")
    done = footfall("up", "--data-dir", str(tmp_path / "file" / "data"), FOOTFALL_MODELS=models)
    assert "cannot be written" in one_line(done, 1)
    done = footfall("up", "--data-dir", str(tmp_path), FOOTFALL_MODELS=str(tmp_path))
    assert "models pull" in one_line(done, 1)


def test_tokens_are_made_listed_and_revoked_without_the_service(tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path))
    made = footfall("tokens", "create", "shop", "--scope", "viewer", *place)
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("ff_")
    assert len(secret) > 40
    assert "already" in one_line(footfall("tokens", "create", "shop", "--scope", "admin", *place), 1)
    assert "name" in one_line(footfall("tokens", "create", "a b", "--scope", "admin", *place), 1)
    assert footfall("tokens", "create", "other", "--scope", "king", *place).returncode == 2
    listed = footfall("tokens", "list", *place).stdout
    assert "shop" in listed
    assert "viewer" in listed
    assert secret not in listed
    assert secret.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    revoked = footfall("tokens", "revoke", "shop", *place)
    assert (revoked.returncode, "last one" in revoked.stderr) == (0, True)
    assert "no token" in one_line(footfall("tokens", "revoke", "shop", *place), 1)


@pytest.mark.parametrize("command", ["tokens list", "tokens revoke till", "credentials rotate"])
def test_in_a_folder_without_a_database_nothing_is_made_and_nothing_is_said_to_be_done(
    command: str, tmp_path: Path
) -> None:
    mistyped = tmp_path / "footfal-data"
    assert "there is no database" in one_line(footfall(*command.split(), "--data-dir", str(mistyped)), 1)
    assert not mistyped.exists()


def test_up_says_in_one_line_that_nobody_answers_for_the_cluster(tmp_path: Path, model_path: Path) -> None:
    settings = tmp_path / "footfall.yaml"
    address = f"127.0.0.1:{free_port()}"
    document = {"data_dir": str(tmp_path), "ray": {"address": address}, "api": {"port": free_port()}}
    settings.write_text(yaml.safe_dump({**document, "detector": {"model": str(model_path)}}))
    assert f"no Ray cluster answers at {address}" in one_line(footfall("up", "--config", str(settings)), 1)


def test_the_demo_exempts_nobody_from_being_pixelated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its cameras' names may be given to a real one."""

    class Prepared(Exception):
        pass

    def demo(settings: Settings, kafka: str | None) -> NoReturn:
        assert all(settings.privacy.blurs(camera.id) for camera in CAMERAS)
        raise Prepared

    monkeypatch.setattr(service.logs, "configure", lambda *arguments: None)  # this process is not the demo's
    monkeypatch.setattr(service, "Demo", demo)
    monkeypatch.setattr(service, "pull_shown", lambda model: None)
    with pytest.raises(Prepared):
        service.demo_command(data_dir=tmp_path)


def test_the_key_of_passwords_is_made_anew_on_the_command_line(tmp_path: Path) -> None:
    assert footfall("tokens", "create", "shop", "--scope", "viewer", "--data-dir", str(tmp_path)).returncode == 0
    done = footfall("credentials", "rotate", "--data-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    key = (tmp_path / "credentials.key").read_text()
    (tmp_path / "credentials.key").chmod(0o644)
    assert "chmod 600" in one_line(footfall("credentials", "rotate", "--data-dir", str(tmp_path)), 1)
    assert (tmp_path / "credentials.key").read_text() == key


def test_the_service_does_not_start_with_secrets_that_others_can_read_or_without_rays_token(tmp_path: Path) -> None:
    model = {"FOOTFALL_DETECTOR__MODEL": str(tmp_path / "model.onnx"), "FOOTFALL_DATA_DIR": str(tmp_path)}
    (tmp_path / "model.onnx").write_bytes(b"any")
    assert "RAY_AUTH_MODE" in one_line(footfall("up", RAY_AUTH_MODE="disabled", **model), 1)
    (tmp_path / "ray-token").write_text("open")
    assert "ray-token" in one_line(footfall("up", RAY_AUTH_MODE="token", **model), 1)
    (tmp_path / "credentials.key").write_text("open")
    assert "credentials.key" in one_line(footfall("up", RAY_AUTH_MODE="token", **model), 1)


def test_a_hangup_has_the_settings_read_again_and_without_a_terminal_ends_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for attended, gone in ((False, False), (True, False), (True, True)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda attended=attended: attended))
        with terminal.stopping() as stop, terminal.hanging_up() as again:
            if gone:
                monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
            signal.raise_signal(signal.SIGHUP)
            assert (again.wait(1), stop.is_set()) == (True, gone)


def test_settings_that_cannot_be_taken_over_are_told_and_the_service_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[Settings] = []

    class Running:
        def update(self, settings: Settings, stop: threading.Event) -> None:
            assert not stop.is_set()
            if settings.api.port == 9:
                raise SettingsError("api.port: stop the service and start it anew")
            taken.append(settings)

    file = tmp_path / "settings.yaml"
    for text in ("detector: {score_threshold: 7}", "api: {port: 9}", "detector: {score_threshold: 0.4}"):
        file.write_text(text)
        service.take_over(cast(Service, Running()), lambda: load(file), threading.Event())
    assert [settings.detector.score_threshold for settings in taken] == [0.4]
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "score_threshold" in lines[0]
    assert "api.port" in lines[1]


def test_the_service_does_not_start_with_a_model_that_is_none(tmp_path: Path) -> None:
    """Ray would start its readers over and over, with a page of text each time."""
    (tmp_path / "model.onnx").write_bytes(b"any")
    model = {"FOOTFALL_DETECTOR__MODEL": str(tmp_path / "model.onnx"), "FOOTFALL_DATA_DIR": str(tmp_path / "data")}
    assert "model.onnx" in one_line(footfall("up", FOOTFALL_API__PORT=str(free_port()), **model), 1)


def test_the_doctor_says_what_fails_and_what_to_do_and_ends_with_one(tmp_path: Path, model_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    port = str(free_port())
    dead = "rtsp://admin:s3cret@127.0.0.1:9/x"
    quiet = {"FOOTFALL_DETECTOR__MODEL": str(model_path), "FOOTFALL_RAY__DASHBOARD": "false"}
    done = footfall(
        *("doctor", "--camera", dead, "--bundle", str(bundle)), cwd=tmp_path, FOOTFALL_API__PORT=port, **quiet
    )
    assert done.returncode == 1
    assert re.search(r"^ok +detector: ", done.stdout, re.MULTILINE)
    assert re.search(r"^FAILED +camera rtsp://\*\*\*@127\.0\.0\.1:9/x: ", done.stdout, re.MULTILINE)
    assert done.stdout.strip().splitlines()[-1].endswith("failed")
    assert "s3cret" not in done.stdout + done.stderr
    assert bundle.is_file()
    assert not (tmp_path / "footfall-data").exists()


def test_the_doctor_speaks_json(tmp_path: Path, model_path: Path) -> None:
    quiet = {"FOOTFALL_DETECTOR__MODEL": str(model_path), "FOOTFALL_RAY__DASHBOARD": "false"}
    done = footfall("doctor", "--json", cwd=tmp_path, FOOTFALL_API__PORT=str(free_port()), **quiet)
    found = json.loads(done.stdout)
    assert done.returncode == any(one["state"] == "failed" for one in found)
    assert {"subject", "state", "detail", "advice"} == set(found[0])


def test_the_doctor_overwrites_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "bundle.zip"
    kept.write_text("kept")
    assert "exists already" in one_line(footfall("doctor", "--bundle", str(kept), cwd=tmp_path), 2)
    assert kept.read_text() == "kept"
