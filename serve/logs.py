"""Logging of our processes: one JSON object a line, with the stream it is about; configured first thing in each."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from pipelines.redaction import redact

_OURS = ("pipelines", "analytics", "serve")


class JsonFormatter(logging.Formatter):
    """time, level, logger, message; stream and exception where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; URLs are redacted whoever wrote them."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        stream = getattr(record, "stream", None)
        if stream is not None:
            document["stream"] = stream
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
        text = f"{moment} {record.levelname.lower():7}{about} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact(text)


def configure(level: str = "INFO", style: Literal["json", "text"] = "json") -> None:
    """Send our loggers to standard error, and only there; idempotent.

    Ray Serve installs handlers of its own on the root logger and drops INFO from anybody else; ours do not propagate.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
