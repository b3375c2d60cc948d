"""What every `ViewPictureStore` keeps."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from analytics.errors import StaleEpoch
from analytics.storage import tables
from analytics.storage.base import Store, StreamRecord
from analytics.storage.database import DatabaseStore
from analytics.storage.view_pictures import DatabaseViewPictures, StoredView, ViewKind, ViewPictureStore
from tests.analytics.storage.test_outbox import begun
from tests.assigning import assign
from tests.fakes import MemoryStore, MemoryViewPictures

BEFORE, AFTER = StoredView(ViewKind.BEFORE, 1, 100.5, True), StoredView(ViewKind.AFTER, 1, 200.5, False)
JPEG = b"\xff\xd8\x00picture"


@pytest.fixture
def pictures(store: Store) -> ViewPictureStore:
    if isinstance(store, MemoryStore):
        return MemoryViewPictures(store)
    assert isinstance(store, DatabaseStore)
    return DatabaseViewPictures(store)


def test_what_is_kept_is_found(store: Store, pictures: ViewPictureStore) -> None:
    epoch = begun(store)
    assert pictures.find("cam") == {}
    assert pictures.keep("cam", epoch, BEFORE, JPEG)
    assert pictures.keep("cam", epoch, AFTER, b"another")
    assert pictures.find("cam") == {ViewKind.BEFORE: BEFORE, ViewKind.AFTER: AFTER}
    assert pictures.jpeg("cam", ViewKind.BEFORE) == (BEFORE, JPEG)
    assert pictures.jpeg("cam", ViewKind.AFTER) == (AFTER, b"another")
    assert pictures.find("other") == {}
    assert pictures.jpeg("other", ViewKind.AFTER) is None


def test_there_is_one_of_a_kind_and_a_new_one_of_before_takes_that_of_after_away(
    store: Store, pictures: ViewPictureStore
) -> None:
    epoch = begun(store)
    for view in (BEFORE, AFTER, StoredView(ViewKind.AFTER, 1, 300.0, True)):
        assert pictures.keep("cam", epoch, view, JPEG)
    assert pictures.find("cam")[ViewKind.AFTER].captured_s == 300.0
    newer = StoredView(ViewKind.BEFORE, 1, 400.0, True)
    assert pictures.keep("cam", epoch, newer, JPEG)
    assert pictures.find("cam") == {ViewKind.BEFORE: newer}


def test_a_new_reference_takes_all_of_them_away(store: Store, pictures: ViewPictureStore) -> None:
    epoch = begun(store)
    pictures.keep("cam", epoch, BEFORE, JPEG)
    pictures.keep("cam", epoch, AFTER, JPEG)
    store.put_stream(StreamRecord("cam", {}, reference_version=2))
    assert pictures.find("cam") == {}
    assert pictures.jpeg("cam", ViewKind.BEFORE) is None
    assert not pictures.keep("cam", epoch, AFTER, JPEG), "it belongs to the reference that was"
    newer = StoredView(ViewKind.BEFORE, 2, 300.0, True)
    assert pictures.keep("cam", epoch, newer, JPEG)
    assert pictures.find("cam") == {ViewKind.BEFORE: newer}


def test_who_has_lost_the_stream_changes_nothing(store: Store, pictures: ViewPictureStore) -> None:
    old = begun(store)
    assign(store, "cam", "another")
    with pytest.raises(StaleEpoch):
        pictures.keep("cam", old, BEFORE, JPEG)
    assert pictures.find("cam") == {}


def test_they_are_forgotten_of_a_stream_or_all(store: Store, pictures: ViewPictureStore) -> None:
    first = begun(store)
    store.put_stream(StreamRecord("other", {}))
    second = assign(store, "other", "reader")
    for stream, epoch in (("cam", first), ("other", second)):
        pictures.keep(stream, epoch, BEFORE, JPEG)
    pictures.forget("cam")
    assert (pictures.find("cam"), pictures.find("other")) == ({}, {ViewKind.BEFORE: BEFORE})
    pictures.forget()
    assert pictures.find("other") == {}


def left(database: DatabaseStore) -> int:
    with database._transaction(reading=True) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(tables.view_pictures)).scalar_one())


def test_nothing_of_them_is_left_once_they_are_there_for_nobody(database: DatabaseStore) -> None:
    pictures = DatabaseViewPictures(database)
    epoch = begun(database)
    pictures.keep("cam", epoch, BEFORE, JPEG)
    pictures.keep("cam", epoch, AFTER, JPEG)
    database.put_stream(StreamRecord("cam", {"changed": True}))
    assert left(database) == 2
    database.put_stream(StreamRecord("cam", {}, reference_version=2))
    assert left(database) == 0
    pictures.keep("cam", epoch, StoredView(ViewKind.BEFORE, 2, 1.0, True), JPEG)
    database.delete_stream("cam")
    assert left(database) == 0
