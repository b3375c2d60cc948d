"""The service as an operator deploys it, and has parts of it exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from analytics.counting.people import PEOPLE
from analytics.storage.database import DatabaseStore
from footfall import ApiProblem, Client, Unreachable
from tests.integration.brokers import free_port
from tests.integration.conftest import service_settings
from tests.integration.ray_head import RayHead
from tests.integration.soak.processes import command_line, descendants
from tests.waiting import wait_until

APP = "chaos"


class Deployed:
    """The service, deployed to a Ray cluster, with two readers and with more sections of settings laid over it.

    Args:
        head: of the cluster.
        folder: see the attributes.
        model: path of the detector's model.
        database_url: see the attributes.

    Attributes:
        folder: of the service's data, as it is deployed next.
        database_url: likewise; None for SQLite in the folder.
        sections: of the settings.
        options: of deployments, as a Serve config has them.
    """

    def __init__(self, head: RayHead, folder: Path, model: Path, database_url: str | None = None) -> None:
        self._head, self._model = head, model
        self.folder, self.database_url = folder, database_url
        self._port = free_port()
        self.sections: dict[str, dict[str, Any]] = {
            "reader": {"replicas": 2, "cpus": 0.5, "heartbeat_timeout_s": 3},
            "detector": {"timeout_s": 2},
        }
        self.options: dict[str, dict[str, Any]] = {}

    def deploy(self, **sections: dict[str, Any]) -> None:
        """Change some settings, as an operator does; does not wait for what is restarted."""
        for name, section in sections.items():
            self.sections[name] = {**self.sections.get(name, {}), **section}
        self._put()

    def pids_of(self, kind: str) -> list[int]:
        """Processes of one of Serve's own parts, such as ``ServeController`` or ``ProxyActor``."""
        return [pid for pid in descendants(self._head.pid) if command_line(pid).startswith(f"ray::{kind}")]

    def replace(self, deployment: str) -> None:
        """Have all replicas of one deployment exchanged, and none of another; does not wait for it.

        Serve takes changed arguments of an application for other code, and exchanges everything. What is changed for
        one deployment alone, such as the CPUs that it plans with, does not touch the others.
        """
        cpus = {"num_cpus": 0.2}, {"num_cpus": 0.3}
        options = self.options.setdefault(deployment, {})
        options["ray_actor_options"] = cpus[options.get("ray_actor_options") == cpus[0]]
        self._put()

    def use_model(self, path: Path, *deployments: str) -> None:
        """Have another model find people, without a restart; does not wait for it."""
        for name in deployments:
            self.options.setdefault(name, {})["user_config"] = {"model": str(path)}
        self._put()

    def _put(self) -> None:
        settings = service_settings(self.folder, self._model, **self.sections)
        self._head.deploy(
            {
                "proxy_location": "HeadOnly",
                "http_options": {"host": "127.0.0.1", "port": self._port},
                "applications": [
                    {
                        "name": APP,
                        "route_prefix": "/",
                        "import_path": "serve.deployments.graph:build_app",
                        "args": {
                            **settings.to_arguments(),
                            "api": {"port": self._port, "wrong_tokens_per_minute": 1_000_000},
                            "database_url": self.database_url,
                        },
                        "deployments": [{"name": name, **options} for name, options in self.options.items()],
                    }
                ],
            }
        )

    @property
    def store_url(self) -> str:
        return self.database_url or service_settings(self.folder, self._model).store_url

    def wait_counted(self, camera: str, longer_s: float) -> None:
        """Until so much more of a camera is in the database, whether or not anybody answers meanwhile."""
        with closing(DatabaseStore(self.store_url)) as store:

            def covered_s() -> float:
                now_s = time.time()
                rows = store.minutes(camera, int(now_s) - 3600, int(now_s) + 120, (PEOPLE,))
                return float(sum(row.totals[PEOPLE].covered_s for row in rows))

            begun_s = covered_s()
            wait_until(lambda: covered_s() > begun_s + longer_s, 60, f"{longer_s:.0f} s of {camera} to be counted")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def client(self) -> Client:
        return Client(self.url, timeout_s=10)

    def pids(self, deployment: str) -> dict[str, int]:
        """Processes of a deployment's running replicas, by the replica's name."""
        found = self.application().get("deployments", {}).get(deployment, {"replicas": []})
        return {one["replica_id"]: one["pid"] for one in found["replicas"] if one["state"] == "RUNNING"}

    def wait_replicas(self, deployment: str, fits: Callable[[dict[str, int]], bool], what: str) -> dict[str, int]:
        """Processes of the running replicas, once they fit and Serve calls the whole healthy."""

        def settled() -> dict[str, int] | None:
            pids = self.pids(deployment)
            return pids if self.application()["status"] == "RUNNING" and fits(pids) else None

        return wait_until(settled, 90, what, every_s=0.3)  # type: ignore[return-value]

    def wait_ready(self) -> None:
        def ready() -> bool:
            try:
                with self.client() as api:
                    return api.readiness()["status"] == "ready"
            except (ApiProblem, Unreachable):
                return False

        wait_until(ready, 90, "the deployed service")
        readers = self.sections["reader"]["replicas"]
        self.wait_replicas("StreamReader", lambda pids: len(pids) == readers, f"{readers} readers")

    def application(self) -> dict[str, Any]:
        """What Serve says of it."""
        found: dict[str, Any] = self._head.applications().get(APP, {"status": "none", "message": ""})
        return found
