"""The registry's replica and its handle, with what Ray does between them: everything is pickled, nothing is shared."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from analytics.errors import UnknownStream
from analytics.geometry import Geometry
from pipelines.errors import FootfallError
from serve.api.registry_client import RegistryClient
from serve.control.messages import Greeting, Heartbeat
from serve.control.preconditions import Precondition
from serve.definitions.stream import StreamDefinition
from serve.deployments import watching
from serve.deployments.handles import HandleRegistryClient, HandleRegistryLink
from serve.deployments.replicas.live import AnsweringLive
from serve.deployments.replicas.registry import AnsweringRegistry
from serve.deployments.watching import HandleWatching
from serve.errors import DefinitionRefused, GeometryConflict, PreconditionFailed, StandsBy, TooManyWatchers
from serve.settings import load
from serve.streams import live_hub
from tests.fakes import MemoryStore
from tests.serve.control.fake_readers import until

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


class Either:
    """A handle as it is while a replica is replaced: calls go to the old one and the new one in turns."""

    def __init__(self, *replicas: Any) -> None:
        self._handles = [Handle(replica) for replica in replicas]
        self._turn = 0

    def options(self, *, method_name: str = "", **rest: Any) -> Any:
        return self if not method_name else _InTurns(self, method_name)

    def next(self, name: str) -> Method:
        self._turn += 1
        return Method(self._handles[self._turn % len(self._handles)]._replica, name, self.raised)

    def __getattr__(self, name: str) -> Any:
        return _InTurns(self, name)

    @property
    def raised(self) -> list[BaseException]:
        return self._handles[0].raised


class _InTurns:
    def __init__(self, either: Either, name: str) -> None:
        self._either, self._name = either, name

    def remote(self, *arguments: Any) -> Any:
        return self._either.next(self._name).remote(*arguments)


def test_while_a_registry_is_replaced_everybody_is_answered_by_the_one_that_leads(tmp_path: Path) -> None:
    async def test() -> None:
        store, settings = MemoryStore(), load(None, data_dir=str(tmp_path))
        old = AnsweringRegistry(settings, store.shared())
        await until(lambda: old._loaded, "the old one")
        await old.put_stream("door", CAMERA, None)
        new = AnsweringRegistry(settings, store.shared())
        await until(lambda: new._loaded and not old._loaded, "the new one to lead")
        either = Either(old, new)
        api, link = HandleRegistryClient(either, either), HandleRegistryLink(either, either)
        try:
            for _ in range(4):
                assert (await api.get_stream("door")).id == "door"
                assert await link.heartbeat(Heartbeat("reader-1", {})) is None  # open a session, says who leads
                assert await link.leave("reader-1") is False
                await HandleWatching(either).watching("live", ["door"])
            _, created = await api.put_stream("hall", CAMERA, None)
            assert created
            heard = 0
            for _ in range(4):
                async with aclosing(link.session(Greeting("reader-1", {}))) as session:
                    async for desired in session:
                        heard += desired.whole
                        break
            assert heard >= 2
            assert either.raised == []  # Serve would log each with its traceback
        finally:
            await old.stop()
            await new.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_where_nobody_leads_it_is_said_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ANOTHER_S", 0.5)

    async def test() -> None:
        store = MemoryStore()
        registry = AnsweringRegistry(load(None, data_dir=str(tmp_path)), store.shared())
        await until(lambda: registry._loaded, "it")
        store.shared().lead()
        await until(lambda: not registry._loaded, "its standing by")
        handle = Either(registry)
        try:
            with pytest.raises(StandsBy, match="another registry"):
                await HandleRegistryClient(handle, handle).list_streams()
            assert 3 <= handle._turn <= 6  # and it is asked less and less often
        finally:
            await registry.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_every_call_of_the_api_is_one_of_the_registry() -> None:
    """They are called by name, which no type checker sees."""
    for name, _ in inspect.getmembers(RegistryClient, inspect.isfunction):
        if not name.startswith("_"):
            assert name == "watch" or callable(getattr(AnsweringRegistry, name))
            assert callable(getattr(HandleRegistryClient, name))
