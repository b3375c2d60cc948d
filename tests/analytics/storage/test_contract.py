"""What every `Store` keeps."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from analytics.counting.heatmap import HEAT
from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE, PeopleTotals
from analytics.counting.zones import ZONES
from analytics.errors import LeaseLost, StaleEpoch, StoreError
from analytics.minutes import MinuteRow, Totals
from analytics.reports.queries import Window, counts
from analytics.reports.sections import COUNTED
from analytics.storage.base import Checkpoint, Store, StreamRecord
from analytics.storage.database import DatabaseStore
from tests.analytics.storage.minutes import NOON, checkpoint, row
from tests.analytics.totals import totals_of
from tests.assigning import assign


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
    assert store.assign({"ghost": "reader"}) == {}


def test_many_streams_are_given_in_one_step(store: Store) -> None:
    for name in ("a", "b", "c"):
        register(store, name)
    assert store.assign({"a": "one", "b": "two", "ghost": "one"}) == {"a": 1, "b": 1}
    assert store.assign({"b": None, "a": "two", "c": "one"}) == {"a": 2, "b": 1, "c": 1}
    assert [record.owner for record in store.list_streams()] == ["two", None, "one"]
    assert store.assign({}) == {}


def test_what_streams_weigh_is_kept_whatever_else_changes(store: Store) -> None:
    register(store, "a")
    register(store, "b")
    assert [(record.weight, record.least_weight) for record in store.list_streams()] == [(None, None)] * 2
    store.weigh({"a": (0.5, 0.25), "ghost": (1.0, 1.0)})
    store.put_stream(StreamRecord("a", {"name": "new"}, weight=9.0))
    assign(store, "a", "reader")
    assert [(record.weight, record.least_weight) for record in store.list_streams()] == [(0.5, 0.25), (None, None)]
    store.weigh({})


def test_a_change_leaves_owner_and_epoch_alone(store: Store) -> None:
    register(store)
    assign(store, "cam", "reader-1")
    store.put_stream(StreamRecord("cam", {"name": "new"}, epoch=99, owner="somebody else"))
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.epoch, stored.owner) == (1, "reader-1")


# -- assignments


def test_every_assignment_has_an_epoch_of_its_own(store: Store) -> None:
    register(store)
    assert [assign(store, "cam", f"reader-{n}") for n in range(3)] == [1, 2, 3]
    assert assign(store, "cam", None) == 3
    stored = store.get_stream("cam")
    assert stored is not None
    assert (stored.epoch, stored.owner) == (3, None)
    assert assign(store, "cam", "reader-9") == 4


def test_epochs_are_unique_whoever_assigns_at_the_same_time(store: Store) -> None:
    register(store)
    epochs: list[int] = []

    def take(reader: str) -> None:
        for _ in range(10):
            epochs.append(assign(store, "cam", reader))

    threads = [threading.Thread(target=take, args=(f"reader-{n}",)) for n in range(4)]
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
            epoch = assign(store, "cam", "reader")
            assert epoch not in seen
            seen.add(epoch)
        store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
        assert store.delete_stream("cam") is True
    assert len(store.minutes("cam", NOON, NOON + 60)) == 4


# -- checkpoints


def test_state_rows_and_place_come_back_as_they_were(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
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
    epoch = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    (without,) = store.minutes("cam", NOON, NOON + 60, COUNTED)
    assert HEAT not in without.totals.values
    assert without.totals[LINES] == row().totals[LINES]


def test_a_minute_of_which_nothing_but_coverage_is_known_is_kept(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    bare = row(epoch=epoch)
    bare = type(bare)("cam", NOON, epoch, totals_of(PeopleTotals(60.0, 360)))
    store.checkpoint(checkpoint(epoch, bare))
    assert store.minutes("cam", NOON, NOON + 60) == [bare]


def test_the_same_checkpoint_twice_changes_nothing(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    for _ in range(3):
        store.checkpoint(checkpoint(epoch, row(epoch=epoch), row(minute=NOON + 60, epoch=epoch), n=1))
    assert store.minutes("cam", 0, 2**40) == [row(epoch=epoch), row(minute=NOON + 60, epoch=epoch)]


def test_a_minute_that_grew_replaces_itself(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=10)))
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=200)))
    assert store.minutes("cam", NOON, NOON + 60) == [row(epoch=epoch, frames=200)]


def test_minutes_come_by_minute_and_epoch_from_start_to_before_end(store: Store) -> None:
    register(store)
    for _ in range(2):
        epoch = assign(store, "cam", "reader")
        store.checkpoint(checkpoint(epoch, *(row(minute=NOON + 60 * n, epoch=epoch) for n in (3, 1, 2, 0))))
    found = store.minutes("cam", NOON + 60, NOON + 180)
    assert [(r.minute - NOON, r.epoch) for r in found] == [(60, 1), (60, 2), (120, 1), (120, 2)]


def test_sums_are_those_of_the_minutes_whoever_adds_them_up(store: Store) -> None:
    register(store)
    for _ in range(2):
        epoch = assign(store, "cam", "reader")
        minutes = [row(minute=NOON + 60 * n, epoch=epoch, frames=4 * n + epoch) for n in range(0, 90, 7)]
        store.checkpoint(checkpoint(epoch, *minutes))
    start, end = NOON + 120, NOON + 80 * 60
    for step_s in (60, 900, 3600):
        expected: dict[int, Totals] = {}
        for one in store.minutes("cam", start, end, COUNTED):
            expected.setdefault(one.minute // step_s * step_s, Totals()).add(one.totals)
        found = dict(store.sums("cam", start, end, step_s, COUNTED))
        assert found.keys() == expected.keys()
        for step, totals in expected.items():
            assert found[step][LINES] == totals[LINES]
            assert found[step][ZONES]["till"].dwells == totals[ZONES]["till"].dwells
            for seen, wanted in (
                (found[step][PEOPLE], totals[PEOPLE]),
                (found[step][ZONES]["till"], totals[ZONES]["till"]),
            ):
                assert seen.person_seconds == pytest.approx(wanted.person_seconds, abs=1e-9)
                assert seen.peak == wanted.peak
    assert store.sums("ghost", start, end, 900, COUNTED) == []


def test_an_answer_reads_few_rows_of_a_long_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minute by minute, a year of one camera took 23 s and 2.2 GB."""
    register(store)
    epoch = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(epoch, *(row(minute=NOON + 60 * n, epoch=epoch) for n in range(600))))
    monkeypatch.setattr(type(store), "minutes", None)
    if isinstance(store, DatabaseStore):
        days = counts(store, "cam", Window(NOON, NOON + 600 * 60), "1d")
        assert sum(day.totals[PEOPLE].frames for day in days) == 600 * 360


def test_streams_do_not_mix(store: Store) -> None:
    for name in ("one", "two"):
        register(store, name)
        epoch = assign(store, name, "reader")
        store.checkpoint(checkpoint(epoch, row(name, epoch=epoch), stream=name, name=name))
    assert [r.stream for r in store.minutes("one", 0, 2**40)] == ["one"]
    loaded = store.load_checkpoint("two")
    assert loaded is not None
    assert loaded.state == {"name": "two"}


@pytest.mark.parametrize("how", ["older", "never assigned", "deleted", "deleted and registered again", "unknown"])
def test_whoever_lost_a_stream_can_write_nothing(store: Store, how: str) -> None:
    register(store)
    epoch = assign(store, "cam", "reader-1")
    if how == "older":
        assign(store, "cam", "reader-2")
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
    epoch = assign(store, "cam", "reader")
    assign(store, "cam", None)
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))
    assert len(store.minutes("cam", 0, 2**40)) == 1


def test_a_checkpoint_is_written_whole_or_not_at_all(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=10), n=1))
    with pytest.raises((StoreError, TypeError)):
        store.checkpoint(checkpoint(epoch, row(epoch=epoch, frames=99), row(minute=NOON + 60, epoch=epoch), n=object()))
    assert store.minutes("cam", 0, 2**40) == [row(epoch=epoch, frames=10)]
    loaded = store.load_checkpoint("cam")
    assert loaded is not None
    assert loaded.state == {"n": 1}


# -- what was left behind


def left_behind(epoch: int, *, live: bool, time_s: float | None = None, frames: int = 360) -> Checkpoint:
    made = checkpoint(epoch, row(epoch=epoch, frames=frames), resume=None if live else {"position": 1}, late=True)
    return made if time_s is None else replace(made, time_s=time_s)


def test_what_waited_is_taken_whole_while_nobody_has_begun_without_it(store: Store) -> None:
    register(store)
    first = assign(store, "cam", "reader-1")
    assert store.begin("cam", first) is None
    second = assign(store, "cam", "reader-2")
    store.deliver(left_behind(first, live=False))
    begun = store.begin("cam", second)
    assert begun is not None
    assert (begun.epoch, begun.state, begun.resume) == (first, {"late": True}, {"position": 1})
    assert store.begin("cam", second) == begun  # whoever asks again hears the same
    assert store.minutes("cam", 0, 2**40) == [row(epoch=first)]


def test_what_can_be_replayed_is_refused_once_somebody_counts_it_again(store: Store) -> None:
    """A zombie that wakes up and spools, on a disk that it shares with its heir."""
    register(store)
    first = assign(store, "cam", "zombie")
    store.begin("cam", first)
    second = assign(store, "cam", "heir")
    store.begin("cam", second)  # and has written nothing so far
    with pytest.raises(StaleEpoch):
        store.deliver(left_behind(first, live=False))
    assert store.minutes("cam", 0, 2**40) == []
    assert store.load_checkpoint("cam") is None


def test_rows_of_a_live_camera_from_before_the_next_epoch_are_taken_and_its_state_is_not(store: Store) -> None:
    register(store)
    first = assign(store, "cam", "reader-1")
    store.begin("cam", first)
    second = assign(store, "cam", "reader-2")
    store.begin("cam", second)
    store.checkpoint(checkpoint(second, row(epoch=second), n=2))
    store.deliver(left_behind(first, live=True, time_s=-1.0))  # stores' clocks may stand at zero
    assert [r.epoch for r in store.minutes("cam", 0, 2**40)] == [first, second]
    loaded = store.load_checkpoint("cam")
    assert loaded is not None
    assert loaded.state == {"n": 2}
    with pytest.raises(StaleEpoch):  # it watched on beside its heir, so its rows hold what the heir has counted
        store.deliver(left_behind(first, live=True, time_s=2.0**40, frames=999))
    assert row(epoch=first) in store.minutes("cam", 0, 2**40)


def test_a_camera_whose_clock_is_ahead_loses_nothing_that_was_cut_before_the_next_epoch(store: Store) -> None:
    register(store)
    first = assign(store, "cam", "reader-1")
    store.begin("cam", first)
    store.begin("cam", assign(store, "cam", "reader-2"))
    ahead = left_behind(first, live=True, time_s=9.0)
    with pytest.raises(StaleEpoch):
        store.deliver(replace(ahead, made_s=9.0))
    store.deliver(replace(ahead, made_s=-1.0))  # stores' clocks stand at zero
    assert [r.epoch for r in store.minutes("cam", 0, 2**40)] == [first]


def test_what_an_epoch_left_behind_is_taken_for_ninety_days_after_its_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After that nothing is known of it any more, so that epochs do not become more for ever."""
    day_s, now_s = 86400.0, [1e9]
    monkeypatch.setattr(store, "_wall_clock", lambda: now_s[0])
    register(store)
    begun = []
    for _ in range(5):
        begun.append(assign(store, "cam", "reader"))
        store.begin("cam", begun[-1])
        now_s[0] += 40 * day_s
    late = [left_behind(epoch, live=True, time_s=1e9) for epoch in begun]
    with pytest.raises(StaleEpoch):
        store.deliver(late[0])  # it ended 120 days before the last one began
    for known in late[1:]:
        store.deliver(known)
        store.deliver(known)
    assert [r.epoch for r in store.minutes("cam", 0, 2**40)] == begun[1:]


def test_of_an_endless_number_of_epochs_the_newest_are_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose reader dies again and again, within minutes."""
    monkeypatch.setattr("analytics.storage.lateness.KEPT_EPOCHS", 3)
    register(store)
    begun = []
    for _ in range(5):
        begun.append(assign(store, "cam", "reader"))
        store.begin("cam", begun[-1])
    late = [left_behind(epoch, live=True, time_s=-1.0) for epoch in begun]
    for unknown in late[:2]:
        with pytest.raises(StaleEpoch):
            store.deliver(unknown)
    for known in late[2:]:
        store.deliver(known)
    assert [r.epoch for r in store.minutes("cam", 0, 2**40)] == begun[2:]


@pytest.mark.parametrize("live", [True, False])
def test_nothing_of_a_purged_stream_comes_back(store: Store, live: bool) -> None:
    register(store)
    old = assign(store, "cam", "reader")
    store.begin("cam", old)
    store.delete_stream("cam", purge=True)
    for _ in range(2):
        with pytest.raises(StaleEpoch):
            store.deliver(left_behind(old, live=live, time_s=-1.0))
        register(store)
    new = assign(store, "cam", "reader")
    assert store.begin("cam", new) is None
    assert store.minutes("cam", 0, 2**40) == []


def test_the_place_of_a_deleted_stream_does_not_come_back_but_its_history_may(store: Store) -> None:
    register(store)
    old = assign(store, "cam", "reader")
    store.begin("cam", old)
    store.delete_stream("cam")
    register(store)
    store.deliver(left_behind(old, live=True, time_s=-1.0))
    with pytest.raises(StaleEpoch):
        store.deliver(left_behind(old, live=False))
    assert store.begin("cam", assign(store, "cam", "reader")) is None
    assert len(store.minutes("cam", 0, 2**40)) == 1


def numbered(epoch: int, cut: int, *minutes: int) -> Checkpoint:
    """Of a live camera: the ``cut``-th of an epoch, with as many frames in every minute."""
    rows = [MinuteRow("cam", NOON + 60 * n, epoch, totals_of(PeopleTotals(cut, cut, cut, 1))) for n in minutes]
    return Checkpoint("cam", epoch, rows, {"cut": cut}, None, NOON + float(cut), cut)


def frames_of(store: Store) -> list[int]:
    return [row.totals[PEOPLE].frames for row in store.minutes("cam", 0, 2**40)]


def test_what_two_hand_in_is_written_once_and_never_over_what_was_cut_since(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    store.begin("cam", epoch)
    waited = numbered(epoch, 1, 0, 1)
    store.deliver(waited)  # by whoever works on it, before the next
    store.checkpoint(numbered(epoch, 2, 1))
    store.deliver(waited)  # by somebody who had read the file before it was removed
    assert frames_of(store) == [1, 2]
    newest = store.load_checkpoint("cam")
    assert newest is not None
    assert newest.state == {"cut": 2}
    store.checkpoint(numbered(epoch, 2, 0, 1))
    assert frames_of(store) == [1, 2]
    store.begin("cam", assign(store, "cam", "heir"))
    store.deliver(replace(waited, rows=numbered(epoch, 9, 0).rows))
    assert frames_of(store) == [1, 2]


def test_an_epoch_in_which_somebody_has_counted_does_not_begin_again(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    store.begin("cam", epoch)
    store.begin("cam", epoch)  # asked again, because the answer got lost
    store.checkpoint(numbered(epoch, 1, 0))
    with pytest.raises(StaleEpoch, match="somebody else has counted"):
        store.begin("cam", epoch)
    begun = store.begin("cam", assign(store, "cam", "reader"))
    assert begun is not None
    assert begun.state == {"cut": 1}


def test_an_epoch_that_is_over_cannot_begin(store: Store) -> None:
    register(store)
    first = assign(store, "cam", "reader-1")
    assign(store, "cam", "reader-2")
    with pytest.raises(StaleEpoch):
        store.begin("cam", first)
    with pytest.raises(StaleEpoch):
        store.begin("ghost", 1)
    with pytest.raises(StaleEpoch):
        store.deliver(left_behind(7, live=True))


# -- who leads


def test_a_stream_that_nobody_has_is_reclaimed_by_who_works_on_it(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader-1")
    assert store.reclaim("reader-2", {"cam": epoch}) == set()
    assign(store, "cam", None)
    assert store.reclaim("reader-1", {"cam": epoch - 1}) == set()
    register(store, "taken")
    taken = assign(store, "taken", "reader-3")
    assert store.reclaim("reader-1", {"cam": epoch, "ghost": 1, "taken": taken}) == {"cam"}
    assert [(r.id, r.epoch, r.owner) for r in store.list_streams()] == [
        ("cam", epoch, "reader-1"),
        ("taken", taken, "reader-3"),
    ]
    assert store.reclaim("reader-1", {}) == set()


def test_whoever_led_before_changes_nothing_more(store: Store, another: Store) -> None:
    register(store)
    store.lead()
    epoch = assign(store, "cam", "reader-1")
    another.lead()
    for change in (
        lambda: assign(store, "cam", "reader-2"),
        lambda: store.reclaim("reader-2", {"cam": epoch}),
        lambda: store.put_stream(StreamRecord("new", {})),
        lambda: store.delete_stream("cam"),
        store.renew,
    ):
        with pytest.raises(LeaseLost):
            change()
    assert [(r.id, r.owner) for r in another.list_streams()] == [("cam", "reader-1")]
    store.checkpoint(checkpoint(epoch, row(epoch=epoch)))  # rows are fenced by epochs, not by who leads
    another.renew()
    assert assign(another, "cam", "reader-2") == epoch + 1


def test_a_leader_that_is_gone_is_known_by_its_number(store: Store, another: Store) -> None:
    assert another.leader() == (0, 0)
    store.lead()
    seen = another.leader()
    store.renew()
    assert another.leader() > seen
    assert another.leader() == another.leader()


# -- removal


def test_purged_minutes_are_out_of_sight_at_once_and_are_swept_in_pieces(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(epoch, *(row(minute=NOON + 3600 * hour, epoch=epoch) for hour in range(48))))
    store.delete_stream("cam", purge=True)
    assert store.minutes("cam", 0, 2**40) == []
    assert store.extent("cam") == (0, 0)
    register(store)
    new = assign(store, "cam", "reader")
    store.checkpoint(checkpoint(new, row(epoch=new)))
    pieces = 0
    while store.sweep():
        pieces += 1
    assert pieces < 50
    assert store.minutes("cam", 0, 2**40) == [row(epoch=new)]
    assert store.sweep() is False


def test_a_deleted_stream_forgets_its_state_and_keeps_its_minutes(store: Store) -> None:
    register(store)
    epoch = assign(store, "cam", "reader")
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
        epoch = assign(store, name, "reader")
        store.checkpoint(checkpoint(epoch, row(name, epoch=epoch), stream=name))
    store.delete_stream("cam", purge=True)
    assert store.minutes("cam", 0, 2**40) == []
    assert len(store.minutes("other", 0, 2**40)) == 1


def test_checks_and_closing_are_quiet(store: Store) -> None:
    store.check()
    store.close()
