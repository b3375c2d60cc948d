"""Messages between replicas of two versions."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from pipelines.sources.supervisor import StreamState
from serve.control import messages
from serve.control.messages import DesiredState, Overview
from serve.streams.status import StreamStatus

EVERY = [
    StreamStatus,
    *(
        kind
        for _, kind in inspect.getmembers(messages, dataclasses.is_dataclass)
        if kind.__module__ == messages.__name__
    ),
]
STATUS = StreamStatus(StreamState.RUNNING, 1.0, shard="topic 1", waited_s=2.5, person_s=7.0)
FIELDS = [field.name for field in dataclasses.fields(StreamStatus)]


def sent(message: Any, values: list[Any]) -> Any:
    """As another version with these values would have sent it."""
    arrived = object.__new__(type(message))
    arrived.__setstate__(values)
    return arrived


def test_a_message_arrives_as_it_was_sent() -> None:
    desired = DesiredState({}, ("cam",), (), 1.5, capacity=2.0)
    assert pickle.loads(pickle.dumps(STATUS)) == STATUS
    assert pickle.loads(pickle.dumps(desired)) == desired


def test_what_an_older_version_does_not_say_is_as_it_was_then() -> None:
    before_drift = STATUS.__getstate__()[: FIELDS.index("waited_s")]  # type: ignore[index]
    assert sent(STATUS, before_drift) == dataclasses.replace(STATUS, waited_s=0.0, person_s=None)
    overview = Overview(True, None, {}, 3, {"lost": 1})
    assert sent(overview, overview.__getstate__()[:-1]).moves == {}  # type: ignore[index]


def test_what_a_newer_version_says_as_well_is_left_out() -> None:
    assert sent(STATUS, [*STATUS.__getstate__(), "new"]) == STATUS  # type: ignore[misc]


def test_what_cannot_be_left_out_is_missed() -> None:
    with pytest.raises(TypeError, match="another version has no since_s"):
        sent(STATUS, [StreamState.RUNNING])


@pytest.mark.parametrize("kind", EVERY)
def test_every_message_can_travel_between_versions(kind: type[Any]) -> None:
    assert kind.__setstate__.__qualname__.startswith("travels")


def test_fields_stay_where_they_were() -> None:
    """A list of values has no names: whoever puts a field in between makes old replicas read nonsense."""
    assert FIELDS[-7:] == [
        "waited_s", "latency_s", "person_s", "drift", "reconnects_by", "hard_frames_kept", "hard_frames_missed"
    ]  # fmt: skip
    assert [field.name for field in dataclasses.fields(DesiredState)][-3:] == ["heartbeat_s", "prepare", "capacity"]
    assert [field.name for field in dataclasses.fields(Overview)] == [
        "loaded", "store_error", "readers", "streams", "moves"
    ]  # fmt: skip
