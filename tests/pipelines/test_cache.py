from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cache import cache_dir


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FOOTFALL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_it_lies_in_the_home_folder_by_default(tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / ".cache" / "footfall"


def test_it_follows_the_xdg_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir("models") == tmp_path / "xdg" / "footfall" / "models"


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_an_empty_or_relative_xdg_setting_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_dir() == tmp_path / ".cache" / "footfall"


def test_our_own_setting_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("FOOTFALL_CACHE", "~/own")
    assert cache_dir("sprites", "v1") == tmp_path / "own" / "sprites" / "v1"


def test_nothing_is_created(tmp_path: Path) -> None:
    assert not cache_dir("models").exists()
