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

from serve.launch import cluster
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
    def started(folder: Path, **variables: str) -> Iterator[RayHead]:
        """Until the end of the block; ``folder`` is for its log and its token, ``variables`` go to the environment."""
        dashboard = free_port()
        unset = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
        environment = {**unset, **cluster.environment(folder, unset), **variables}
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

    @property
    def _headers(self) -> dict[str, str]:
        """The cluster's token."""
        token = Path(self.environment["RAY_AUTH_TOKEN_PATH"]).read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    def applications(self) -> dict[str, Any]:
        """What Serve says of all applications, by name."""
        answer = httpx.get(f"{self.dashboard}/api/serve/applications/", headers=self._headers, timeout=5)
        applications: dict[str, Any] = answer.raise_for_status().json()["applications"]
        return applications

    def deploy(self, config: dict[str, Any]) -> None:
        """As `serve deploy` does: it restarts only what changed, and does not wait for it."""
        address = f"{self.dashboard}/api/serve/applications/"
        httpx.put(address, json=config, headers=self._headers, timeout=30).raise_for_status()
