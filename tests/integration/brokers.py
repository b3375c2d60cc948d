"""Real Kafka brokers, started and killed by the test session: Apache Kafka from Maven Central, else one from PyPI."""

from __future__ import annotations

import importlib.resources
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from kafka import KafkaConsumer

from tests.waiting import wait_until

POM = Path(__file__).parent / "kafka" / "pom.xml"
START_TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def count_fetched(patch: pytest.MonkeyPatch) -> list[int]:
    """How many messages brokers sent from now on, poll by poll."""
    counts: list[int] = []
    poll = KafkaConsumer.poll

    def counted(consumer: KafkaConsumer, *args: Any, **options: Any) -> dict[Any, Any]:
        batches: dict[Any, Any] = poll(consumer, *args, **options)
        counts.append(sum(map(len, batches.values())))
        return batches

    patch.setattr(KafkaConsumer, "poll", counted)
    return counts


class Broker(ABC):
    """One broker process on 127.0.0.1; what it was told survives `kill` and `start`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="footfall-broker-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]: ...

    def prepare(self) -> None:  # noqa: B027 - most brokers need nothing
        """Before the first start."""

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_until(self._answers, START_TIMEOUT_S, f"a broker on {self.address}")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the broker ended: {(self.folder / 'broker.log').read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Broker:
        self.prepare()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class ApacheKafka(Broker):
    """Apache Kafka, one node in KRaft mode.

    Args:
        jars: folder with Kafka and all it depends on; see `fetch_jars`.
    """

    def __init__(self, jars: Path) -> None:
        super().__init__()
        self._jars = jars
        self._controller_port = free_port()
        self._login_port = free_port()

    @property
    def login_address(self) -> str:
        """Asks for user ``viewer`` with password ``right`` (SASL PLAIN)."""
        return f"127.0.0.1:{self._login_port}"

    @property
    def _settings(self) -> Path:
        return self.folder / "server.properties"

    def prepare(self) -> None:
        clients = f"PLAINTEXT://{self.address},SASL_PLAINTEXT://{self.login_address}"
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"{clients},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": clients,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(
                ("CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", "SASL_PLAINTEXT:SASL_PLAINTEXT")
            ),
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                'org.apache.kafka.common.security.plain.PlainLoginModule required user_viewer="right";'
            ),
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "num.partitions": "3",
            "log.retention.ms": "-1",  # event times in tests lie in the past, and retention goes by event time
        }
        self._settings.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        cluster = uuid.uuid4().hex[:22]
        subprocess.run(
            [*self._java("kafka.tools.StorageTool"), "format", "-t", cluster, "-c", str(self._settings)],
            check=True,
            capture_output=True,
        )

    def _java(self, main: str) -> list[str]:
        return ["java", "-Xmx384m", "-cp", f"{self._jars}/*", main]

    def command(self) -> list[str]:
        return [*self._java("kafka.Kafka"), str(self._settings)]


class NoidaBroker(Broker):
    """A broker from PyPI that speaks the protocol: for machines without Maven, and weaker in what it keeps."""

    def command(self) -> list[str]:
        binary = importlib.resources.files("noida_db") / "noida-db"
        return [
            str(binary),
            *("start", "--only", "kafka", "--host", "127.0.0.1"),
            *("--kafka-port", str(self.port), "--data-dir", str(self.folder / "data")),
        ]


def fetch_jars(cache: Path) -> Path | None:
    """Kafka's jars in the cache folder; None without Maven or Java.

    Raises:
        CalledProcessError: Maven is there, and fails.
    """
    folder = cache / "kafka-jars"
    if (folder / ".complete").is_file():
        return folder
    if shutil.which("mvn") is None or shutil.which("java") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    (folder / ".complete").touch()
    return folder
