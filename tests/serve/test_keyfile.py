from __future__ import annotations

from pathlib import Path

import pytest

from serve.errors import KeyFileError
from serve.keyfile import read_or_make_secret, read_secret, replace_secret


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    assert read_or_make_secret(path, lambda: b"first") == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_secret(path, lambda: b"second") == b"first"
    replace_secret(path, b"third")
    assert read_secret(path) == b"third"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_secret_that_others_could_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("open")
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_or_make_secret(path, lambda: b"new")


def test_what_is_no_file_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "elsewhere").symlink_to(tmp_path / "target")
    for name, reason in (("empty", "empty"), ("elsewhere", "cannot be read"), ("missing", "cannot be read")):
        with pytest.raises(KeyFileError, match=reason):
            read_secret(tmp_path / name)
    with pytest.raises(KeyFileError):
        read_secret(tmp_path)
