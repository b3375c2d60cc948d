"""What support needs of a machine that has trouble, in one file, and no secret in it.

Everything that goes in is redacted like a log line, and then searched for every secret that is known here: what
redaction overlooks must not leave either.
"""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from footfall import ApiProblem, Unreachable
from pipelines.redaction import HIDDEN, redact
from serve.errors import ServiceError
from serve.launch.cluster import TOKEN_FILE
from serve.launch.service import client
from serve.settings import Settings

RAY_LOGS = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "session_latest" / "logs"
TAIL_BYTES = 200_000
MOST_LOGS = 60
LEAST_SECRET = 6
"""Characters from which on a text is looked for: a shorter one would be found everywhere."""
LOG_FILES = ("serve/*.log", "worker-*.err", "gcs_server.out", "raylet.err", "monitor.log", "dashboard.log")
API_TIMEOUT_S = 10.0


def write_bundle(
    file: Path, settings: Settings, findings: Sequence[Mapping[str, Any]], *, logs: Path = RAY_LOGS
) -> None:
    """Write what is known.

    Args:
        file: a zip file that is not there yet; readable for its owner alone.
        settings: of the service.
        findings: of the doctor, as JSON types.
        logs: folder of Ray's newest session.

    Raises:
        ServiceError: it cannot be written.
    """
    secrets = _secrets(settings)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in _parts(settings, findings, logs):
                bundle.writestr(name, without(secrets, redact(text)))
    except OSError as error:
        raise ServiceError(f"{file} cannot be written: {error.strerror}") from error


def _parts(settings: Settings, findings: Sequence[Mapping[str, Any]], logs: Path) -> Iterator[tuple[str, str]]:
    yield "written.txt", f"{datetime.now(UTC).isoformat(timespec='seconds')}\n"
    yield "findings.json", json.dumps(list(findings), indent=1)
    shown = settings.model_dump(mode="json", exclude={"database_url": True, "api": {"token"}})
    yield "settings.json", json.dumps(shown, indent=1)
    yield "packages.txt", "".join(sorted({f"{one.name} {one.version}\n" for one in distributions()}))
    yield from _of_service(settings)
    yield from _of_logs(logs)


def _of_service(settings: Settings) -> Iterator[tuple[str, str]]:
    with client(settings, timeout_s=API_TIMEOUT_S) as api:
        try:
            yield "streams.json", json.dumps(list(api.streams()), indent=1)
            yield "readers.json", json.dumps(api.readers(), indent=1)
            yield "sinks.json", json.dumps(api.sinks(), indent=1)
            yield "metrics.txt", api.metrics()
        except (ApiProblem, Unreachable) as error:
            yield "service.txt", f"{error}\n"


def _of_logs(folder: Path) -> Iterator[tuple[str, str]]:
    """The ends of the newest logs. The folder is below one that everybody may write: only what is ours is taken."""
    with suppress(OSError):
        folder = folder.resolve(strict=True)
        if folder.stat().st_uid != os.getuid():
            return
        files = [file for pattern in LOG_FILES for file in folder.glob(pattern)]
        for file in sorted(files, key=_age, reverse=True)[:MOST_LOGS]:
            text = _tail(file)
            if text:
                yield f"logs/{file.relative_to(folder)}", text


def _age(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0


def _tail(file: Path) -> str:
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_nlink > 1:
                return ""
            opened.seek(max(0, status.st_size - TAIL_BYTES))
            return opened.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _secrets(settings: Settings) -> list[str]:
    """All that must not leave, as far as it is known here."""
    found = list(_of_settings(settings))
    for file in (settings.data_dir / TOKEN_FILE, settings.key_file, Path(os.environ.get("RAY_AUTH_TOKEN_PATH", ""))):
        with suppress(OSError, UnicodeDecodeError):
            found += file.expanduser().read_text().split()
    words = ("TOKEN", "SECRET", "PASSWORD", "KEY", "DATABASE_URL")
    found += [value for name, value in os.environ.items() if any(word in name.upper() for word in words)]
    return sorted({secret for secret in found if len(secret) >= LEAST_SECRET}, key=len, reverse=True)


def _of_settings(settings: Settings) -> Iterator[str]:
    for section in (settings, *(value for _, value in settings)):
        for _, value in section if hasattr(section, "model_fields_set") else ():
            if isinstance(value, SecretStr):
                secret = value.get_secret_value()
                yield secret
                # Of a URL the password by itself, too: errors quote parts.
                yield secret.rpartition("@")[0].rpartition(":")[2]


def without(secrets: Sequence[str], text: str) -> str:
    """``text`` with every one of ``secrets`` hidden, also as it stands in JSON."""
    for secret in secrets:
        for form in {secret, json.dumps(secret)[1:-1]}:
            text = text.replace(form, HIDDEN)
    return text
