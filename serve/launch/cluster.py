"""What Ray is told before it is imported: who may come in, and from where.

Ray runs the code of whoever reaches one of its ports, and asks for nothing unless it is told to. A cluster that we
start asks for a token, and listens on loopback, as far as Ray lets us say so.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serve.errors import KeyFileError, ServiceError
from serve.keyfile import read_or_make_secret

TOKEN_FILE = "ray-token"
CONNECT_TIMEOUT_S = 5.0
COMMON: Mapping[str, str] = {
    # Ray reads these when it is imported, and in every process that it starts.
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_DEDUP_LOGS": "0",
    # Ray makes its workers nice (15): pictures would wait for whatever else the machine does.
    "RAY_worker_niceness": "0",
    # A replica that does not answer would be given the time that a reader has to hand over; frozen inside of SQLite's
    # lock, it would hold up all others for as long.
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
}
OURS: Mapping[str, str] = {
    "RAY_AUTH_MODE": "token",
    # Its name tells of other systems; what it does is to keep a cluster of one node on loopback. Without it Ray turns
    # 127.0.0.1 into the machine's own address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
WITHOUT_METRICS: Mapping[str, str] = {
    # Their ports answer everybody; our numbers are at /metrics.
    "RAY_enable_metrics_collection": "0",
}
_TOKEN = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def environment(data_dir: Path, given: Mapping[str, str], *, metrics: bool = False) -> dict[str, str]:
    """What has to be set besides ``given`` to start a cluster; its token is made if there is none.

    Args:
        data_dir: where the token's file is, unless ``given`` names another.
        given: the environment; what an operator has set there stays.
        metrics: whether the cluster collects metrics, and its ports for them are open.

    Raises:
        ServiceError: there is no token that could be used, or ``given`` leaves the cluster open.
    """
    mode = given.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        raise ServiceError(
            f"RAY_AUTH_MODE={mode}: without a token Ray runs the code of anybody who reaches its ports; unset it"
        )
    wanted = {**COMMON, **OURS, **({} if metrics else WITHOUT_METRICS)}
    if not any(given.get(name) for name in _TOKEN):
        path = data_dir.expanduser().absolute() / TOKEN_FILE
        try:
            read_or_make_secret(path, lambda: secrets.token_urlsafe(32).encode())
        except KeyFileError as error:
            raise ServiceError(f"Ray's token: {error}") from error
        wanted["RAY_AUTH_TOKEN_PATH"] = str(path)
    elif not given.get("RAY_AUTH_TOKEN"):
        _check(Path(given["RAY_AUTH_TOKEN_PATH"]))
    return {name: value for name, value in wanted.items() if name not in given}


def _check(path: Path) -> None:
    """Of an operator's own file: that there is something in it. Who else may read it is his business."""
    try:
        if not path.read_text().strip():
            raise ServiceError(f"Ray's token: {path} (RAY_AUTH_TOKEN_PATH) is empty")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ServiceError(f"Ray's token: {path} (RAY_AUTH_TOKEN_PATH) cannot be read: {reason}") from error


def require_reachable(address: str) -> None:
    """Of a cluster that is not ours: that somebody answers there. Ray itself would try for ever, and hear no Ctrl-C.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, or a word that Ray knows, such as ``auto``.

    Raises:
        ServiceError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServiceError(f"no Ray cluster answers at {address} (ray.address): {reason}") from error


@contextmanager
def signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and aborts the process with it: whoever listened before listens afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # else somebody listens of whom Python does not know
                signal.signal(number, handler)


@contextmanager
def told(variables: Mapping[str, str]) -> Iterator[None]:
    """With ``variables`` in the environment; the next service of this process may have a token of its own."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

        AuthenticationTokenLoader.instance().reset_cache()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
