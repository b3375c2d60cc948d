from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.sources.base import SourceLimits
from serve.definitions.base import SourceDefinition
from serve.definitions.file import FileDefinition
from serve.definitions.kafka import KafkaDefinition
from serve.definitions.rtsp import RtspDefinition
from serve.streams.probe import probe
from tests.integration.brokers import free_port
from tests.pipelines.sources.remains import threads_and_descriptors, without_collecting

LIMITS = SourceLimits(0.2, 1.0, 1.0)


def nowhere(kind: str, folder: Path) -> SourceDefinition:
    """A definition that cannot be opened."""
    if kind == "kafka":
        return KafkaDefinition(type="kafka", brokers=f"127.0.0.1:{free_port()}", topic="frames", key=None)
    if kind == "rtsp":
        return RtspDefinition(type="rtsp", url=f"rtsp://127.0.0.1:{free_port()}/cam")
    return FileDefinition(type="file", path=str(folder / "none.mp4"))


@pytest.mark.parametrize("kind", ["kafka", "rtsp", "file"])
def test_a_probe_that_fails_says_why_and_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    with without_collecting():
        probe(nowhere(kind, tmp_path), 0.1, LIMITS)
        before = threads_and_descriptors()
        results = [probe(nowhere(kind, tmp_path), 0.1, LIMITS) for _ in range(5)]
        assert threads_and_descriptors() == before
    assert {(result.ok, result.error_code) for result in results} == {
        (False, "source-not-found" if kind == "file" else "source-unreachable")
    }
