from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from serve.errors import ServiceError
from serve.launch import cluster
from serve.launch.cluster import require_reachable
from tests.integration.brokers import free_port


def test_a_cluster_gets_a_token_that_only_its_owner_can_read_and_keeps_it(tmp_path: Path) -> None:
    first = cluster.environment(tmp_path, {})
    path = Path(first["RAY_AUTH_TOKEN_PATH"])
    token = path.read_text().strip()
    assert first["RAY_AUTH_MODE"] == "token"
    assert path == tmp_path / "ray-token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 32
    assert cluster.environment(tmp_path, {}) == first
    assert path.read_text().strip() == token


def test_metrics_ports_that_answer_everybody_are_shut_unless_somebody_wants_them(tmp_path: Path) -> None:
    (shut,) = cluster.WITHOUT_METRICS
    assert cluster.environment(tmp_path, {})[shut] == "0"
    assert shut not in cluster.environment(tmp_path, {}, metrics=True)
    assert cluster.environment(tmp_path, {}, metrics=True)["RAY_AUTH_MODE"] == "token"


def test_whoever_listens_for_signals_does_so_after_rays_start() -> None:
    heard: list[int] = []
    outer = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with cluster.signals_kept():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, outer)
    assert heard == [signal.SIGTERM]


def test_an_operators_own_values_win(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("a-token-of-the-operator\n")
    for given in ({"RAY_AUTH_TOKEN": "x" * 32}, {"RAY_AUTH_TOKEN_PATH": str(own)}):
        missing = cluster.environment(tmp_path / "data", {**given, "RAY_DEDUP_LOGS": "1"})
        assert not {*given, "RAY_DEDUP_LOGS"} & missing.keys()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("mode", ["disabled", "DISABLED", "k8s", ""])
def test_a_cluster_of_ours_is_not_started_open(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ServiceError, match="RAY_AUTH_MODE"):
        cluster.environment(tmp_path, {"RAY_AUTH_MODE": mode})


def test_a_token_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    for own in (tmp_path / "missing", tmp_path):
        with pytest.raises(ServiceError, match="RAY_AUTH_TOKEN_PATH"):
            cluster.environment(tmp_path, {"RAY_AUTH_TOKEN_PATH": str(own)})
    (tmp_path / "ray-token").write_text("everybody can read this")
    (tmp_path / "ray-token").chmod(0o644)
    with pytest.raises(ServiceError, match="chmod 600"):
        cluster.environment(tmp_path, {})


def test_a_cluster_where_nobody_answers_is_said_at_once() -> None:
    """Ray's own attempt cannot be broken off."""
    nobody = free_port()
    for address in (f"127.0.0.1:{nobody}", f"ray://127.0.0.1:{nobody}", "127.0.0.1:99999", "no-such-host.invalid:6379"):
        with pytest.raises(ServiceError, match=r"no Ray cluster answers at .*\(ray\.address\)"):
            require_reachable(address)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        require_reachable(f"127.0.0.1:{somebody.getsockname()[1]}")
    for known_to_ray in ("auto", "local"):
        require_reachable(known_to_ray)
