from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from serve import logs


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave our loggers as they were."""
    loggers = [logging.getLogger(name) for name in logs._OURS]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[dict[str, str]]:
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
