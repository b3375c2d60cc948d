"""A Ray cluster as an operator starts one, for what is deployed with `serve deploy`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import ray

from serve.launch import cluster
from tests.integration.brokers import free_port
from tests.integration.soak.processes import command_line, descendants
from tests.waiting import wait_until

BIN = Path(sys.executable).parent


HEAD_NODE_ID = "f" * 51 + "0" * 5
"""What Ray's provider of pretended machines calls the head."""
MODEST = 10
"""Nice value of a head that starts again while others work."""


@dataclass(frozen=True)
class Machines:
    """What Ray's own node autoscaler may add, with real nodes on this machine in the place of others.

    Attributes:
        cpus: that each has, as far as Ray plans with them.
        most: at the same time.
        idle_s: it goes after so long without work.
    """

    cpus: int
    most: int
    idle_s: float = 5.0


class Node:
    """A worker node: a raylet with its processes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pids(self) -> list[int]:
        """Of all of its processes."""
        return [self._process.pid, *descendants(self._process.pid)]

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes at once."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        """As Kubernetes ends a pod: its first process is asked, and sees to the others; does not wait for it."""
        self._process.terminate()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask all of them to go; who does not is killed."""
        pids = self.pids
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(20)


class RayHead:
    """A head node, in a process group of its own.

    Attributes:
        dashboard: URL.
        address: where other nodes join.
        environment: that it was started with.
    """

    def __init__(
        self, dashboard: str, address: str, environment: dict[str, str], command: list[str], folder: Path
    ) -> None:
        self.dashboard, self.address, self.environment = dashboard, address, environment
        self._command, self._folder = command, folder
        self._temporary: list[str] = []
        self._process = _start(command, folder / "ray.log", environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    @staticmethod
    @contextmanager
    def started(
        folder: Path, cpus: int = 4, machines: Machines | None = None, *, alone: bool = True, **variables: str
    ) -> Iterator[RayHead]:
        """Until the end of the block.

        Args:
            folder: for its log and its token.
            cpus: that Ray plans with.
            machines: that it may add.
            alone: it keeps to loopback, and no other node may join.
            variables: of the environment.
        """
        # What keeps a cluster of one node on loopback keeps other nodes out.
        host, several = ("127.0.0.1", "0") if alone else (ray.util.get_node_ip_address(), "1")
        dashboard, address = free_port(), f"{host}:{free_port()}"
        unset = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
        environment = {**unset, **cluster.environment(folder, unset), **variables}
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = several
        command = [
            *("ray", "start", "--head", "--block", f"--num-cpus={cpus}", f"--node-ip-address={host}"),
            *(f"--port={address.rpartition(':')[2]}", "--include-dashboard=true", f"--dashboard-port={dashboard}"),
            *(f"--ray-client-server-port={free_port()}", "--object-store-memory=200000000"),
            *(f"--dashboard-agent-listen-port={free_port()}", "--min-worker-port=20000", "--max-worker-port=29999"),
        ]
        if machines is not None:
            command.append(f"--autoscaling-config={_autoscaling(folder, cpus, machines, address)}")
            environment |= {
                "RAY_FAKE_CLUSTER": "1",
                "RAY_enable_autoscaler_v2": "1",
                "RAY_CLOUD_INSTANCE_ID": HEAD_NODE_ID,
                "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_NODE_ID,
                "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            }
        head = RayHead(f"http://127.0.0.1:{dashboard}", address, environment, command, folder)
        try:
            head.wait_answers()
            yield head
        finally:
            head.stop()

    def wait_answers(self) -> None:
        def answers() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError((self._folder / "ray.log").read_text()[-3000:])
            try:
                self.applications()
            except httpx.HTTPError:
                return False
            return True

        wait_until(answers, 60, "the Ray dashboard")

    @property
    def gcs(self) -> int:
        """Process that knows the cluster."""
        (pid,) = [pid for pid in descendants(self.pid) if "/gcs_server" in command_line(pid).partition(" ")[0]]
        return pid

    def kill_gcs(self) -> None:
        """The rest of the head ends with it, by itself."""
        os.kill(self.gcs, signal.SIGKILL)
        self._process.wait(30)

    def start_again(self) -> None:
        """As Kubernetes starts a container again: the same command, on what is on the disk."""
        # With a /tmp of its own, as in a container: from what it finds in the old one, and the processes of other nodes
        # on this machine, Ray would conclude that the head still runs.
        self._temporary.append(tempfile.mkdtemp(prefix="ray-"))  # not among pytest's: sockets have short paths
        command = [*self._command, f"--temp-dir={self._temporary[-1]}"]
        self._process = _start(command, self._folder / "ray.log", self.environment, modest=True)
        self.wait_answers()
        for pid in Node(self._process).pids:  # what it starts from here on works like all others
            for thread in Path(f"/proc/{pid}/task").glob("*"):
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), 0)

    def stop(self) -> None:
        Node(self._process).stop()
        for folder in self._temporary:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def joined(self, folder: Path, cpus: int, **variables: str) -> Iterator[Node]:
        """Another node, until the end of the block; see `started`."""
        known = len(self.nodes())
        command = [
            *("ray", "start", f"--address={self.address}", "--block", f"--num-cpus={cpus}"),
            *(f"--node-ip-address={self.address.partition(':')[0]}", "--object-store-memory=200000000"),
            *(f"--dashboard-agent-listen-port={free_port()}", "--min-worker-port=12000", "--max-worker-port=19999"),
        ]
        log = folder / f"node-{known}.log"
        process = _start(command, log, {**self.environment, **variables})
        node = Node(process)

        def joined() -> bool:
            if process.poll() is not None:
                raise RuntimeError(log.read_text()[-3000:])
            return len(self.nodes()) > known

        try:
            wait_until(joined, 60, "the node to join", every_s=0.3)
            yield node
        finally:
            node.stop()

    def nodes(self) -> list[str]:
        """Ids of those that are alive."""
        return sorted(node["raylet"]["nodeId"] for node in self._summary() if node["raylet"].get("state") == "ALIVE")

    def _summary(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.dashboard}/nodes?view=summary", headers=self._headers, timeout=5)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["summary"]
        return found

    @property
    def node(self) -> str:
        """Id of the head's own."""
        (found,) = (node for node in self._summary() if node["raylet"].get("isHeadNode"))
        return str(found["raylet"]["nodeId"])

    def drain(self, node: str, within_s: int = 120) -> None:
        """Tell Ray that a node will be gone, as clouds and Kubernetes do; does not wait for it."""
        words = ("--reason=DRAIN_NODE_REASON_PREEMPTION", "--reason-message=a test", f"--node-id={node}")
        command = [str(BIN / "ray"), "drain-node", f"--address={self.address}", *words]
        command.append(f"--deadline-remaining-seconds={within_s}")
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=60)

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


def _start(
    command: list[str], log: Path, environment: dict[str, str], *, modest: bool = False
) -> subprocess.Popen[bytes]:
    """Start a node.

    Args:
        command: of Ray.
        log: for what it says.
        environment: of its processes.
        modest: it takes only what others leave of the cores: elsewhere it would have its own.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
            # In a session of its own, Linux would give a node that starts as much of the few cores as all that run.
            process_group=0,
        )
    if modest:
        os.setpriority(os.PRIO_PROCESS, process.pid, MODEST)
    return process


def _autoscaling(folder: Path, cpus: int, machines: Machines, address: str) -> Path:
    """The file of a cluster of one type of machines, which are started here."""
    provider = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    lists = (*(f"{name}_commands" for name in commands), "cluster_synced_files", "rsync_exclude", "rsync_filter")
    document = {
        "cluster_name": "footfall",
        "max_workers": machines.most,
        "idle_timeout_minutes": machines.idle_s / 60,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "external",
            "module": provider,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "launch_multiple": True,
            "head_node_id": HEAD_NODE_ID,
            "gcs_address": address,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": cpus}, "node_config": {}, "max_workers": 0},
            "worker": {
                "resources": {"CPU": machines.cpus, "object_store_memory": 100_000_000},
                "node_config": {},
                "min_workers": 0,
                "max_workers": machines.most,
            },
        },
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in lists},
    }
    path = folder / "machines.json"
    path.write_text(json.dumps(document))
    return path
