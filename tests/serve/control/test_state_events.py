"""What is told of streams' states: each change that lasts, once, whoever leads."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from analytics.errors import StoreUnavailable
from analytics.storage.base import StreamRecord
from pipelines.sources.supervisor import StreamState
from serve.control.entry import StreamEntry
from serve.control.event_keeping import EventKeeping
from serve.sections import EventsSettings
from serve.streams.status import StreamStatus
from tests.fakes import MemoryOutbox, MemoryStore
from tests.serve.control.fake_readers import CAMERA

RUNNING = StreamStatus(StreamState.RUNNING, 100.0)
CUT = StreamStatus(StreamState.RECONNECTING, 200.0, "the camera does not answer", "source-unreachable")


class House:
    """Streams as the registry has them, and what is told of them."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.outbox = MemoryOutbox(self.store)
        self.now_s = 1000.0
        self.keeping = EventKeeping(EventsSettings(), wall_clock=lambda: self.now_s)
        self.entries: dict[str, StreamEntry] = {}

    def add(self, name: str, status: StreamStatus | None = None, **definition: object) -> None:
        wanted = CAMERA.model_copy(update={"site": "berlin", **definition})
        entry = StreamEntry.of(StreamRecord(name, wanted.model_dump(mode="json"), epoch=2), 1.0)
        entry.status = status
        self.entries[name] = entry

    def round(self, times: int = 1) -> list[tuple[str, str, str | None, str | None]]:
        """Stream, state, the one before, and code of all that is told over some rounds."""
        before = len(self.store.events)
        for _ in range(times):
            self.now_s += 1.0
            asyncio.run(self.keeping.tell(self.outbox, self.entries, lambda e: e.view(0.0, 0.0, 1).status))
        return [
            (event.context.stream, event.data["state"], event.data["before"], event.data["error_code"])
            for event in self.store.events[before:]
        ]


def test_a_state_is_told_once_it_lasts_and_then_no_more() -> None:
    house = House()
    house.add("cam", RUNNING)
    assert house.round() == []
    assert house.round() == [("cam", "running", None, None)]
    assert house.round(3) == []
    house.entries["cam"].status = CUT
    assert house.round(2) == [("cam", "reconnecting", "running", "source-unreachable")]
    (_, event) = house.store.events
    # When it was found, not since when the camera runs.
    assert (event.type, event.time_s, event.subject) == ("footfall.stream-state.v1", 1006.0, "")
    assert (event.context.site, event.context.epoch) == ("berlin", 2)
    assert event.data["error"] == "the camera does not answer"


def test_what_is_over_by_the_next_second_is_not_told() -> None:
    house = House()
    house.add("cam", RUNNING)
    house.round(2)
    for status in (None, RUNNING, CUT, RUNNING, None, RUNNING):
        house.entries["cam"].status = status
        assert house.round() == []


def test_a_stream_that_starts_is_told_only_if_it_cannot() -> None:
    house = House()
    house.add("cam")
    assert house.round(5) == []
    house.entries["cam"].waiting = True
    assert house.round(2) == [("cam", "starting", None, "no-reader")]


def test_another_problem_in_the_same_state_is_told() -> None:
    house = House()
    house.add("cam", CUT)
    house.round(2)
    house.entries["cam"].status = replace(CUT, error="wrong password", error_code="source-unauthorized")
    assert house.round(2) == [("cam", "reconnecting", "reconnecting", "source-unauthorized")]


def test_a_problem_that_comes_back_is_another_event_though_the_camera_has_run_all_the_time() -> None:
    house = House()
    house.add("cam", RUNNING)
    house.round(2)
    told = []
    for _ in range(3):
        for status in (replace(RUNNING, error="it does not answer", error_code="detector-unavailable"), RUNNING):
            house.entries["cam"].status = status
            told += house.round(2)
    assert [code for _, _, _, code in told] == ["detector-unavailable", None] * 3
    assert len({event.id for event in house.store.events}) == 7


def test_whoever_leads_next_tells_only_what_has_changed_meanwhile() -> None:
    first = House()
    first.add("cam", RUNNING)
    first.add("gate", RUNNING)
    first.round(2)
    first.outbox.number()
    second = House(first.store)
    second.add("cam", RUNNING)
    second.add("gate", CUT)
    assert second.round(3) == [("gate", "reconnecting", "running", "source-unreachable")]


def test_what_could_not_be_written_is_told_when_the_database_is_back() -> None:
    house = House()
    house.add("cam", RUNNING)
    house.round()
    house.store.away = True
    with pytest.raises(StoreUnavailable):
        house.round()
    house.store.away = False
    assert house.round() == [("cam", "running", None, None)]


def test_streams_that_are_gone_are_forgotten() -> None:
    house = House()
    house.add("cam", CUT)
    house.add("gate", RUNNING)
    house.round(2)
    del house.entries["cam"]
    house.round()
    house.add("cam", replace(CUT, since_s=300.0))
    assert house.round(2) == [("cam", "reconnecting", None, "source-unreachable")]


def test_one_that_is_gone_is_forgotten_also_where_another_has_come() -> None:
    house = House()
    house.add("cam", RUNNING)
    house.add("gate", RUNNING)
    house.round(2)
    del house.entries["gate"]
    house.add("shop")  # which starts, and is not told of
    house.round()
    house.add("gate", RUNNING)
    assert house.round(2) == [("gate", "running", None, None)]


def test_a_stream_that_is_switched_off_is_stopped() -> None:
    house = House()
    house.add("cam", RUNNING, enabled=False)
    assert house.round(2) == [("cam", "stopped", None, None)]


@pytest.mark.parametrize("status", [None, RUNNING, CUT, StreamStatus(StreamState.FAILED, 1.0, "no", "code")])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("waiting", [True, False])
def test_the_condition_is_what_is_shown(status: StreamStatus | None, enabled: bool, waiting: bool) -> None:
    house = House()
    house.add("cam", status, enabled=enabled)
    entry = house.entries["cam"]
    entry.waiting = waiting
    shown = entry.view(0.0, 0.0, 1).status
    assert entry.condition == (shown.state, shown.error_code)


def test_a_stream_that_is_registered_again_at_once_is_another_one() -> None:
    house = House()
    house.add("cam", RUNNING)
    assert house.round(2) == [("cam", "running", None, None)]
    house.add("cam", RUNNING)
    assert house.round(2) == [("cam", "running", None, None)]
    assert house.round(2) == []
    house.keeping.begin()  # and known anew by who leads again
    house.add("cam", RUNNING)
    assert house.round(3) == []
