"""A Ray cluster as an operator starts one, for what is deployed with `serve deploy`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serve.launch.service import RAY_ENVIRONMENT
from tests.integration.brokers import free_port
from tests.waiting import wait_until

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class RayHead:
    """A head node, in a process group of its own."""

    dashboard: str
    environment: dict[str, str]
    pid: int

    @staticmethod
    @contextmanager
    def started(folder: Path) -> Iterator[RayHead]:
        """Until the end of the block; ``folder`` is for its log."""
        dashboard = free_port()
        environment = {**os.environ, **RAY_ENVIRONMENT}
        command = [
            *(str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=4", "--node-ip-address=127.0.0.1"),
            *(f"--port={free_port()}", "--include-dashboard=true", f"--dashboard-port={dashboard}"),
            *(f"--ray-client-server-port={free_port()}", "--object-store-memory=200000000"),
            *(
                f"--dashboard-agent-listen-port={free_port()}",
                f"--min-worker-port={20000}",
                f"--max-worker-port={29999}",
            ),
        ]
        with (folder / "ray.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder, start_new_session=True
            )
        head = RayHead(f"http://127.0.0.1:{dashboard}", environment, process.pid)

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError((folder / "ray.log").read_text()[-3000:])
            try:
                head.applications()
            except httpx.HTTPError:
                return False
            return True

        try:
            wait_until(answers, 60, "the Ray dashboard")
            yield head
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def applications(self) -> dict[str, Any]:
        """What Serve says of all applications, by name."""
        found = httpx.get(f"{self.dashboard}/api/serve/applications/", timeout=5).raise_for_status().json()
        applications: dict[str, Any] = found["applications"]
        return applications

    def deploy(self, config: dict[str, Any]) -> None:
        """As `serve deploy` does: it restarts only what changed, and does not wait for it."""
        httpx.put(f"{self.dashboard}/api/serve/applications/", json=config, timeout=30).raise_for_status()
