"""Readers beside a real registry, in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from serve.deployments import reader as reader_module
from serve.settings import load
from tests.fakes import MemoryStore
from tests.serve.deployments.bench import Bench


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr("serve.control.heartbeat.HEARTBEAT_S", 0.02)
    monkeypatch.setattr(reader_module, "RETRY_S", 0.02)
    monkeypatch.setattr("serve.control.assignments.TICK_S", 0.02)
    monkeypatch.setattr("serve.control.registry.TICK_S", 0.02)
    monkeypatch.setattr("serve.control.edits.RELEASE_WAIT_S", 0.5)
    monkeypatch.setattr("serve.deployments.live.TICK_S", 0.02)


@pytest.fixture
def run(tmp_path: Path, quick: None) -> Callable[[Callable[[Bench], Awaitable[None]]], MemoryStore]:
    def bounded(test: Callable[[Bench], Awaitable[None]]) -> MemoryStore:
        settings = load(None, data_dir=str(tmp_path), reader={"checkpoint_s": 0.2, "heartbeat_timeout_s": 1})
        store = MemoryStore()

        async def whole() -> None:
            bench = Bench(settings, store)
            try:
                await asyncio.wait_for(test(bench), 30)
            finally:
                await bench.close()

        asyncio.run(whole())
        return store

    return bounded
