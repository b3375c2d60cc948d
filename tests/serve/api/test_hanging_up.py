"""Whoever hangs up in the middle of a request: what he asked for happens whole, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.alerts import AlertStore
from analytics.storage.sinks import SinkStore
from analytics.storage.stores import Stores
from analytics.storage.view_pictures import ViewPictureStore
from serve.api import sockets, streams
from serve.api.app import make_api
from serve.api.audit import Auditor
from serve.api.credentials import Caller, Scope, new_token
from serve.api.models import ProbeBody
from serve.settings import load
from serve.streams.live_frame import LiveFrame
from serve.streams.probe import ProbeResult
from tests.fakes import MemoryAccessStore, MemoryOutbox, MemoryStore


async def nothing(*_: Any) -> None:
    pass


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], what: str) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


class Route:
    name = "put_stream"


def test_a_change_whose_caller_hangs_up_is_in_the_audit_log() -> None:
    access, changed = MemoryAccessStore(), []
    may_end = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Route
        changed.append("begun")
        await may_end.wait()
        changed.append("done")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def test() -> None:
        scope = {
            "type": "http",
            "method": "PUT",
            "path": "/api/v1/streams/x",
            "headers": [],
            "query_string": b"",
            "path_params": {"stream": "x"},
            "footfall.caller": Caller("operator", Scope.OPERATOR),
        }
        request = asyncio.create_task(Auditor(app, access)(scope, nothing, nothing))
        await until(lambda: changed, "the change")
        await cancelled(request)
        may_end.set()
        await until(lambda: access.audit(10), "its entry")
        assert changed == ["begun", "done"]
        assert [(entry.caller, entry.subject, entry.status) for entry in access.audit(10)] == [("operator", "x", 200)]

    asyncio.run(test())


def test_no_more_than_four_sources_are_tried_at_once_whoever_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, changing, may_end = [0], [0], threading.Lock(), threading.Event()

    def probe(*_: Any, **__: Any) -> ProbeResult:
        with changing:
            running[0] += 1
            most[0] = max(most[0], running[0])
        may_end.wait(10)
        with changing:
            running[0] -= 1
        return ProbeResult(ok=False)

    monkeypatch.setattr(streams, "probe", probe)
    body = ProbeBody.model_validate({"source": {"type": "rtsp", "url": "rtsp://10.0.0.1/live"}, "seconds": 1})

    async def test() -> None:
        for _ in range(3):
            asked = [asyncio.create_task(streams.probe_stream(body, load())) for _ in range(4)]
            await until(lambda: running[0] == 4, "four probes")
            for task in asked:
                await cancelled(task)
        innocent = asyncio.to_thread(lambda: "answered")
        assert await asyncio.wait_for(innocent, 5) == "answered"
        assert most[0] == 4
        may_end.set()
        await until(lambda: running[0] == 0, "their ends")

    asyncio.run(test())


class Watched:
    """A registry that has a frame for whoever watches, for ever."""

    async def watch(self, stream: str) -> Any:
        while True:
            await asyncio.sleep(0.01)
            yield LiveFrame(time_s=0.0, width=1, height=1, tracks=(), crossings=(), jpeg=b"jpeg")


@pytest.mark.parametrize(("trouble", "code"), [("revoked", sockets.REFUSED), ("unknown", sockets.AGAIN)])
def test_a_socket_ends_with_the_token_that_it_was_opened_with(
    monkeypatch: pytest.MonkeyPatch, trouble: str, code: int
) -> None:
    monkeypatch.setattr(sockets, "FRESH_S", 0.05)
    access = MemoryAccessStore()
    viewer, secret = new_token("viewer", Scope.VIEWER, 0.0)
    access.add_token(viewer)
    access.add_token(new_token("other", Scope.ADMIN, 0.0)[0])
    stores = Stores(
        MemoryStore(),
        access,
        MemoryOutbox(MemoryStore()),
        cast(SinkStore, None),
        cast(AlertStore, None),
        cast(ViewPictureStore, None),
    )
    app = make_api(Watched(), stores, load())  # type: ignore[arg-type]
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": "/api/v1/streams/cam/tracks",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {secret}".encode())],
        "subprotocols": [],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
        "scheme": "ws",
    }

    async def test() -> None:
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await heard.put({"type": "websocket.connect"})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        socket = asyncio.create_task(app(scope, heard.get, send))
        await until(lambda: len(sent) > 20, "frames")
        if trouble == "revoked":
            access.revoke_token("viewer")
            app.state.credentials.forget()
        else:

            async def away(offered: str) -> Caller:
                raise StoreUnavailable("the database is away")

            monkeypatch.setattr(app.state.credentials, "caller_of", away)
        await asyncio.wait_for(socket, 10)
        assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", code)

    asyncio.run(test())
