"""The whole service on this machine or on a cluster: start, wait until it answers, stop."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from footfall import ApiProblem, Client, Unreachable
from pipelines.detection.exchangeable import check_input_size
from pipelines.detection.onnx import CPU
from pipelines.models.catalogue import resolve
from serve.deployments.detection import open_detector
from serve.deployments.reads import LIVE
from serve.errors import ServiceError, SettingsError
from serve.keyfile import read_secret
from serve.launch import cluster
from serve.settings import Settings

logger = logging.getLogger(__name__)
READY_TIMEOUT_S = 120.0
UPDATE_TIMEOUT_S = 180.0
"""For old readers to hand over, and new ones to start; where nothing is free for these, it takes for ever."""


class Service:
    """The Ray Serve graph of one set of settings; as a context manager it is stopped at the end.

    Args:
        settings: everything.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ours = settings.ray.address is None
        self._running = False
        self._launch = uuid.uuid4().hex
        self._input_size = (0, 0)
        self._told = ExitStack()

    @property
    def url(self) -> str:
        """Address of the page."""
        host = self._settings.api.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._settings.api.port}"

    def start(self) -> None:
        """Start Ray if need be, deploy the graph, and wait until the API answers.

        Raises:
            ModelNotFound, ModelInvalid: the detector's model is not on this machine, or is none.
            ServiceError: a port is taken, the data directory cannot be written, the cluster does not answer, or the
                graph does not come up.
        """
        resolve(self._settings.detector.model)  # a missing model is better said now than in a replica's log
        self._check_place()
        if self._settings.ray.address is not None:
            cluster.require_reachable(self._settings.ray.address)
        # Into a cluster that runs, an operator's own environment leads.
        data_dir, given = self._settings.data_dir, os.environ
        missing = {name: value for name, value in cluster.COMMON.items() if name not in given}
        if self._ours:
            missing = cluster.environment(data_dir, given, metrics=self._settings.ray.metrics)
        self._told.enter_context(cluster.told(missing))
        self._input_size = _input_size(self._settings)
        import ray  # after its environment is set
        from ray import serve as rayserve

        try:
            with cluster.signals_kept():
                self._init_ray(ray)
            api = self._settings.api
            logging.getLogger("ray.serve").setLevel("WARNING")
            rayserve.start(
                http_options={"host": api.host, "port": api.port, "request_timeout_s": None},
                logging_config={"log_level": "WARNING", "enable_access_log": False},
            )
            self._running = True
            self._deploy(self._settings)
        except (RuntimeError, ValueError, ConnectionError, TimeoutError) as error:
            self.stop()
            raise ServiceError(f"the service does not start: {_first_line(error)}") from error
        self._wait_ready()

    def update(self, settings: Settings, stop: threading.Event | None = None) -> None:
        """Go on with other settings: only the deployments that read a changed one are restarted.

        The detector's model and thresholds restart none. What cannot be is refused before anything is changed.

        Args:
            settings: from now on.
            stop: ends waiting for it.

        Raises:
            ModelNotFound, ModelInvalid: the detector's model is not on this machine, is none, or takes images of
                another size.
            SettingsError: a setting changed that holds for the whole life of the service.
            ServiceError: the graph does not come up; what runs goes on as far as it can.
        """
        fixed = _fixed(settings).items() ^ _fixed(self._settings).items()
        if fixed:
            raise SettingsError(f"{', '.join(sorted({name for name, _ in fixed}))}: stop the service and start it anew")
        check_input_size(self._input_size, _input_size(settings))
        try:
            self._deploy(settings, wait=False)
            self._settings = settings
            self._wait_running(stop or threading.Event())
        except ServiceError:
            raise
        except Exception as error:  # Ray's and Serve's own, of many kinds; the service goes on
            raise ServiceError(_first_line(error)) from error

    @staticmethod
    def _wait_running(stop: threading.Event) -> None:
        from ray import serve as rayserve
        from ray.serve.schema import ApplicationStatus

        from serve.deployments.graph import APP_NAME

        deadline = time.monotonic() + UPDATE_TIMEOUT_S
        while True:
            found = rayserve.status().applications[APP_NAME]
            if found.status is ApplicationStatus.RUNNING or stop.is_set():
                return
            if found.status is ApplicationStatus.DEPLOY_FAILED:
                raise ServiceError(found.message or "the deployment failed")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"not everything runs with the new settings yet: {found.message or 'still starting'}"
                )
            stop.wait(0.2)

    def _deploy(self, settings: Settings, *, wait: bool = True) -> None:
        from ray import serve as rayserve

        from serve.deployments.graph import APP_NAME, build_graph

        # All of them, so that what a replica began with is not what it falls back to.
        live = {name: getattr(settings.detector, name) for name in LIVE}
        document = settings.to_arguments()
        document["detector"] = {**document.get("detector", {}), **live}
        graph = build_graph(Settings.of(document), self._launch)
        target = rayserve.RunTarget(graph, name=APP_NAME, route_prefix="/")
        rayserve.run_many([target], wait_for_applications_running=wait)

    def _check_place(self) -> None:
        folder = self._settings.data_dir.expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # camera passwords are in the database
            probe = folder / f".write-test-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ServiceError(f"data directory {folder} cannot be written: {error.strerror}") from error
        if os.path.lexists(self._settings.key_file):
            read_secret(self._settings.key_file)
        api = self._settings.api
        family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
        with socket.socket(family) as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe_socket.bind((api.host, api.port))
            except OSError as error:
                reason = f"{api.host}:{api.port} cannot be used: {error.strerror}; choose another with --port"
                raise ServiceError(reason) from error

    def _init_ray(self, ray: Any) -> None:
        wanted = self._settings.ray
        if not self._ours:
            ray.init(wanted.address, log_to_driver=False, logging_level="WARNING")
            return
        # Ray plans with CPUs as tokens; our replicas are threads that share what there is, so never plan too few.
        cpus = wanted.num_cpus or max(os.cpu_count() or 1, self._planned_cpus())
        ray.init(
            "local",
            _node_ip_address="127.0.0.1",
            num_cpus=cpus,
            include_dashboard=wanted.dashboard,
            dashboard_host="127.0.0.1",
            dashboard_port=wanted.dashboard_port,
            object_store_memory=wanted.object_store_bytes,
            log_to_driver=True,
            logging_level="WARNING",
        )

    def _planned_cpus(self) -> int:
        reader, detector = self._settings.reader, self._settings.detector
        needed = (reader.max_replicas or reader.replicas) * reader.cpus + 1
        if detector.placement != "inline":
            needed += (detector.max_replicas or detector.replicas) * detector.cpus
        return int(needed) + 1

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        problems = "the API does not answer"
        with client(self._settings, timeout_s=5) as api:
            while time.monotonic() < deadline:
                with suppress(Unreachable, ApiProblem):
                    found = api.readiness()
                    if found["status"] == "ready":
                        return
                    problems = "; ".join(found["problems"])
                time.sleep(0.2)
        self.stop()
        raise ServiceError(f"the service is not ready after {READY_TIMEOUT_S:.0f} s: {problems}")

    def wait(self, stop: threading.Event) -> None:
        """Until ``stop``."""
        while not stop.wait(0.5):
            pass

    def stop(self) -> None:
        """Drain and shut down; a cluster that is not ours goes on without us. Idempotent."""
        if self._running:
            self._running = False
            import ray
            from ray import serve as rayserve

            from serve.deployments.graph import APP_NAME

            with suppress(Exception):
                rayserve.delete(APP_NAME)  # waits for the replicas' drain: checkpoints are written
            with suppress(Exception):
                ray.shutdown()  # takes Serve's controller along, if the cluster is ours
        self._told.close()

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def client(settings: Settings, timeout_s: float = 30.0) -> Client:
    """A client of the API of these settings."""
    token = settings.api.token
    return Client(Service(settings).url, token=token.get_secret_value() if token else None, timeout_s=timeout_s)


def _input_size(settings: Settings) -> tuple[int, int]:
    """Of the model, loaded for a moment, on the CPU: replicas that cannot read it would be started over and over."""
    detector = open_detector(settings.detector, providers=(CPU,))
    detector.close()
    return detector.input_size


def _fixed(settings: Settings) -> dict[str, str]:
    """What holds for as long as a service runs."""
    api = settings.api
    ray = {f"ray.{name}": str(value) for name, value in settings.ray}
    return {"data_dir": str(settings.data_dir), "api.host": api.host, "api.port": str(api.port), **ray}


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
