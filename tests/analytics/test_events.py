from __future__ import annotations

import json

import pytest

from analytics.counting.base import (
    CountEvent,
    Crossing,
    DwellExceeded,
    OccupancyChanged,
    QueueChanged,
    ZoneEntry,
    ZoneExit,
)
from analytics.events import COUNT_EVENT_TYPES, Event, EventContext, EventMaker
from pipelines.types import FrameStamp

CONTEXT = EventContext("cam", "berlin", 3, "nanodet-g")
LIVE = FrameStamp(7, 100.25)
TOPIC = FrameStamp(7, 100.25, resume={"position": 9})
EVERYTHING: list[CountEvent] = [
    Crossing("door", 1, "in", 100.25),
    ZoneEntry("till", 1, 100.25),
    ZoneExit("till", 2, 8.5, 100.25),
    DwellExceeded("till", 3, 61.0, 100.25),
    QueueChanged("till", True, 5, 100.25),
    OccupancyChanged("hall", False, 9, 100.25),
]


def test_each_thing_that_counters_tell_has_a_type_and_only_what_it_needs() -> None:
    assert {type(one) for one in EVERYTHING} == COUNT_EVENT_TYPES.keys()
    found = EventMaker().make(EVERYTHING, CONTEXT, LIVE)
    assert [(event.type, event.subject, event.data) for event in found] == [
        ("footfall.crossing.v1", "door", {"line": "door", "track": 1, "direction": "in"}),
        ("footfall.zone-entry.v1", "till", {"zone": "till", "track": 1}),
        ("footfall.zone-exit.v1", "till", {"zone": "till", "track": 2, "dwell_s": 8.5}),
        ("footfall.dwell-exceeded.v1", "till", {"zone": "till", "track": 3, "dwell_s": 61.0}),
        ("footfall.queue.v1", "till", {"zone": "till", "over": True, "people": 5}),
        ("footfall.occupancy.v1", "hall", {"zone": "hall", "over": False, "people": 9}),
    ]
    assert {(event.context, event.time_s) for event in found} == {(CONTEXT, 100.25)}


def test_an_event_survives_the_spool() -> None:
    for event in EventMaker().make(EVERYTHING, CONTEXT, TOPIC):
        assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event


@pytest.mark.parametrize("document", [{}, {"id": "x"}, {"context": 7}, {"context": {"stream": "cam"}}])
def test_what_is_no_event_is_refused(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Event.from_json(document)


def ids(*told: CountEvent, epoch: int = 3, stamp: FrameStamp = TOPIC, stream: str = "cam") -> list[str]:
    return [event.id for event in EventMaker().make(told, EventContext(stream, "", epoch, "m"), stamp)]


def test_frames_that_are_replayed_give_the_same_ids_whoever_analyses_them() -> None:
    first = ids(Crossing("door", 1, "in", 100.25), Crossing("door", 2, "in", 100.25))
    assert ids(Crossing("door", 8, "in", 100.25), Crossing("door", 5, "in", 100.25), epoch=4) == first
    assert len(set(first)) == 2
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in first)


def test_what_a_live_camera_shows_is_seen_once_though_its_clock_may_tell_a_time_twice() -> None:
    crossing = Crossing("door", 1, "in", 100.25)
    assert ids(crossing, stamp=LIVE) == ids(crossing, stamp=LIVE)
    assert ids(crossing, stamp=LIVE, epoch=4) != ids(crossing, stamp=LIVE)


def test_what_differs_has_another_id() -> None:
    found = [
        *ids(Crossing("door", 1, "in", 100.25)),
        *ids(Crossing("door", 1, "out", 100.25)),
        *ids(Crossing("gate", 1, "in", 100.25)),
        *ids(Crossing("door", 1, "in", 100.375)),
        *ids(Crossing("door", 1, "in", 100.25), stream="other"),
        *ids(ZoneEntry("door", 1, 100.25)),
        *ids(QueueChanged("till", True, 5, 100.25)),
        *ids(QueueChanged("till", False, 5, 100.25)),
    ]
    assert len(set(found)) == len(found)


def test_the_order_of_a_frame_does_not_matter_to_people_who_go_opposite_ways() -> None:
    one, other = Crossing("door", 1, "in", 100.25), Crossing("door", 2, "out", 100.25)
    assert set(ids(one, other)) == set(ids(other, one))


def test_frames_of_the_same_time_keep_their_events_apart() -> None:
    """Timestamps may tell seconds, and clocks stand still."""
    maker = EventMaker()
    found = [maker.make([Crossing("door", track, "in", 100.0)], CONTEXT, TOPIC)[0].id for track in range(3)]
    assert found == ids(*[Crossing("door", track, "in", 100.0) for track in range(3)])
    assert len(set(found)) == 3


def test_a_clock_that_is_set_back_shows_other_events_at_the_same_time() -> None:
    maker = EventMaker()
    times = [100.0, 101.0, 100.0, 101.0, 100.0]
    found = [maker.make([Crossing("door", 1, "in", at_s)], CONTEXT, LIVE)[0].id for at_s in times]
    assert len(set(found)) == len(times)


@pytest.mark.parametrize("cut", range(7))
def test_identities_go_on_after_a_snapshot(cut: int) -> None:
    told = [Crossing("door", 1, "in", at_s) for at_s in (100.0, 100.0, 101.0, 100.5, 100.5, 101.0)]
    whole, first, second = EventMaker(), EventMaker(), EventMaker()
    wanted = [whole.make([one], CONTEXT, TOPIC)[0].id for one in told]
    found = [first.make([one], CONTEXT, TOPIC)[0].id for one in told[:cut]]
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert found + [second.make([one], CONTEXT, TOPIC)[0].id for one in told[cut:]] == wanted


def test_a_state_from_before_there_were_events_begins_afresh() -> None:
    maker = EventMaker()
    maker.restore({})
    assert maker.make([Crossing("door", 1, "in", 1.0)], CONTEXT, TOPIC) == EventMaker().make(
        [Crossing("door", 1, "in", 1.0)], CONTEXT, TOPIC
    )
