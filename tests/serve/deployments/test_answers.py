"""The registry's replica and its handle, with what Ray does between them: everything is pickled, nothing is shared."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from analytics.errors import UnknownStream
from analytics.geometry import Geometry
from pipelines.errors import FootfallError
from serve.api.registry_client import RegistryClient
from serve.control.preconditions import Precondition
from serve.definitions.stream import StreamDefinition
from serve.deployments.answers import AnsweringLive, AnsweringRegistry
from serve.deployments.handles import HandleRegistryClient, HandleWatching
from serve.errors import DefinitionRefused, GeometryConflict, PreconditionFailed, TooManyWatchers
from serve.settings import load
from serve.streams import live_hub
from tests.fakes import MemoryStore

CAMERA = StreamDefinition.model_validate(
    {"source": {"type": "rtsp", "url": "rtsp://u:s3cret@camera.example.invalid/x"}}
)


class Method:
    """A method of a `Handle`; keeps what the replica raised, which is what Serve would log with its traceback."""

    def __init__(self, replica: Any, name: str, raised: list[BaseException]) -> None:
        self._call = getattr(replica, name)
        self._raised = raised

    def remote(self, *arguments: Any) -> Any:
        call = self._call(*cloudpickle.loads(cloudpickle.dumps(arguments)))
        return _Frames(call) if inspect.isasyncgen(call) else self._answered(call)

    async def _answered(self, call: Awaitable[Any]) -> Any:
        try:
            return cloudpickle.loads(cloudpickle.dumps(await call))
        except BaseException as error:
            self._raised.append(error)
            raise


class _Frames:
    """A streaming answer."""

    def __init__(self, frames: AsyncIterator[Any]) -> None:
        self._frames = frames

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._frames

    def cancel(self) -> None:
        """Ray's way to end it."""


class Handle:
    """A handle to a replica in this process."""

    def __init__(self, replica: Any, method: str = "") -> None:
        self.raised: list[BaseException] = []
        self._replica = replica
        self._method = method

    def options(self, *, method_name: str = "", **rest: Any) -> Any:
        return Method(self._replica, method_name, self.raised) if method_name else self

    def __getattr__(self, name: str) -> Method:
        return Method(self._replica, name, self.raised)


def run(folder: Path, test: Callable[[HandleRegistryClient], Awaitable[None]]) -> None:
    async def with_registry() -> None:
        replica = AnsweringRegistry(load(None, data_dir=str(folder)), MemoryStore())
        handle = Handle(replica)
        pictures = AnsweringLive("live", HandleWatching(handle))
        live = Handle(pictures)
        try:
            await test(HandleRegistryClient(handle, live))
        finally:
            await pictures.stop()
            await replica.stop()
        assert handle.raised == live.raised == []

    asyncio.run(asyncio.wait_for(with_registry(), 20))


def test_what_is_expected_comes_back_as_the_error_that_it_is_and_is_raised_in_no_replica(tmp_path: Path) -> None:
    async def test(registry: HandleRegistryClient) -> None:
        view, created = await registry.put_stream("door", CAMERA, None)
        assert (view.id, created) == ("door", True)
        refused: list[tuple[type[FootfallError], Awaitable[Any]]] = [
            (UnknownStream, registry.get_stream("nobody")),
            (UnknownStream, registry.delete_stream("nobody", False)),
            (GeometryConflict, registry.put_geometry("door", Geometry(), 7)),
            (PreconditionFailed, registry.put_stream("door", CAMERA, None, Precondition(absent=True))),
            (DefinitionRefused, registry.put_stream("x", CAMERA.model_copy(update={"model": "other"}), None)),
            (DefinitionRefused, registry.patch_stream("door", {"analysis_fps": -1}, None)),
        ]
        for kind, call in refused:
            with pytest.raises(kind) as caught:
                await call
            assert "s3cret" not in str(caught.value)

    run(tmp_path, test)


def test_watching_ends_with_the_error_and_not_with_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(registry: HandleRegistryClient) -> None:
        with pytest.raises(UnknownStream):
            await anext(aiter(registry.watch("nobody")))
        await registry.put_stream("door", CAMERA, None)
        monkeypatch.setattr(live_hub, "MAX_WATCHERS", 0)
        with pytest.raises(TooManyWatchers):
            await anext(aiter(registry.watch("door")))

    run(tmp_path, test)


def test_every_call_of_the_api_is_one_of_the_registry() -> None:
    """They are called by name, which no type checker sees."""
    for name, _ in inspect.getmembers(RegistryClient, inspect.isfunction):
        if not name.startswith("_"):
            assert name == "watch" or callable(getattr(AnsweringRegistry, name))
            assert callable(getattr(HandleRegistryClient, name))
