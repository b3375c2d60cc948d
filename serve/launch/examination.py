"""All that ``footfall doctor`` looks at, in the order in which one would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from footfall import ApiProblem, Unreachable
from footfall.types import StreamAnswer
from serve.errors import ServiceError
from serve.launch import cluster
from serve.launch.service import Service, client
from serve.monitoring import machine, parts
from serve.monitoring.findings import Finding, examined, failed, ok, skipped, warning
from serve.settings import Settings

API_TIMEOUT_S = 5.0
NAMED = 20
"""Streams that have something wrong with them and are named; of others there is a number."""
_WRONG = ("failed", "reconnecting")


@dataclass(frozen=True)
class Wanted:
    """What else is to be looked at.

    Attributes:
        cameras: URLs.
        brokers: of Kafka, ``HOST:PORT`` each.
        ntp: a server that is asked for the time.
    """

    cameras: Sequence[str] = field(default_factory=tuple)
    brokers: Sequence[str] = field(default_factory=tuple)
    ntp: str | None = None


def examine(settings: Settings, wanted: Wanted) -> Iterator[Finding]:
    """Look at everything, one after another; what breaks down is a finding."""
    yield from examined("machine", lambda: machine.examine_machine(settings.data_dir, _shared_bytes(settings)))
    yield from examined("clock", lambda: [machine.judge_clock(machine.read_clock(wanted.ntp))])
    yield from examined("libraries", parts.examine_libraries)
    yield from examined("decoders", lambda: [parts.examine_codecs()])
    yield from examined("detector", lambda: [parts.examine_detector(settings.detector)])
    yield from examined("database", lambda: [parts.examine_database(settings)])
    yield from examined("Ray", lambda: [_examine_ray(settings)])
    yield from examined("service", lambda: _examine_service(settings))
    limits = settings.source_limits
    if wanted.brokers:
        yield from examined("Kafka", lambda: [parts.examine_broker(list(wanted.brokers), limits)])
    for url in wanted.cameras:
        yield from examined("camera", lambda url=url: [parts.examine_camera(url, limits)])  # type: ignore[misc]


def _shared_bytes(settings: Settings) -> int:
    """What Ray is given on this machine; in a cluster of others that is theirs."""
    return settings.ray.object_store_bytes if settings.ray.address is None else 0


def _examine_ray(settings: Settings) -> Finding:
    address = settings.ray.address
    if address is None:
        return ok("Ray", "a cluster of its own is started with the service")
    try:
        cluster.require_reachable(address)
    except ServiceError as error:
        return failed("Ray", str(error), "Start it (ray start --head), or correct ray.address.")
    return ok("Ray", f"somebody listens at {address}")


def _examine_service(settings: Settings) -> Iterator[Finding]:
    """The service if it runs; else whether its ports are free."""
    with client(settings, timeout_s=API_TIMEOUT_S) as api:
        try:
            readiness = api.readiness()
        except Unreachable:
            yield from _examine_ports(settings)
            return
        except ApiProblem as error:
            yield _refused(settings, error)
            return
        url = Service(settings).url
        if readiness["status"] == "ready":
            yield ok("service", f"runs at {url}")
        else:
            advice = "Wait a minute after a start; then look into the logs of the replicas (docs/operations.md)."
            yield failed("service", f"runs at {url}, not ready: {'; '.join(readiness['problems'])}", advice)
        try:
            yield from judge_streams(list(api.streams()))
        except ApiProblem as error:
            yield _refused(settings, error)


def _refused(settings: Settings, error: ApiProblem) -> Finding:
    port = settings.api.port
    if error.status == 401:
        return skipped("streams", "the API asks for a token", "Set FOOTFALL_API__TOKEN (footfall tokens create).")
    advice = f"Something else may listen there: lsof -i :{port}, or set api.port."
    return failed("service", f"port {port}: {error}", advice)


def _examine_ports(settings: Settings) -> Iterator[Finding]:
    wanted = {"api.port": (settings.api.host, settings.api.port)}
    if settings.ray.address is None and settings.ray.dashboard:
        wanted["ray.dashboard_port"] = "127.0.0.1", settings.ray.dashboard_port
    for name, (host, port) in wanted.items():
        if parts.port_is_free(host, port):
            yield ok(f"port {port}", f"free for {name}; the service does not run")
        else:
            yield failed(f"port {port}", f"somebody else listens there ({name})", f"lsof -i :{port}, or set {name}.")


def judge_streams(streams: Sequence[StreamAnswer]) -> Iterator[Finding]:
    """What is wrong with which, the first ones by name."""
    if not streams:
        yield skipped("streams", "none is registered")
        return
    wrong = [stream for stream in streams if stream["error"] is not None or stream["state"] in _WRONG]
    well = len(streams) - len(wrong)
    if well:
        yield ok("streams", f"{well} of {len(streams)} run, or are stopped as wanted")
    for stream in wrong[:NAMED]:
        what = f"{stream['state']}: {stream['error'] or 'no reason is given'}"
        judge = failed if stream["state"] == "failed" else warning
        yield judge(f"stream {stream['id']}", what, "footfall doctor --camera URL tries its address from here.")
    if len(wrong) > NAMED:
        rest = len(wrong) - NAMED
        yield warning("streams", f"{rest} more have something wrong with them", "The page lists them (filter: state).")
