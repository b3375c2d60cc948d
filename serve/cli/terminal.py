"""How commands talk: progress on a terminal, one line for an error, exit codes that scripts can use."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from footfall import ApiProblem, Unreachable
from pipelines.errors import FootfallError
from pipelines.redaction import redact

WIDTH_IN_FILES = 140
"""Tables that go into a file or a pipe must not be cut to the width of a terminal that is not there."""
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
err = Console(stderr=True, soft_wrap=True, highlight=False)
EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def warn(message: str) -> None:
    """One line on standard error."""
    line = " ".join(redact(message).split())
    err.print(f"footfall: {line}", style="red" if err.is_terminal else None, markup=False)


def fail(message: str, code: int = EXIT_ERROR) -> NoReturn:
    """One line on standard error, and an exit code."""
    warn(message)
    raise SystemExit(code)


@contextmanager
def reporting() -> Iterator[None]:
    """Turn our errors into one line, and an interrupt into its exit code."""
    try:
        yield
    except (FootfallError, ApiProblem, Unreachable) as error:
        fail(str(error))
    except ValueError as error:
        fail(str(error), EXIT_USAGE)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def _nothing(what: str, done: int, total: int | None) -> None:
    """Nobody watches."""
    del what, done, total


@contextmanager
def progress(unit: str = "") -> Iterator[Callable[[str, int, int | None], None]]:
    """A function to report (what, done, total) to: a bar on a terminal, nothing elsewhere."""
    if not err.is_terminal:
        yield _nothing
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f}" + (f" {unit}" if unit else "")),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bars:
        tasks = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield report


def _attended() -> bool:
    """Whether there is a terminal; without standard input there is none."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def hanging_up() -> Iterator[threading.Event]:
    """An event that SIGHUP sets; where it comes because the terminal is gone, it ends us like SIGTERM."""
    asked, attended = threading.Event(), _attended()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        if attended and not _attended():
            signal.raise_signal(signal.SIGTERM)
        asked.set()

    before = signal.signal(signal.SIGHUP, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.is_set():
            sys.exit(EXIT_INTERRUPTED)  # asked twice: now
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
