"""Credentials at rest: what is in the database, and what is left of it without the key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from analytics.storage.database import DatabaseStore
from serve.control.registry import Registry
from serve.control.sealing import Sealing, Shelf, shown
from serve.control.sealing import rotate as rotate_shelves
from serve.definitions.stream import StreamDefinition
from serve.errors import CredentialsLost, DefinitionRefused, KeyFileError
from serve.keyfile import read_secret
from serve.settings import Settings, load

SOURCES: dict[str, dict[str, Any]] = {
    "camera": {"type": "rtsp", "url": "rtsp://admin:hunter2@10.0.0.1/live"},
    "path": {"type": "rtsp", "url": "rtsp://10.0.0.1/user=admin_password=hunter2_channel=1"},
    "topic": {"type": "kafka", "brokers": "10.0.0.1:9092", "topic": "t", "username": "u", "password": "hunter2"},
}
OPEN = {"type": "rtsp", "url": "rtsp://10.0.0.1/live"}


def definition_of(source: dict[str, Any]) -> StreamDefinition:
    return StreamDefinition.model_validate({"source": source})


def record_of(stream: str, source: dict[str, Any]) -> StreamRecord:
    return StreamRecord(stream, definition_of(source).model_dump(mode="json"), {})


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "credentials.key"


@pytest.fixture
def settings(key_file: Path) -> Settings:
    return load(None, data_dir=str(key_file.parent), security={"key_file": str(key_file)})


@pytest.fixture
def store(tmp_path: Path) -> DatabaseStore:
    made = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
    made.migrate()
    return made


def with_registry(settings: Settings, store: DatabaseStore, test: Callable[[Registry], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            registry = Registry(settings, store)
            try:
                await test(registry)
            finally:
                for task in registry._tasks:
                    task.cancel()
                await asyncio.gather(*registry._tasks, return_exceptions=True)

    asyncio.run(bounded())


def rotate(store: DatabaseStore, key_file: Path) -> int:
    (count,) = rotate_shelves([Shelf(Sealing(key_file), store.list_streams, store.put_stream)], key_file)
    return count


def everything(store: DatabaseStore) -> str:
    """What somebody finds who has the database."""
    return json.dumps([dict(record.definition) for record in store.list_streams()])


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_what_is_stored_holds_no_password_and_gives_it_back(name: str, key_file: Path) -> None:
    record = record_of(name, SOURCES[name])
    sealed = Sealing(key_file).sealed(record)
    assert "hunter2" not in json.dumps(dict(sealed.definition))
    assert Sealing(key_file).opened(sealed) == record
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_what_holds_no_secret_needs_no_key(key_file: Path) -> None:
    record = record_of("open", OPEN)
    assert Sealing(key_file).sealed(record) is record
    assert Sealing(key_file).opened(record) is record
    assert not key_file.exists()


def test_the_registry_stores_passwords_sealed_and_reads_what_was_stored_before(
    settings: Settings, store: DatabaseStore
) -> None:
    store.put_stream(record_of("old", SOURCES["camera"]))

    async def register(registry: Registry) -> None:
        assert (await registry.get_stream("old")).definition == definition_of(SOURCES["camera"])
        await registry.put_stream("new", definition_of(SOURCES["topic"]), None)
        await registry.patch_stream("old", {"name": "written again"}, None)

    with_registry(settings, store, register)
    assert "hunter2" not in everything(store)

    async def read(registry: Registry) -> None:
        assert (await registry.get_stream("old")).definition.source == definition_of(SOURCES["camera"]).source
        assert (await registry.get_stream("new")).definition == definition_of(SOURCES["topic"])

    with_registry(settings, store, read)


def test_without_the_key_streams_are_there_without_their_passwords_and_come_back_with_it(
    settings: Settings, store: DatabaseStore, key_file: Path
) -> None:
    sealing = Sealing(key_file)
    for name, source in {**SOURCES, "open": OPEN}.items():
        store.put_stream(sealing.sealed(record_of(name, source)))
    kept = key_file.rename(key_file.with_name("kept"))

    async def look(registry: Registry) -> None:
        views = {view.id: view.definition.source for view in await registry.list_streams()}
        assert {name for name, source in views.items() if source.hides_a_secret} == SOURCES.keys()
        assert views["camera"].redacted()["url"] == "rtsp://***@10.0.0.1/live"
        with pytest.raises(DefinitionRefused):
            await registry.put_stream("camera", definition_of(views["camera"].redacted()), None)
        view = await registry.get_stream("camera")
        await registry.put_geometry("camera", view.geometry, None)
        await registry.put_stream("topic", definition_of({**SOURCES["topic"], "password": "hunter3"}), None)

    with_registry(settings, store, look)
    assert "hunter3" not in everything(store)
    key_file.write_bytes(read_secret(key_file) + b"\n" + read_secret(kept))  # the new key, and the old one found again

    async def look_again(registry: Registry) -> None:
        assert not any(view.definition.source.hides_a_secret for view in await registry.list_streams())

    with_registry(settings, store, look_again)


def test_a_key_that_others_can_read_is_not_used(key_file: Path) -> None:
    sealed = Sealing(key_file).sealed(record_of("camera", SOURCES["camera"]))
    key_file.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Sealing(key_file).sealed(record_of("camera", SOURCES["camera"]))
    assert Sealing(key_file).opened(sealed) == sealed


def test_a_new_key_opens_everything_and_the_old_one_nothing(store: DatabaseStore, key_file: Path) -> None:
    sealing = Sealing(key_file)
    store.put_stream(record_of("old", SOURCES["camera"]))  # from before there was a key
    for name in ("path", "topic"):
        store.put_stream(sealing.sealed(record_of(name, SOURCES[name])))
    first = read_secret(key_file)
    assert rotate(store, key_file) == 3
    assert "hunter2" not in everything(store)
    assert first not in read_secret(key_file)
    assert len(read_secret(key_file).split()) == 1
    for record in store.list_streams():
        source = SOURCES["camera" if record.id == "old" else record.id]
        assert sealing.opened(record).definition == record_of(record.id, source).definition
    stale = key_file.with_name("stale")
    stale.write_bytes(first)
    stale.chmod(0o600)
    assert all(Sealing(stale).opened(record) == record for record in store.list_streams())


@pytest.mark.parametrize("written", [0, 1, 2])
def test_wherever_a_rotation_breaks_off_everything_can_be_opened_and_the_next_one_ends_it(
    store: DatabaseStore, key_file: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    sealing = Sealing(key_file)
    for name, source in SOURCES.items():
        store.put_stream(sealing.sealed(record_of(name, source)))
    put, count = store.put_stream, iter(range(written))

    def broken(record: StreamRecord) -> bool:
        if next(count, None) is None:
            raise StoreUnavailable("the database went away")
        return put(record)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_stream", broken)
        with pytest.raises(StoreUnavailable):
            rotate(store, key_file)
    for _ in range(2):
        for record in store.list_streams():
            assert sealing.opened(record).definition == record_of(record.id, SOURCES[record.id]).definition
        rotate(store, key_file)
    assert len(read_secret(key_file).split()) == 1


def test_a_rotation_that_would_lose_a_password_changes_nothing(store: DatabaseStore, key_file: Path) -> None:
    store.put_stream(Sealing(key_file).sealed(record_of("camera", SOURCES["camera"])))
    key_file.unlink()
    before = everything(store)
    with pytest.raises(CredentialsLost, match="camera"):
        rotate(store, key_file)
    assert everything(store) == before
    assert not key_file.exists()


def test_what_cannot_be_opened_can_be_shown(key_file: Path) -> None:
    sealed = Sealing(key_file).sealed(record_of("topic", SOURCES["topic"]))
    assert StreamDefinition.model_validate(shown(sealed.definition)).source.redacted()["password"] == "***"
