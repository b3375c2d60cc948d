"""What every `Store` keeps."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from analytics.counting.heatmap import HEAT
from analytics.counting.lines import LINES
from analytics.counting.people import PeopleTotals
from analytics.errors import StaleEpoch, StoreError, UnknownStream
from analytics.reports.sections import COUNTED
from analytics.storage.base import Store, StreamRecord
from tests.analytics.storage.minutes import NOON, checkpoint, row
from tests.analytics.totals import totals_of


def register(store: Store, stream: str = "cam", **definition: Any) -> None:
    store.put_stream(StreamRecord(stream, definition))


# -- streams


def test_a_stream_is_new_once(store: Store) -> None:
    assert store.put_stream(StreamRecord("cam", {"name": "Entrance"})) is True
    assert store.put_stream(StreamRecord("cam", {"name": "Exit"})) is False
    stored = store.get_stream("cam")
    assert stored is not None
    assert stored.definition == {"name": "Exit"}
    assert (stored.epoch, stored.owner, stored.geometry_version) == (0, None, 1)


def test_definitions_and_geometry_come_back_as_they_were(store: Store) -> None:
    definition = {"name": "Müller · 入口", "fps": 0.1, "deep": [{"a": None}, True, 1e-9]}
    geometry = {"lines": [{"id": "door", "a": [0.1, 0.2], "b": [1 / 3, 1.0]}]}
    store.put_stream(StreamRecord("cam", definition, geometry, geometry_version=3))
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.definition, stored.geometry, stored.geometry_version) == (definition, geometry, 3)


def test_streams_are_listed_by_id(store: Store) -> None:
    for name in ("b", "c", "a"):
        register(store, name)
    assert [record.id for record in store.list_streams()] == ["a", "b", "c"]


def test_an_unknown_stream_is_none_and_cannot_be_assigned_or_deleted(store: Store) -> None:
    assert store.get_stream("ghost") is None
    assert store.load_checkpoint("ghost") is None
    assert store.minutes("ghost", 0, 2**40) == []
    assert store.delete_stream("ghost") is False
    with pytest.raises(UnknownStream, match="ghost"):
        store.assign("ghost", "reader")


def test_a_change_leaves_owner_and_epoch_alone(store: Store) -> None:
    register(store)
    store.assign("cam", "reader-1")
    store.put_stream(StreamRecord("cam", {"name": "new"}, epoch=99, owner="somebody else"))
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.epoch, stored.owner) == (1, "reader-1")


# -- assignments


def test_every_assignment_has_an_epoch_of_its_own(store: Store) -> None:
    register(store)
    assert [store.assign("cam", f"reader-{n}") for n in range(3)] == [1, 2, 3]
    assert store.assign("cam", None) == 3
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.epoch, stored.owner) == (3, None)
    assert store.assign("cam", "reader-9") == 4


def test_epochs_are_unique_whoever_assigns_at_the_same_time(store: Store) -> None:
    register(store)
    epochs: list[int] = []

    def assign(reader: str) -> None:
        for _ in range(10):
            epochs.append(store.assign("cam", reader))

    threads = [threading.Thread(target=assign, args=(f"reader-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(epochs) == list(range(1, 41))


def test_a_stream_that_is_registered_again_never_repeats_an_epoch(store: Store) -> None:
    seen: set[int] = set()
    for _ in range(4):
        register(store)
        for _ in range(2):
            epoch = store.assign("cam", "reader")
            assert epoch not in seen
            seen.add(epoch)
        store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
        assert store.delete_stream("cam") is True
    assert len(store.minutes("cam", NOON, NOON + 60)) == 4


# -- checkpoints


def test_state_rows_and_place_come_back_as_they_were(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    state = {"boxes": [[0.1, 1 / 3, 1e300]], "none": None, "text": "ä"}
    written = checkpoint(epoch, row(epoch=epoch), resume={"position": {"next": {"0": 2**40}}}, **state)
    store.checkpoint(written)
    loaded = store.load_checkpoint("cam")
    assert loaded is not None
    assert (loaded.epoch, loaded.state, loaded.resume, loaded.time_s) == (
        epoch,
        state,
        written.resume,
        written.time_s,
    )
    assert list(loaded.rows) == []
    assert store.minutes("cam", NOON, NOON + 60) == [row(epoch=epoch)]


def test_heat_is_read_only_when_it_is_asked_for(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    (without,) = store.minutes("cam", NOON, NOON + 60, COUNTED)
    assert HEAT not in without.totals.values
    assert without.totals[LINES] == row().totals[LINES]


def test_a_minute_of_which_nothing_but_coverage_is_known_is_kept(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    bare = row(epoch=epoch)
    bare = type(bare)("cam", NOON, epoch, totals_of(PeopleTotals(60.0, 360)))
    store.checkpoint(checkpoint(epoch, bare))
    assert store.minutes("cam", NOON, NOON + 60) == [bare]


def test_the_same_checkpoint_twice_changes_nothing(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    for _ in range(3):
        store.checkpoint(checkpoint(epoch, row(epoch=epoch), row(minute=NOON + 60, epoch=epoch), n=1))
    assert store.minutes("cam", 0, 2**40) == [row(epoch=epoch), row(minute=NOON + 60, epoch=epoch)]


def test_a_minute_that_grew_replaces_itself(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=10)))
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=200)))
    assert store.minutes("cam", NOON, NOON + 60) == [row(epoch=epoch, frames=200)]


def test_minutes_come_by_minute_and_epoch_from_start_to_before_end(store: Store) -> None:
    register(store)
    for _ in range(2):
        epoch = store.assign("cam", "reader")
        store.checkpoint(checkpoint(epoch, *(row(minute=NOON + 60 * n, epoch=epoch) for n in (3, 1, 2, 0))))
    found = store.minutes("cam", NOON + 60, NOON + 180)
    assert [(r.minute - NOON, r.epoch) for r in found] == [(60, 1), (60, 2), (120, 1), (120, 2)]


def test_streams_do_not_mix(store: Store) -> None:
    for name in ("one", "two"):
        register(store, name)
        epoch = store.assign(name, "reader")
        store.checkpoint(checkpoint(epoch, row(name, epoch=epoch), stream=name, name=name))
    assert [r.stream for r in store.minutes("one", 0, 2**40)] == ["one"]
    loaded = store.load_checkpoint("two")
    assert loaded is not None
    assert loaded.state == {"name": "two"}


@pytest.mark.parametrize("how", ["older", "never assigned", "deleted", "deleted and registered again", "unknown"])
def test_whoever_lost_a_stream_can_write_nothing(store: Store, how: str) -> None:
    register(store)
    epoch = store.assign("cam", "reader-1")
    if how == "older":
        store.assign("cam", "reader-2")
    elif how == "never assigned":
        epoch = 7
    elif how.startswith("deleted"):
        store.delete_stream("cam")
        if how.endswith("again"):
            register(store)
    name = "ghost" if how == "unknown" else "cam"
    with pytest.raises(StaleEpoch):
        store.checkpoint(checkpoint(epoch, row(name, epoch=epoch), stream=name, late=True))
    assert store.minutes(name, 0, 2**40) == []
    assert store.load_checkpoint(name) is None


def test_an_owner_that_was_asked_to_let_go_may_still_write_its_last_rows(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    store.assign("cam", None)
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    assert len(store.minutes("cam", 0, 2**40)) == 1


def test_a_checkpoint_is_written_whole_or_not_at_all(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=10), n=1))
    with pytest.raises((StoreError, TypeError)):
        store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=99), row(minute=NOON + 60, epoch=epoch), n=object()))
    assert store.minutes("cam", 0, 2**40) == [row(epoch=epoch, frames=10)]
    loaded = store.load_checkpoint("cam")
    assert loaded is not None
    assert loaded.state == {"n": 1}


# -- removal


def test_a_deleted_stream_forgets_its_state_and_keeps_its_minutes(store: Store) -> None:
    register(store)
    epoch = store.assign("cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    assert store.delete_stream("cam") is True
    assert store.get_stream("cam") is None
    assert store.list_streams() == []
    assert store.load_checkpoint("cam") is None
    assert len(store.minutes("cam", 0, 2**40)) == 1
    assert store.delete_stream("cam") is False


def test_a_purge_takes_the_minutes_too_but_only_its_own(store: Store) -> None:
    for name in ("cam", "other"):
        register(store, name)
        epoch = store.assign(name, "reader")
        store.checkpoint(checkpoint(epoch, row(name, epoch=epoch), stream=name))
    store.delete_stream("cam", purge=True)
    assert store.minutes("cam", 0, 2**40) == []
    assert len(store.minutes("other", 0, 2**40)) == 1


def test_checks_and_closing_are_quiet(store: Store) -> None:
    store.check()
    store.close()
