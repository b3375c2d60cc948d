"""Every operation, tried with what the API's own document allows and forbids, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn

from analytics.storage.database import DatabaseStore
from analytics.storage.stores import Stores
from serve.api.app import make_api
from serve.api.registry_client import newest_frame
from serve.errors import NotDelivered
from serve.settings import load
from serve.streams.probe import ProbeResult
from tests import schema
from tests.serve.api.conftest import LocalRegistry
from tests.waiting import wait_until

TOKEN = "a-token-for-the-schema"
EXAMPLES = 100


async def not_sent(*_: Any) -> None:
    raise NotDelivered("not tried")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API over a real registry and a database in a folder, behind a web server; nothing is opened to be probed."""
    folder = tmp_path_factory.mktemp("schema")
    store = DatabaseStore(f"sqlite:///{folder / 'footfall.db'}")
    store.migrate()
    settings = load(None, data_dir=str(folder), api={"token": TOKEN, "wrong_tokens_per_minute": 1_000_000})
    app = make_api(LocalRegistry(settings, store), Stores.of(store), settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serve.api.streams.probe", lambda *_, **__: ProbeResult(False, error="not tried", error_code="x"))
        patch.setattr("serve.api.live.newest_frame", partial(newest_frame, wait_s=0.02))  # nobody reads, none comes
        patch.setattr("serve.events.desk.SinkDesk._send", not_sent)
        thread.start()
        wait_until(lambda: server.started, 20, "the web server")
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
        server.should_exit = True
        thread.join(20)
    store.close()


@schema.operations().parametrize()
@schema.tried(EXAMPLES)
def test_an_operation_does_what_its_description_says(case: Any, url: str) -> None:
    schema.call(case, url, TOKEN)
