"""What every `ReferenceStore` keeps."""

from __future__ import annotations

import pytest

from analytics.errors import StaleEpoch
from analytics.storage.base import Store, StreamRecord
from analytics.storage.database import DatabaseStore
from analytics.storage.references import DatabaseReferences, ReferenceStore
from tests.analytics.storage.test_outbox import begun
from tests.assigning import assign
from tests.fakes import MemoryReferences, MemoryStore

STATE = {"origin": "rtsp://camera", "camera": {"numbers": [0.1, 2.5], "text": "äö", "none": None}}


@pytest.fixture
def references(store: Store) -> ReferenceStore:
    if isinstance(store, MemoryStore):
        return MemoryReferences(store)
    assert isinstance(store, DatabaseStore)
    return DatabaseReferences(store, wall_clock=lambda: 7.0)


def test_what_is_kept_is_found(store: Store, references: ReferenceStore) -> None:
    epoch = begun(store)
    assert references.find("cam") is None
    references.keep("cam", epoch, 1, STATE)
    found = references.find("cam")
    assert found is not None
    assert (found.version, found.state) == (1, STATE)
    assert references.find("other") is None


def test_a_newer_version_takes_the_place_of_an_older_one_and_never_the_other_way_round(
    store: Store, references: ReferenceStore
) -> None:
    epoch = begun(store)
    for version, number in ((1, 1), (1, 2), (3, 3), (2, 4)):
        references.keep("cam", epoch, version, {"number": number})
    found = references.find("cam")
    assert found is not None
    assert (found.version, found.state) == (3, {"number": 3})


def test_who_has_lost_the_stream_changes_nothing(store: Store, references: ReferenceStore) -> None:
    old = begun(store)
    references.keep("cam", old, 1, {"number": 1})
    new = assign(store, "cam", "another")
    with pytest.raises(StaleEpoch):
        references.keep("cam", old, 2, {"number": 2})
    references.keep("cam", new, 1, {"number": 3})
    found = references.find("cam")
    assert found is not None
    assert found.state == {"number": 3}


def test_a_stream_that_is_registered_again_begins_without_one(database: DatabaseStore) -> None:
    references = DatabaseReferences(database)
    references.keep("cam", begun(database), 1, STATE)
    database.delete_stream("cam")
    database.put_stream(StreamRecord("cam", {}))
    assert references.find("cam") is None


def test_which_version_is_wanted_is_a_part_of_the_stream(store: Store) -> None:
    store.put_stream(StreamRecord("cam", {}))
    record = store.get_stream("cam")
    assert record is not None
    assert record.reference_version == 1
    store.put_stream(StreamRecord("cam", {}, reference_version=2))
    record = store.get_stream("cam")
    assert record is not None
    assert record.reference_version == 2
