"""Files that hold one secret: made by us where there is none, readable by their owner and nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from serve.errors import KeyFileError

_MOST_BYTES = 64 << 10


def read_secret(path: Path) -> bytes:
    """The content of a file that is ours alone.

    Raises:
        KeyFileError: it cannot be read, is empty, belongs to somebody else, or others may read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise KeyFileError(f"{path} is no regular file")
        if found.st_uid != os.geteuid():
            raise KeyFileError(f"{path} belongs to another user")
        if found.st_mode & 0o077:
            raise KeyFileError(f"{path} may be read or written by others: chmod 600 {path}")
        content = os.read(descriptor, _MOST_BYTES).strip()
    finally:
        os.close(descriptor)
    if not content:
        raise KeyFileError(f"{path} is empty")
    return content


def read_or_make_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file; made first, with what ``make`` gives, if it is not there.

    Raises:
        KeyFileError: as for `read_secret`, or it cannot be made.
    """
    if not os.path.lexists(path):
        with suppress(FileExistsError):  # somebody else was faster: then theirs counts
            _write(path, make(), replace=False)
    return read_secret(path)


def replace_secret(path: Path, content: bytes) -> None:
    """Write a file anew; whoever reads it finds the old content or the new one, also after a crash.

    Raises:
        KeyFileError: it cannot be written.
    """
    _write(path, content, replace=True)


def _write(path: Path, content: bytes, *, replace: bool) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if replace:
                beside.replace(path)
            else:
                os.link(beside, path)  # unlike a rename, never over a file that is there
            _sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
