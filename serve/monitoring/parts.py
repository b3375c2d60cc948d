"""What the service is made of: libraries, decoders, the detector, ports, database, broker, cameras."""

from __future__ import annotations

import platform
import socket
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import av
import numpy as np
from kafka.errors import KafkaError
from packaging.requirements import InvalidRequirement, Requirement

from analytics.errors import StoreError
from analytics.storage.condition import database_condition
from pipelines.detection.onnx import OnnxDetector
from pipelines.errors import DetectorUnavailable, ModelInvalid, ModelNotFound
from pipelines.models.catalogue import resolve
from pipelines.redaction import redact
from pipelines.sources.base import SourceLimits
from pipelines.sources.kafka_client import KafkaClient, KafkaLogin
from serve.definitions.rtsp import RtspDefinition
from serve.monitoring.findings import Finding, failed, ok, warning
from serve.sections import DetectorSettings
from serve.settings import Settings
from serve.streams.probe import probe

NEEDED_CODECS, USEFUL_CODECS = ("h264", "hevc", "mjpeg"), ("av1", "vp9", "mpeg4")
TRIED_IMAGES = 5
NVIDIA = Path("/proc/driver/nvidia/version")
PROBE_S = 3.0


def examine_libraries() -> Iterator[Finding]:
    """Whether what is installed is what this version was made for."""
    found = sys.version_info
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield ok("Python", python) if found >= (3, 11) else failed("Python", python, "Footfall needs Python 3.11 or newer.")
    yield judge_libraries(requires("footfall") or [])


def judge_libraries(required: list[str]) -> Finding:
    """Whether requirements (PEP 508) are met, as far as they apply here."""
    wrong = []
    for text in required:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed == "nothing" or not wanted.specifier.contains(installed, prereleases=True):
            wrong.append(f"{wanted.name} {installed}, wanted {wanted.specifier}")
    if wrong:
        return failed("libraries", "; ".join(wrong), "Install from requirements/run.txt, or the wheel anew.")
    return ok("libraries", ", ".join(f"{name} {version(name)}" for name in ("footfall", "ray", "av", "numpy")))


def examine_codecs() -> Finding:
    """What can be decoded."""
    missing = [name for name in NEEDED_CODECS if not _decodes(name)]
    if missing:
        return failed("decoders", f"{', '.join(missing)} cannot be decoded", "Install PyAV from its wheel.")
    useful = [name for name in USEFUL_CODECS if _decodes(name)]
    return ok("decoders", ", ".join([*NEEDED_CODECS, *useful]))


def _decodes(name: str) -> bool:
    try:
        av.codec.Codec(name, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def examine_detector(settings: DetectorSettings, nvidia: Path = NVIDIA) -> Finding:
    """Load the model, find nobody in some images of noise, and say how long that took."""
    try:
        path = resolve(settings.model)
        detector = OnnxDetector(path, target_class="person")
    except ModelNotFound as error:
        return failed("detector", str(error), "footfall models pull")
    except (ModelInvalid, DetectorUnavailable) as error:
        return failed(
            "detector", str(error), "Fetch the model again (footfall models pull --force), or choose another."
        )
    try:
        height, width = detector.input_size
        images = np.random.default_rng(0).integers(0, 255, (1, height, width, 3), np.uint8)
        took = []
        for _ in range(TRIED_IMAGES):
            begun_s = time.perf_counter()
            detector.detect(images)
            took.append(time.perf_counter() - begun_s)
        found = f"{path.stem} on {detector.provider}, {1000 * sorted(took)[TRIED_IMAGES // 2]:.1f} ms an image"
    finally:
        detector.close()
    if nvidia.exists() and detector.provider == "CPUExecutionProvider":
        advice = "There is an NVIDIA driver: install onnxruntime-gpu with the CUDA and cuDNN that it asks for."
        return warning("detector", found, advice)
    return ok("detector", found)


def port_is_free(host: str, port: int) -> bool:
    """Whether somebody could listen there now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except (OSError, OverflowError):
        return False
    return True


def examine_database(settings: Settings) -> Finding:
    """Whether it is there, and of a version that we know."""
    try:
        found = database_condition(settings.store_url)
    except StoreError as error:
        advice = "Start it, or correct database_url; rows wait on the readers' disks meanwhile."
        return failed("database", str(error), advice)
    if not found.exists:
        return ok("database", f"{found.kind}; it is made with the first start")
    if not found.known:
        advice = "It was written by a newer Footfall: install that again, or restore a back-up."
        return failed("database", f"{found.kind} at revision {found.revision}", advice)
    described = f"{found.kind}, {found.size_bytes / (1 << 20):.1f} MiB, revision {found.revision or 'none yet'}"
    if found.revision is not None and found.revision != found.newest:
        advice = "The next start changes its tables: back it up before (docs/operations.md)."
        return warning("database", f"{described}, newest is {found.newest}", advice)
    return ok("database", described)


def examine_broker(brokers: list[str], limits: SourceLimits) -> Finding:
    """Whether a Kafka cluster answers."""
    subject = f"Kafka {', '.join(map(redact, brokers))}"
    client = KafkaClient(
        KafkaLogin(), limits.reach, bootstrap_servers=brokers, bootstrap_timeout_ms=int(limits.open_s * 1000)
    )
    try:
        topics = client.open().topics()
        return ok(subject, f"{len(topics)} topics")
    except (KafkaError, OSError, ValueError) as error:
        refusal = client.refusal
        advice = "Is it up, is its advertised listener reachable from here, is its address in sources.networks?"
        return failed(subject, f"{refusal or error or type(error).__name__}", advice)
    finally:
        client.close()


def examine_camera(url: str, limits: SourceLimits) -> Finding:
    """Whether a camera answers, and what it sends."""
    subject = f"camera {redact(url)}"
    try:
        definition = RtspDefinition(type="rtsp", url=url)
    except ValueError:
        return failed(subject, "that is no address of a camera", "It looks like rtsp://USER:PASSWORD@HOST/PATH.")
    found = probe(definition, PROBE_S, limits, people_may_be_shown=False)
    if not found.ok:
        return failed(subject, found.error or "it cannot be opened", _ADVICE.get(found.error_code or "", _ASK_CAMERA))
    return ok(subject, f"{found.codec}, {found.width}x{found.height}, {found.measured_fps or 0:g} frames a second")


_ASK_CAMERA = "Open it with another program from this machine, such as ffplay."
_ADVICE = {
    "source-unauthorized": "Check user and password; special characters of a password must be escaped in a URL.",
    "source-not-allowed": "Add its network to sources.networks.",
    "source-stalled": "It is connected and sends no picture: restart the camera, or try its other stream.",
}
