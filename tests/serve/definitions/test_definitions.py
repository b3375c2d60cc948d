from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.sources.base import SourceLimits
from pipelines.sources.file import FileSource
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.rtsp import RtspSource
from pipelines.sources.simulator import SimulatorSource
from serve.definitions.stream import StreamDefinition, completed
from serve.errors import DefinitionRefused

RTSP = {"type": "rtsp", "url": "rtsp://admin:hunter2@10.0.0.1/live"}
KAFKA = {
    "type": "kafka",
    "brokers": "a:9092,b:9092",
    "topic": "frames",
    "key": "cam",
    "username": "footfall",
    "password": "hunter2",
    "tls": True,
}
FILE = {"type": "file", "path": "/data/clip.mp4"}
SIMULATOR = {"type": "simulator", "scene": {"people": 3}}


def define(source: dict[str, Any], **rest: Any) -> StreamDefinition:
    return StreamDefinition.model_validate({"source": source, **rest})


def test_six_frames_a_second_are_enough_unless_told_otherwise() -> None:
    assert define(FILE).analysis_fps == 6.0
    assert define(FILE, analysis_fps=None).analysis_fps is None


@pytest.mark.parametrize("source", [RTSP, KAFKA, FILE, SIMULATOR])
def test_a_definition_survives_being_stored(source: dict[str, Any]) -> None:
    definition = define(source, name="Entrance", site="Berlin", enabled=False)
    assert StreamDefinition.model_validate(json.loads(json.dumps(definition.model_dump(mode="json")))) == definition


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"source": {"type": "carrier pigeon"}},
        {"source": RTSP, "colour": "red"},
        {"source": {**RTSP, "pasword": "x"}},
        {"source": {"type": "rtsp", "url": "http://10.0.0.1/live"}},
        {"source": {"type": "rtsp", "url": "rtsp:///live"}},
        {"source": {"type": "rtsp", "url": "rtsp://host:port/live"}},
        {"source": {"type": "rtsp", "url": "rtsp://host/" + "x" * 2000}},
        {"source": {"type": "rtsp", "url": "rtsp://admin:two words@host/live"}},
        {"source": {"type": "kafka", "brokers": "a:9092", "topic": "not a topic"}},
        {"source": {"type": "file", "path": ""}},
        {"source": {"type": "simulator", "scene": {"persons": 3}}},
        {"source": FILE, "analysis_fps": 0},
        {"source": FILE, "analysis_fps": 0.4},  # frames further apart than a gap: nothing would ever be counted
        {"source": FILE, "analysis_fps": 1000},
        {"source": FILE, "name": "n" * 201},
        {"source": FILE, "analysis_fps": True},
        {"source": FILE, "analysis_fps": float("inf")},
        {"source": FILE, "enabled": 1},
        {"source": FILE, "model": ""},
        {"source": {**FILE, "start_s": 1e300}},
        {"source": {**FILE, "start_s": float("nan")}},
        {"source": {**FILE, "start_s": -1}},
    ],
)
def test_what_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StreamDefinition.model_validate(document)


@pytest.mark.parametrize("url", ["rtsp://admin:hunter2/x@10.0.0.1/live", "rtsp://admin:hunter2[@10.0.0.1/live"])
def test_the_reason_why_a_url_cannot_be_read_shows_no_part_of_the_password(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        define({"type": "rtsp", "url": url})
    assert "hunter2" not in json.dumps([error["msg"] for error in caught.value.errors()])


def test_answers_show_no_password() -> None:
    assert define(RTSP).redacted()["source"]["url"] == "rtsp://***@10.0.0.1/live"
    shown = define(KAFKA).redacted()["source"]
    assert (shown["password"], shown["username"]) == ("***", "footfall")
    without = define({"type": "kafka", "brokers": "a:9092", "topic": "frames"}).redacted()["source"]
    assert without["password"] is None
    assert "hunter2" not in json.dumps(define(RTSP).redacted()) + json.dumps(shown)


@pytest.mark.parametrize("source", [RTSP, KAFKA, FILE, SIMULATOR])
def test_what_was_shown_can_be_sent_back_and_keeps_its_secrets(source: dict[str, Any]) -> None:
    stored = define(source, name="old")
    shown = stored.redacted() | {"name": "new"}
    sent_back = completed(StreamDefinition.model_validate(shown), stored, 0.0)
    assert sent_back.source == completed(stored, None, 0.0).source
    assert sent_back.name == "new"


@pytest.mark.parametrize(
    "change",
    [
        {"url": "rtsp://***@evil.example.com/live"},
        {"url": "rtsp://***@10.0.0.1:8554/live"},
        {"url": "rtsp://***@10.0.0.1/live", "verify_tls": True},
        {"url": "rtsp://***@10.0.0.1/***"},
        {"url": "rtsp://10.0.0.1/live?key=***"},
        {"url": "rtsp://admin:***@10.0.0.1/live"},
    ],
)
def test_a_cameras_secrets_go_nowhere_else(change: dict[str, Any]) -> None:
    with pytest.raises(DefinitionRefused, match="hidden"):
        completed(define({**RTSP, **change}), define(RTSP), 0.0)


@pytest.mark.parametrize("path", ["user=admin_password=tlJwpbo6_channel=1", "live?api-key=tlJwpbo6&channel=2"])
def test_a_password_in_a_path_or_query_is_kept_under_what_was_shown_of_it_and_sent_nowhere_else(path: str) -> None:
    stored = define({"type": "rtsp", "url": f"rtsp://10.0.0.1/{path}"})
    shown = stored.redacted()["source"]
    assert "tlJwpbo6" not in json.dumps(shown)
    assert completed(define(shown), stored, 0.0) == stored
    for change in ({"url": shown["url"].replace("10.0.0.1", "10.0.0.2")}, {"verify_tls": True}):
        with pytest.raises(DefinitionRefused, match="hidden"):
            completed(define({**shown, **change}), stored, 0.0)


@pytest.mark.parametrize("field", ["key", "username"])
def test_what_was_hidden_is_never_stored_in_any_field(field: str) -> None:
    stored = define({**KAFKA, field: "SSL://u:hunter2@a:9092"})
    shown = stored.redacted()["source"]
    assert "hunter2" not in json.dumps(shown[field])
    assert completed(define(shown), stored, 0.0) == stored
    with pytest.raises(DefinitionRefused, match="hidden"):
        completed(define({**shown, field: "SSL://***@b:9092"}), stored, 0.0)
    with pytest.raises(DefinitionRefused, match="hidden"):
        completed(define(shown), None, 0.0)


@pytest.mark.parametrize(
    "brokers",
    ["u:hunter2@a:9092", "SASL_PLAINTEXT://u:hunter2@a:9092", "a:9092,kafka://u:hunter2@b", ",", "a:9092,", " "],
)
def test_brokers_are_addresses_and_no_place_for_a_password(brokers: str) -> None:
    with pytest.raises(ValidationError, match="fields of their own") as refused:
        define({**KAFKA, "brokers": brokers})
    assert "hunter2" not in str(refused.value.errors(include_input=False))
    for good in ("a:9092, b", "SASL_SSL://a:9092", "[::1]:9092"):
        assert define({**KAFKA, "brokers": good})


def test_the_certificates_check_cannot_be_switched_off_under_a_hidden_password() -> None:
    checked = define({**RTSP, "url": "rtsps://admin:hunter2@10.0.0.1/live", "verify_tls": True})
    unchecked = {**checked.redacted()["source"], "verify_tls": False}
    with pytest.raises(DefinitionRefused, match="hidden"):
        completed(define(unchecked), checked, 0.0)
    known = define({**unchecked, "url": "rtsps://admin:hunter2@10.0.0.1/live"})
    assert completed(known, checked, 0.0) == known
    open_to_all = define({"type": "rtsp", "url": "rtsps://10.0.0.1/live", "verify_tls": True})
    changed = define({**open_to_all.redacted()["source"], "verify_tls": False})
    assert completed(changed, open_to_all, 0.0) == changed  # there is no password to be sent anywhere


@pytest.mark.parametrize(
    "change", [{"brokers": "evil.example.com:9092"}, {"username": "other"}, {"tls": False}, {"mechanism": "PLAIN"}]
)
def test_a_brokers_secrets_go_nowhere_else(change: dict[str, Any]) -> None:
    with pytest.raises(DefinitionRefused, match="hidden"):
        completed(define({**KAFKA, "password": "***", **change}), define(KAFKA), 0.0)


def test_a_new_password_replaces_the_old_one() -> None:
    new = define({**RTSP, "url": "rtsp://admin:correct@10.0.0.1/live"})
    assert completed(new, define(RTSP), 0.0) == new
    assert completed(define(SIMULATOR), define(RTSP), 0.0) == define(SIMULATOR)


def test_a_recording_gets_the_moment_of_its_registration_once() -> None:
    started = completed(define(FILE), None, 1234.5)
    assert started == define({**FILE, "start_s": 1234.0})
    assert completed(started, None, 9999.0) == started
    assert completed(define(FILE), started, 9999.0) == started  # put again without a start
    assert completed(define({**FILE, "path": "/data/other.mp4"}), started, 9999.0).source != started.source
    assert completed(define(RTSP), None, 1.0) == define(RTSP)


@pytest.mark.parametrize(
    ("source", "kind", "live"),
    [
        (RTSP, RtspSource, True),
        (KAFKA, KafkaSource, False),
        (FILE, FileSource, False),
        (SIMULATOR, SimulatorSource, True),
    ],
)
def test_each_definition_makes_fresh_sources_of_its_kind(source: dict[str, Any], kind: type, live: bool) -> None:
    definition = define(source)
    make = definition.source.opener("cam", SourceLimits())
    first, second = make(), make()
    assert type(first) is type(second) is kind
    assert first is not second
    assert definition.source.live is live
