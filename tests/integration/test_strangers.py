"""Every socket of a running service, called by somebody who has no token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path

import grpc
import httpx
import pytest

from footfall import ApiProblem, Client, Unreachable
from tests.integration.brokers import free_port
from tests.integration.listeners import Listener, listeners
from tests.integration.soak.processes import command_line, descendants
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
API_TOKEN = "token-of-the-api"
EXPORTER_PORTS = (44217, 44227)
AGENT_PORT = 52365
"""Of Ray's exporters and agent, always: of two clusters on one machine, the second does without them."""
PATHS = (
    *("/", "/api/version", "/api/jobs/", "/api/job_agent/jobs/", "/nodes", "/nodes?view=summary", "/logs", "/metrics"),
    *("/api/v0/logs", "/api/v0/actors", "/api/v0/logs/file?filename=raylet.out", "/api/serve/applications/"),
    *("/api/cluster_status", "/api/v1/streams", "/api/v1/audit", "/docs", "/openapi.json", "/-/routes", "/-/healthz"),
    *(
        "/api/healthz",
        "/api/gcs_healthz",
        "/api/local_raylet_healthz",
        "/api/authentication_mode",
        "/healthz",
        "/readyz",
    ),
    *("/events", "/api/data/datasets/1", "/api/packages/gcs/x.zip", "/api/authenticate", "/worker/traceback?pid=1"),
)
OPEN_TO_ALL = {
    # What answers without a token, and nothing else does; docs/security.md says what each tells.
    "api": {"/", "/docs", "/healthz", "/readyz", "/-/healthz", "/-/routes"},
    "dashboard": {"/", "/api/gcs_healthz", "/api/authentication_mode"},
    "exporters": set(PATHS),  # numbers of Ray's autoscaler, for Prometheus, whatever is asked for
    "DashboardAgent": {"/api/healthz", "/api/local_raylet_healthz"},
}
BEYOND_LOOPBACK = (
    "ray::ServeReplica",
)  # Serve's own gRPC between replicas is bound to all interfaces, and asks for the token
METHODS = (
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.JobInfoGcsService/GetAllJobInfo",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.CoreWorkerService/PushTask",
    "/ray.rpc.ReporterService/GetTraceback",
    "/ray.serve.ASGIService/HandleRequest",
)


@dataclass(frozen=True)
class Running:
    folder: Path
    api: int
    dashboard: int
    pid: int = 0

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def settings(self) -> Path:
        """What it is started with, and reads again when it is told to."""
        return self.folder / "settings.yaml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def listeners(self) -> list[Listener]:
        return listeners(f"FOOTFALL_DATA_DIR={self.data_dir}")

    def of(self, process: str) -> list[int]:
        """Ports of the processes whose command line has a text."""
        return [found.port for found in self.listeners if process in found.process]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Running]:
    """`footfall up`, with Ray's dashboard, as on any machine."""
    folder = tmp_path_factory.mktemp("strangers")
    made = Running(folder, free_port(), free_port())
    made.settings.write_text("")
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    given |= {
        "FOOTFALL_DATA_DIR": str(made.data_dir),
        "FOOTFALL_API__PORT": str(made.api),
        "FOOTFALL_API__TOKEN": API_TOKEN,
        "FOOTFALL_DETECTOR__MODEL": str(model_path),
        "FOOTFALL_RAY__DASHBOARD_PORT": str(made.dashboard),
        "FOOTFALL_RAY__OBJECT_STORE_BYTES": str(200 << 20),
    }
    command = [str(Path(sys.executable).parent / "footfall"), "up", "--config", str(made.settings)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=given, start_new_session=True)

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(made.log[-3000:])
        try:
            with Client(f"http://127.0.0.1:{made.api}", token=API_TOKEN, timeout_s=2) as api:
                return api.readiness()["status"] == "ready"
        except (ApiProblem, Unreachable):
            return False

    try:
        wait_until(ready, 90, "the service")
        # Nobody else waits for Ray's agent. Beside another cluster on this machine it does without its port, for good;
        # whether it has it, the tests ask for themselves.
        with suppress(AssertionError):
            wait_until(lambda: answered(AGENT_PORT, "/api/healthz") == 200, 20, "Ray's agent")
        yield replace(made, pid=process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, made.log[-3000:]
    assert "draining" in made.log


def answered(port: int, path: str, method: str = "GET", **options: object) -> int | None:
    """Status of an answer with something in it; None if there is none, or no HTTP is spoken there."""
    try:
        answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", timeout=3, **options)  # type: ignore[arg-type]
    except httpx.HTTPError:
        return None
    return answer.status_code


def test_a_changed_file_is_taken_over_on_sighup_and_a_wrong_one_is_not(running: Running) -> None:
    def replicas() -> list[int]:
        return sorted(pid for pid in descendants(running.pid) if "ray::ServeReplica" in command_line(pid))

    before = replicas()
    assert before
    for text, said in (
        ("detector: {score_threshold: 0.4}", "settings are taken over"),
        ("detector: {score_threshold: 4}", "detector.score_threshold"),
        ("ray: {num_cpus: 3}", "ray.num_cpus: stop the service"),
    ):
        running.settings.write_text(text)
        os.kill(running.pid, signal.SIGHUP)
        wait_until(lambda said=said: said in running.log, 30, said)
    assert replicas() == before


def test_nothing_but_named_ports_listens_beyond_loopback(running: Running) -> None:
    found = running.listeners
    assert {running.api, running.dashboard} <= {listener.port for listener in found}
    beyond = [listener for listener in found if not listener.on_loopback]
    assert [listener for listener in beyond if not listener.process.startswith(BEYOND_LOOPBACK)] == []
    assert [listener for listener in found if listener.protocol == "udp"] == []


def is_exporter(listener: Listener) -> bool:
    """Whether that is a port of Ray's autoscaler or dashboard that tells its numbers, whatever is asked."""
    return listener.port in EXPORTER_PORTS


def test_over_http_strangers_learn_nothing_from_any_port(running: Running) -> None:
    opened: dict[str, set[str]] = {}
    answers: list[tuple[str, str, int, Listener]] = []
    found = running.listeners
    for listener in found:
        name = {running.api: "api", running.dashboard: "dashboard"}.get(
            listener.port, listener.process.removeprefix("ray::").split()[0]
        )
        if is_exporter(listener):
            name = "exporters"
        for path in PATHS:
            for method in ("GET", "POST"):
                status = answered(listener.port, path, method)
                if status is not None and status not in (401, 403, 404, 405):
                    opened.setdefault(name, set()).add(path)
                    answers.append((method, path, status, listener))
    assert "api" in opened
    beyond = {name: paths - OPEN_TO_ALL.get(name, set()) for name, paths in opened.items()}
    assert not any(beyond.values()), answers


def test_no_port_runs_a_strangers_job(running: Running, tmp_path: Path) -> None:
    for listener in filterfalse(is_exporter, running.listeners):
        for path in ("/api/jobs/", "/api/job_agent/jobs/"):
            job = {"entrypoint": f"touch {tmp_path / str(listener.port)}"}
            for headers in ({}, {"Authorization": "Bearer " + "x" * 43}):
                status = answered(listener.port, path, "POST", json=job, headers=headers)
                assert status in (None, 401, 403, 404), listener
    assert list(tmp_path.iterdir()) == []
    token = (running.data_dir / "ray-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert answered(running.dashboard, "/api/jobs/", headers=headers) == 200  # so it is the token that was missing


def test_whoever_has_rays_token_finds_no_other_secret_in_the_dashboard(running: Running) -> None:
    token = (running.data_dir / "ray-token").read_text().strip()
    places = (
        "serve/applications/",
        "jobs/",
        *(f"v0/{kind}?detail=1" for kind in ("actors", "workers", "nodes", "tasks")),
    )
    for place in places:
        url = f"http://127.0.0.1:{running.dashboard}/api/{place}"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 200, place
        assert API_TOKEN not in answer.text, place
        assert token not in answer.text, place


def test_no_grpc_port_answers_a_call_without_the_token(running: Running) -> None:
    refused: set[str] = set()
    for listener in running.listeners:
        with grpc.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
            for method in METHODS:
                status = called(channel, method)
                assert status in (
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.UNIMPLEMENTED,  # nothing of that name there
                    grpc.StatusCode.UNAVAILABLE,  # no gRPC
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    grpc.StatusCode.PERMISSION_DENIED,
                ), (listener, method, status)
                if status is grpc.StatusCode.UNAUTHENTICATED:
                    refused.add(method)
    # Each is there, on some port; the agent's own, where it has not had to do without.
    agents = {method for method in METHODS if "ReporterService" in method}
    assert refused | agents == set(METHODS)
    assert agents <= refused or AGENT_PORT not in [listener.port for listener in running.listeners]


def called(channel: grpc.Channel, method: str) -> grpc.StatusCode:
    try:
        channel.unary_unary(method, lambda data: data, lambda data: data)(b"", timeout=3)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_no_driver_joins_without_the_token(running: Running) -> None:
    with ThreadPoolExecutor() as at_once:  # Ray tries for long
        assert list(at_once.map(lambda token: joins(running, token), (None, "x" * 43))) == [False, False]


def test_a_driver_with_the_token_joins(running: Running) -> None:
    assert joins(running, (running.data_dir / "ray-token").read_text().strip())


def joins(running: Running, token: str | None) -> bool:
    """Whether a driver of somebody else's becomes a part of the cluster."""
    (gcs,) = running.of("gcs_server")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    mode = {"RAY_AUTH_MODE": "disabled"} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    code = f"import ray; ray.init('127.0.0.1:{gcs}', log_to_driver=False); print('JOINED', ray.nodes(), flush=True)"
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, env=environment | mode, capture_output=True, text=True, timeout=25)
    except subprocess.TimeoutExpired as error:  # Ray tries for minutes
        return b"JOINED" in (error.stdout or b"")
    return "JOINED" in done.stdout
