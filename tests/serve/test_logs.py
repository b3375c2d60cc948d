from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from serve import log_limits, logs


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave our loggers as they were."""
    loggers = [logging.getLogger(name) for name in logs._OURS]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_record_is_one_json_object_on_one_line(capsys: Captured) -> None:
    logs.configure()
    logging.getLogger("pipelines.sources").info("connected: %s\n%d", "h264", 25, extra={"stream": "entrance"})
    (line,) = lines(capsys)
    assert line["message"] == "connected: h264\n25"
    assert (line["level"], line["logger"], line["stream"]) == ("INFO", "pipelines.sources", "entrance")
    assert line["time"].endswith("+00:00")


def test_an_exception_is_part_of_its_record(capsys: Captured) -> None:
    logs.configure()
    try:
        raise KeyError("rtsp://admin:hunter2@camera/live")
    except KeyError:
        logging.getLogger("serve").exception("it broke")
    (line,) = lines(capsys)
    assert "KeyError" in line["exception"]
    assert "Traceback" in line["exception"]


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_password_is_logged_wherever_it_stands(capsys: Captured, style: str) -> None:
    logs.configure(style=style)  # type: ignore[arg-type]
    logger = logging.getLogger("analytics")
    logger.warning("rtsp://admin:hunter2@camera/live is away")
    logger.warning("%s is away", "rtsp://admin:hunter2@camera/live")
    try:
        raise OSError("cannot open rtsp://admin:hunter2@camera/live")
    except OSError:
        logger.exception("failed")
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert written.count("***") >= 3


def test_text_is_for_people(capsys: Captured) -> None:
    logs.configure(style="text")
    logging.getLogger("serve").warning("the door is open", extra={"stream": "entrance"})
    assert capsys.readouterr().err.rstrip().endswith("warning [entrance] the door is open")


def test_configuring_twice_logs_once_and_what_is_too_quiet_is_left_out(capsys: Captured) -> None:
    logs.configure("WARNING")
    logs.configure("WARNING")
    logging.getLogger("serve").warning("loud")
    logging.getLogger("serve").info("quiet")
    assert [line["message"] for line in lines(capsys)] == ["loud"]


def test_nothing_reaches_the_root_logger(capsys: Captured, caplog: pytest.LogCaptureFixture) -> None:
    logs.configure()
    logging.getLogger("pipelines").warning("ours")
    assert caplog.records == []
    assert len(lines(capsys)) == 1


def test_a_line_says_which_reader_and_in_which_epoch_of_the_stream(capsys: Captured) -> None:
    logs.configure(origin=logs.Origin("reader-1", {"entrance": 7}.get))
    logging.getLogger("pipelines").info("connected", extra={"stream": "entrance"})
    logging.getLogger("pipelines").info("connected", extra={"stream": "another"})
    logging.getLogger("serve").info("ready")
    known, unknown, general = lines(capsys)
    assert (known["reader"], known["stream"], known["epoch"]) == ("reader-1", "entrance", 7)
    assert "epoch" not in unknown
    assert general["reader"] == "reader-1"
    assert "stream" not in general


@pytest.mark.parametrize("style", ["json", "text"])
def test_what_fails_with_every_frame_is_logged_some_times_and_others_are_none_the_worse(
    capsys: Captured, style: str
) -> None:
    logs.configure(style=style)  # type: ignore[arg-type]
    logger = logging.getLogger("pipelines")
    for number in range(1000):
        logger.warning("frame %d is broken", number, extra={"stream": "entrance"})
    logger.warning("the door is open", extra={"stream": "entrance"})
    for stream in ("one", "two"):
        logger.warning("no room", extra={"stream": stream})
    written = capsys.readouterr().err.splitlines()
    assert sum("is broken" in line for line in written) == log_limits.BURST
    assert len(written) == log_limits.BURST + 3


def test_the_next_line_says_how_many_were_held_back() -> None:
    now_s = [0.0]
    limit = log_limits.RateLimit(lambda: now_s[0])

    def let_through(level: int = logging.WARNING) -> logging.LogRecord | None:
        record = logging.LogRecord("serve", level, "module.py", 12, "it broke", (), None)
        return record if limit.filter(record) else None

    assert sum(let_through() is not None for _ in range(50)) == log_limits.BURST
    now_s[0] += log_limits.EACH_S
    told = let_through()
    assert told is not None
    assert told.held_back == 50 - log_limits.BURST  # type: ignore[attr-defined]
    assert let_through() is None
    assert let_through(logging.CRITICAL) is not None


def test_kinds_of_lines_that_are_known_do_not_grow_for_ever() -> None:
    limit = log_limits.RateLimit(lambda: 0.0)
    for number in range(3 * log_limits.KINDS):
        record = logging.LogRecord("serve", logging.INFO, "module.py", 12, "hello", (), None)
        record.stream = f"stream-{number}"
        assert limit.filter(record)
    assert len(limit._kinds) == log_limits.KINDS
