"""Logging of our processes: one JSON object a line, which says what it is about; configured first thing in each."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from pipelines.redaction import redact
from serve.log_limits import RateLimit

_OURS = ("pipelines", "analytics", "serve")
_ABOUT = "reader", "stream", "epoch", "held_back"


class Origin(logging.Filter):
    """Adds who says it, and in which epoch of a stream: whoever logs knows of neither.

    Args:
        reader: whose process this is; None if it is no reader's.
        epoch_of: asked for the epoch of a stream, which answers None if it has none here; None: no stream has.
    """

    def __init__(self, reader: str | None = None, epoch_of: Callable[[str], int | None] | None = None) -> None:
        super().__init__()
        self._reader = reader
        self._epoch_of = epoch_of or (lambda _: None)

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        if self._reader is not None:
            record.reader = self._reader
        stream = getattr(record, "stream", None)
        if isinstance(stream, str) and not hasattr(record, "epoch"):
            epoch = self._epoch_of(stream)
            if epoch is not None:
                record.epoch = epoch
        return True


class JsonFormatter(logging.Formatter):
    """time, level, logger, message; reader, stream, epoch, lines held back, and exception, where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; URLs are redacted whoever wrote them."""
        document: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        document |= {name: value for name in _ABOUT if (value := getattr(record, name, None))}
        if record.exc_info:
            document["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(document, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """For people: time, level, message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and an exception's traceback below it."""
        stream = getattr(record, "stream", None)
        about = f" [{stream}]" if stream else ""
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        held_back = getattr(record, "held_back", 0)
        more = f" (and {held_back} more like it before)" if held_back else ""
        text = f"{moment} {record.levelname.lower():7}{about} {record.getMessage()}{more}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact(text)


def configure(level: str = "INFO", style: Literal["json", "text"] = "json", origin: Origin | None = None) -> None:
    """Send our loggers to standard error, and only there; idempotent.

    Ray Serve installs handlers of its own on the root logger and drops INFO from anybody else; ours do not propagate.

    Args:
        level: least that is written.
        style: ``json`` for machines, ``text`` for people.
        origin: knows who says it; None: nobody asks.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RateLimit())
    handler.addFilter(origin or Origin())
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
