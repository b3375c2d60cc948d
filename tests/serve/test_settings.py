from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serve.errors import SettingsError
from serve.settings import Settings, is_loopback, load


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("FOOTFALL_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    (folder / "footfall.yaml").write_text(text)
    return folder / "footfall.yaml"


def test_defaults_are_private_and_local() -> None:
    settings = load()
    assert settings.api.host == "127.0.0.1"
    assert settings.privacy.blur_people
    assert settings.store_url == f"sqlite:///{Path('footfall-data').absolute() / 'footfall.db'}"
    assert settings.spool_dir == Path("footfall-data").absolute() / "spool"


def test_a_file_sets_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "api: {port: 9000}\ndetector:\n  max_batch: 4\n"))
    assert (settings.api.port, settings.api.host, settings.detector.max_batch) == (9000, "127.0.0.1", 4)


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "api: {port: 9000}\nlog_level: DEBUG\nreader: {capacity: 7}\n")
    monkeypatch.setenv("FOOTFALL_API__PORT", "9001")
    monkeypatch.setenv("FOOTFALL_LOG_LEVEL", "ERROR")
    settings = load(file, log_level="WARNING")
    assert (settings.api.port, settings.log_level, settings.reader.capacity) == (9001, "WARNING", 7)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("prot: 1\n", "prot"),
        ("api: {prot: 1}\n", "api.prot"),
        ("api: {port: 0}\n", "api.port"),
        ("api: {port: 70000}\n", "api.port"),
        ("api: {port: many}\n", "api.port"),
        ("api: {token: short}\n", "api.token"),
        ("detector: {placement: moon}\n", "detector.placement"),
        ("detector: {max_batch: 17}\n", "detector.max_batch"),
        ("reader: {checkpoint_s: 0}\n", "reader.checkpoint_s"),
        ("reader: {spool_bytes: 5}\n", "reader.spool_bytes"),
        ("reader: {replicas: 3, max_replicas: 2}\n", "reader"),
        ("reader: {max_replicas: 2, cpus: 0}\n", "reader"),
        ("detector: {replicas: 3, max_replicas: 2}\n", "detector"),
        ("log_level: LOUD\n", "log_level"),
        ("api: 5\n", "api"),
    ],
)
def test_what_is_unknown_or_out_of_bounds_is_refused_by_name(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text))
    assert any(problem.startswith(f"{field}: ") for problem in str(caught.value).split("; "))


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, "api: {port: 0}\nlog_level: LOUD\n"))
    assert len(str(caught.value).split("; ")) == 2


def test_an_unknown_name_in_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_API__PROT", "1")
    with pytest.raises(SettingsError, match=r"api\.prot"):
        load()


@pytest.mark.parametrize("text", ["{", "- a\n- b\n", "just text", "a: b: c\n", "\t- x"])
def test_a_file_that_is_no_mapping_is_refused_in_plain_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="settings"):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00", "is no text"),
        (b"api: " + b"[" * 5000, "nested too deeply"),
        (b"hello", "no names with values"),
    ],
)
def test_a_file_that_is_something_else_is_refused_in_plain_words(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "footfall.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        load(file)
    with pytest.raises(SettingsError, match="is no file"):
        load(tmp_path)


def test_a_list_in_the_environment_that_is_no_json_is_refused_with_how_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOOTFALL_SOURCES__NETWORKS", "10.0.0.0/8")
    with pytest.raises(SettingsError, match="written as JSON"):
        load()


def test_an_empty_file_is_all_defaults_and_a_missing_one_an_error(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")).to_arguments() == load().to_arguments()
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("token", [" " * 8, "\t" * 9, " long enough", "long enough ", "länger als acht", "two\nlines"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match=r"api\.token") as caught:
        load(api={"token": token})
    assert token not in str(caught.value)


def test_binding_beyond_this_machine_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"set api\.token"):
        load(api={"host": "0.0.0.0"})
    assert load(api={"host": "0.0.0.0", "token": "long enough"}).api.host == "0.0.0.0"
    monkeypatch.setenv("FOOTFALL_API__TOKEN", "from the environment")
    assert load(api={"host": "::"}).api.token is not None


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example.com", False),
        ("example.com", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load().log_level = "DEBUG"  # type: ignore[misc]


def test_replicas_get_the_very_same_settings(tmp_path: Path) -> None:
    settings = load(
        data_dir=tmp_path,
        database_url="postgresql://u:hunter2@db/footfall",
        api={"port": 9000, "token": "a long token"},
        detector={"threads": 3},
    )
    document: dict[str, Any] = json.loads(json.dumps(settings.to_arguments()))
    again = Settings.of(document)
    assert again == settings
    assert again.store_url == "postgresql://u:hunter2@db/footfall"
    assert again.api.token is not None
    assert again.api.token.get_secret_value() == "a long token"


def test_secrets_show_neither_in_print_nor_in_errors() -> None:
    settings = load(database_url="postgresql://u:hunter2@db/footfall", api={"token": "hunter2hunter2"})
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(SettingsError) as caught:
        load(api={"token": "hunter2"}, prot=1)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/footfall", "footfall.db", "postgres://u@db/footfall"])
def test_a_database_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="database_url: only sqlite:///PATH and postgresql") as caught:
        load(None, database_url=url)
    assert "hunter2" not in str(caught.value)
