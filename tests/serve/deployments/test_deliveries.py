"""The deliverer with what it is made of: sinks of the settings, and those that are wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from analytics.storage.alerts import AlertRecord
from analytics.storage.database import DatabaseStore
from analytics.storage.sinks import SinkRecord, Standing
from analytics.storage.stores import Stores
from serve.control.sealing import Shelf, rotate
from serve.deployments.deliveries import Deliveries, sinks_of
from serve.errors import SettingsError
from serve.events.definition import BY_SETTINGS
from serve.events.opening import sealing_of
from serve.events.sinks import alertmanager, kafka
from serve.settings import Settings, load
from tests.analytics.storage.test_outbox import crossing
from tests.waiting import wait_until

DEAD_OF_A_KIND = 33
OF_A_SINK = 8
"""Threads and descriptors: a client of Kafka that tries has a thread, three descriptors, and its connection."""
SOME_MORE = 12
"""They come and go with connections of the database, and of whoever listens."""


class House:
    """A receiver, a database, and whoever delivers from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.got: list[Any] = []
        self.headers: list[str | None] = []
        self.store = DatabaseStore(f"sqlite:///{folder / 'footfall.db'}")
        self.store.migrate()
        self.stores = Stores.of(self.store)
        house = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                house.headers.append(self.headers["Authorization"])
                house.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def target(self, **fields: Any) -> dict[str, Any]:
        return {"type": "webhook", "url": self.url, **fields}

    def settings(self, **sinks: Any) -> Settings:
        return load(None, data_dir=str(self.folder), events={"sinks": sinks})

    def standing(self, sink: str) -> Standing:
        return self.stores.sinks.standings()[sink]

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        self.store.close()

    def run(self, settings: Settings, test: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            deliveries = Deliveries(settings, "one")
            try:
                async with asyncio.timeout(30):
                    await test()
                await deliveries.check_health()
            finally:
                await deliveries.stop()
            with pytest.raises(RuntimeError):
                await deliveries.check_health()

        asyncio.run(whole())

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_sinks_of_the_settings_are_there_and_go_with_them(house: House) -> None:
    document = {"types": ["footfall.crossing.v1"], "target": house.target(authorization="Bearer s3cret")}

    async def deliver() -> None:
        await house.until(lambda: "till" in house.stores.sinks.standings())
        house.stores.outbox.append([crossing(1.0), crossing(2.0)])
        await house.until(lambda: len(house.got) == 2)

    house.run(house.settings(till=document), deliver)
    assert house.headers == ["Bearer s3cret"] * 2
    (record,) = house.stores.sinks.sinks()
    assert "s3cret" not in json.dumps(dict(record.definition))
    assert record.definition[BY_SETTINGS] is True

    async def same() -> None:
        await house.until(lambda: house.standing("till").owner)

    house.run(house.settings(till=document), same)
    assert house.stores.sinks.sinks() == [record]

    async def changed() -> None:
        await house.until(lambda: house.stores.sinks.sinks()[0].version == 2)

    house.run(house.settings(till={**document, "enabled": False}), changed)
    house.stores.sinks.add_sink("by-hand", {"target": house.target()}, 0)

    async def gone() -> None:
        await house.until(lambda: [one.id for one in house.stores.sinks.sinks()] == ["by-hand"])

    house.run(house.settings(), gone)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"target": {"type": "webhook", "url": "http://8.8.8.8/"}}, r"events\.sinks\.till: .*events\.networks"),
        ({"target": {"type": "webhook", "url": "x"}}, r"events\.sinks\.till: target\.webhook\.url"),
        ({}, r"events\.sinks\.till: target"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_starts(document: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        sinks_of(load(None, events={"sinks": {"till": document}}))


def test_a_sink_of_the_settings_that_would_spoil_another_is_left_out(house: House) -> None:
    target = {"type": "mqtt", "host": "127.0.0.1", "port": 9}
    house.stores.sinks.add_sink("by-hand", {"target": target}, 0)

    async def others() -> None:
        await house.until(lambda: "till" in house.stores.sinks.standings())

    house.run(house.settings(lamp={"target": target}, till={"target": house.target()}), others)
    assert [one.id for one in house.stores.sinks.sinks()] == ["by-hand", "till"]


def test_what_the_settings_say_of_sinks_is_not_in_a_log(tmp_path: Path) -> None:
    target = {"type": "webhook", "url": "http://127.0.0.1/", "authorization": "Bearer s3cret"}
    settings = load(None, data_dir=str(tmp_path), events={"sinks": {"till": {"target": target}}})
    assert "s3cret" not in repr(settings) + str(settings.events)


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"target": {"type": "pigeon"}}, "not understood"),
        ({"target": {"type": "webhook", "url": "http://8.8.8.8/"}}, "events.networks"),
        (
            {
                "target": {
                    "type": "webhook",
                    "url": "http://127.0.0.1/",
                    "authorization": {"sealed": "x", "shown": "***"},
                }
            },
            "cannot be read",
        ),
    ],
)
def test_a_sink_that_cannot_be_opened_says_why_and_disturbs_no_other(
    house: House, definition: dict[str, Any], says: str
) -> None:
    house.stores.sinks.add_sink("wrong", definition, 0)
    house.stores.sinks.add_sink("right", {"target": house.target()}, 0)
    house.stores.outbox.append([crossing(1.0)])

    async def deliver() -> None:
        await house.until(lambda: says in (house.standing("wrong").error or ""))
        await house.until(lambda: house.standing("right").delivered == 1)

    house.run(house.settings(), deliver)


def test_what_is_on_is_said_to_an_alertmanager_by_every_deliverer_that_comes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "REPEAT_S", 0.2)
    on = AlertRecord("0" * 32, "disk-full", "service", "critical", "Full.", "1% left", 100.0, 130.0, told=True)
    house.stores.alerts.save({}, [on, replace(on, id="1" * 32, rule="rows-lost", told=False)], ())
    document = {"target": house.target(type="alertmanager")}

    async def deliver() -> None:
        said = len(house.got)
        await house.until(lambda: len(house.got) >= said + 3)
        assert house.standing("pager").error is None

    for _ in range(2):
        house.run(house.settings(pager=document), deliver)
    assert {alert["labels"]["alertname"] for post in house.got for alert in post} == {"disk-full"}


def test_a_new_key_opens_sinks_too(house: House) -> None:
    settings = house.settings()
    sealing, sinks = sealing_of(settings), house.stores.sinks
    plain = {"target": house.target(authorization="Bearer s3cret")}
    sinks.add_sink("till", sealing.sealed(SinkRecord("till", plain)).definition, 0)

    def write(record: SinkRecord) -> None:
        sinks.change_sink(record.id, record.definition, record.version)

    before = settings.key_file.read_bytes()
    assert rotate([Shelf(sealing, sinks.sinks, write)], settings.key_file) == [1]
    assert before not in settings.key_file.read_bytes()
    (record,) = sinks.sinks()
    assert (sealing.opened(record).definition, record.version) == (plain, 2)


def test_a_hundred_dead_sinks_hold_up_no_other_and_leave_nothing_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind, at a port that nobody listens at."""
    monkeypatch.setattr(kafka, "WAIT_S", 1.0)
    kinds: dict[str, dict[str, Any]] = {
        "webhook": {"type": "webhook", "url": "http://127.0.0.1:9/"},
        "kafka": {"type": "kafka", "brokers": "127.0.0.1:9", "topic": "events"},
        "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": 9},
    }
    dead = [f"{kind}-{number}" for kind in kinds for number in range(DEAD_OF_A_KIND)]
    for name in dead:
        kind, _, number = name.partition("-")
        target = kinds[kind] | ({"prefix": f"footfall-{number}"} if kind == "mqtt" else {})
        house.stores.sinks.add_sink(name, {"target": target}, 0)

    def standings() -> list[Standing]:
        found = house.stores.sinks.standings()
        return [found[name] for name in dead]

    async def deliver() -> None:
        await house.until(lambda: "alive" in house.stores.sinks.standings())
        house.stores.outbox.append([crossing(1.0)])
        await house.until(lambda: all(one.error for one in standings()))
        for number in range(20):
            house.stores.outbox.append([crossing(2.0 + number)])
            await house.until(lambda number=number: len(house.got) == 2 + number)  # type: ignore[misc]
            most.append(held() - before)
        assert all(one.position == 0 for one in standings())

    before, most = held(), list[int]()
    house.run(house.settings(alive={"target": house.target()}), deliver)
    assert max(most) < OF_A_SINK * len(dead)
    wait_until(lambda: held() <= before + SOME_MORE, 20, "threads and descriptors to be given back")


def held() -> int:
    """Threads and descriptors of this process."""
    return sum(len(list(Path(f"/proc/self/{kind}").iterdir())) for kind in ("task", "fd"))
