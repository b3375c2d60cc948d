"""What the graph hands to each deployment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import serve
from serve.deployments.arguments import arguments_for, settings_from
from serve.deployments.graph import (
    HEAD,
    build_graph,
    check_nodes,
    has_room,
    place_of,
    replicas,
    version_of,
    with_capacity,
)
from serve.deployments.policies import ReaderPolicy
from serve.deployments.reads import LIVE, READS, user_config_of
from serve.errors import SettingsError
from serve.sections import DetectorSettings
from serve.settings import Settings, load

ROOT = Path(serve.__file__).parent
PLACES = {
    "Registry": ["control/registry.py", "deployments/replicas/registry.py"],
    "StreamReader": [
        *("deployments/reader.py", "deployments/worker_factory.py", "deployments/keepers.py"),
        "deployments/replicas/reader.py",
    ],
    "Api": ["api", "deployments/api.py"],
    "Deliverer": ["deployments/deliveries.py", "events/opening.py"],
}


def versions(settings: Settings, launch: str = "launch") -> dict[str, str]:
    return {name: version_of(launch, arguments_for(name, settings), [True]) for name in READS}


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ({"api": {"port": 9000}}, {"Api"}),
        ({"reader": {"checkpoint_s": 5}}, {"StreamReader"}),
        ({"reader": {"heartbeat_timeout_s": 9}}, {"Registry"}),
        ({"detector": {"max_wait_s": 0.1}}, {"StreamReader"}),
        ({"detector": {"replicas": 3}, "reader": {"replicas": 2, "cpus": 2}}, set()),
        ({"privacy": {"blur_people": False}}, {"StreamReader", "Api"}),
        ({"privacy": {"except_streams": ["hall"]}}, {"StreamReader", "Api"}),
        ({"monitoring": {"pictures": True}}, {"Registry", "StreamReader", "Api"}),
        ({"monitoring": {"hard_frames": True}}, {"Registry", "StreamReader"}),
        ({"sources": {"networks": ["10.0.0.0/8"]}}, {"Registry", "StreamReader", "Api"}),
        ({"events": {"networks": ["10.0.0.0/8"]}}, {"Api", "Deliverer"}),
        ({"events": {"sinks": {"till": {}}}}, {"Deliverer"}),
        ({"events": {"keep_days": 2, "sites": {"berlin": {"people": 9}}}}, {"Registry"}),
        ({"events": {"deliverers": 2}}, set()),
        ({"ray": {"num_cpus": 8}}, set()),
        ({"ray": {"metrics": True}}, {"Registry", "StreamReader"}),
        ({"detector": {"model": "mine.onnx", "score_threshold": 0.4, "overlap_threshold": 0.6}}, set()),
        ({"detector": {"model": "mine.onnx", "max_batch": 4}}, {"StreamReader", "Detector"}),
    ],
)
def test_a_changed_setting_restarts_those_alone_that_read_it(changed: dict[str, Any], restarted: set[str]) -> None:
    before, after = versions(load()), versions(load(None, **changed))
    assert {name for name in before if before[name] != after[name]} == restarted


def test_another_launch_or_another_detector_restarts_all_that_it_concerns() -> None:
    before, after = versions(load()), versions(load(), "another")
    assert not set(before.values()) & set(after.values())
    assert version_of("launch", {}, [True, False]) != version_of("launch", {}, [True, True])


def test_what_changes_live_is_told_to_all_that_read_it_even_if_there_is_nothing_to_tell() -> None:
    settings = load(None, detector={"model": "mine.onnx", "score_threshold": 0.4, "max_batch": 4})
    told = {name: user_config_of(name, arguments_for(name, settings)["named"]) for name in READS}
    both = {"model": "mine.onnx", "score_threshold": 0.4}
    assert told == {
        "Api": None,
        "Live": None,
        "Deliverer": None,
        "Registry": {"model": "mine.onnx"},
        "StreamReader": both,
        "Detector": both,
    }
    assert user_config_of("Detector", {}) == {}
    assert set(LIVE) < set(DetectorSettings.model_fields)


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_deployment_is_given_all_that_it_reads(name: str) -> None:
    fields, places = READS[name], PLACES[name]
    files = [path for place in places for path in (sorted((ROOT / place).glob("*.py")) or [ROOT / place])]
    text = "\n".join(path.read_text() for path in files)
    read = {
        f"{section}.{field}"
        for section in re.findall(r"settings\.(api|detector|events|monitoring|reader|sources|privacy|ray)\b", text)
        for field in type(getattr(load(), section)).model_fields
        if re.search(rf"(?<!serve\.)(?<!`)\b(?:{section}|settings)\.{field}\b", text)
    }
    assert read
    assert not {one for one in read if one not in fields and one.split(".")[0] not in fields}


def test_readers_that_come_and_go_take_what_is_reserved_for_each() -> None:
    assert with_capacity(load(None, reader={"replicas": 2, "cpus": 3})).reader.capacity is None
    assert with_capacity(load(None, reader={"max_replicas": 4, "cpus": 3})).reader.capacity == 3
    given = with_capacity(load(None, reader={"max_replicas": 4, "cpus": 3, "capacity": 2}))
    assert given.reader.capacity == 2
    part = arguments_for("StreamReader", with_capacity(load(None, reader={"max_replicas": 4, "cpus": 3})))
    assert settings_from(part).reader.capacity == 3


def test_several_nodes_need_a_database_that_all_of_them_reach() -> None:
    check_nodes(load(), 1)
    check_nodes(load(None, database_url="postgresql://footfall@db/footfall"), 3)
    for url in (None, "sqlite:////shared/footfall.db"):
        with pytest.raises(SettingsError, match=r"3 nodes.*PostgreSQL"):
            check_nodes(load(None, database_url=url), 3)


def test_who_opens_a_file_for_a_database_stays_on_the_head_whichever_nodes_join() -> None:
    assert place_of(load()) == {HEAD: 0.001}
    assert place_of(load(None, database_url="postgresql://footfall@db/footfall")) == {}
    for database_url, resources in ((None, {HEAD: 0.001}), ("postgresql://footfall@db/footfall", {})):
        api = build_graph(load(None, database_url=database_url))
        registry, live, reader, deliverer = api._bound_deployment.init_args[1:]
        for application in (api, registry, reader, deliverer):
            options = application._bound_deployment.ray_actor_options
            assert options.get("resources", {}) == resources, application._bound_deployment.name
        assert not live._bound_deployment.ray_actor_options.get("resources")


def test_new_detectors_start_beside_the_old_ones_where_their_gpus_have_room_for_both() -> None:
    def wanted(**section: object) -> DetectorSettings:
        return DetectorSettings.model_validate(section)

    assert has_room(wanted(), gpus=0)
    assert not has_room(wanted(), gpus=1)
    assert not has_room(wanted(gpus=1), gpus=0)
    assert has_room(wanted(gpus=0.5), gpus=1)
    assert has_room(wanted(), gpus=2)
    assert not has_room(wanted(replicas=2), gpus=2)
    assert not has_room(wanted(max_replicas=2), gpus=2)


def test_a_number_of_replicas_is_either_given_or_decided_on() -> None:
    assert replicas(2, None, ReaderPolicy) == {"num_replicas": 2}
    config = replicas(2, 9, ReaderPolicy)["autoscaling_config"]
    assert (config.min_replicas, config.max_replicas) == (2, 9)
    assert config.policy.get_policy() is ReaderPolicy


def test_settings_come_back_from_a_part_of_their_arguments() -> None:
    settings = load(None, reader={"checkpoint_s": 5, "capacity": 7}, data_dir="/somewhere")
    part = Settings.of(settings.to_arguments("data_dir", "reader.checkpoint_s"))
    assert (part.reader.checkpoint_s, part.reader.capacity, part.spool_dir) == (5, None, settings.spool_dir)


def test_what_nobody_has_set_is_left_to_the_environment_of_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    part = arguments_for("StreamReader", load(None, reader={"capacity": 7}))
    monkeypatch.setenv("FOOTFALL_READER__CHECKPOINT_S", "5")
    monkeypatch.setenv("FOOTFALL_READER__CAPACITY", "9")
    there = settings_from(part)
    assert (there.reader.checkpoint_s, there.reader.capacity) == (5, 7)


def test_a_replicas_environment_wins_over_that_of_who_deploys_and_a_serve_configs_arguments_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = {"reader": {"capacity": 7}, "api": {"host": "0.0.0.0"}}
    monkeypatch.setenv("FOOTFALL_READER__CHECKPOINT_S", "10")
    monkeypatch.setenv("FOOTFALL_READER__SPOOL_BYTES", "2000000")
    monkeypatch.setenv("FOOTFALL_READER__CAPACITY", "8")
    monkeypatch.setenv("FOOTFALL_DETECTOR__SCORE_THRESHOLD", "0.3")
    monkeypatch.setenv("FOOTFALL_API__TOKEN", "0123456789abcdef")
    monkeypatch.setenv("FOOTFALL_DATABASE_URL", "postgresql://a:b@there/footfall")
    built = Settings.of(named)
    parts = {name: json.loads(json.dumps(arguments_for(name, built, named))) for name in READS}
    for variable in ("API__TOKEN", "DATABASE_URL", "READER__SPOOL_BYTES"):
        monkeypatch.delenv(f"FOOTFALL_{variable}")
    monkeypatch.setenv("FOOTFALL_READER__CHECKPOINT_S", "2")
    assert user_config_of("StreamReader", parts["StreamReader"]["named"]) == {}  # nor does it by another way
    reader, api = settings_from(parts["StreamReader"]), settings_from(parts["Api"])
    assert (reader.reader.capacity, reader.reader.checkpoint_s, reader.reader.spool_bytes) == (7, 2, 2_000_000)
    assert reader.store_url == "postgresql://a:b@there/footfall"
    assert (api.api.host, api.api.token and api.api.token.get_secret_value()) == ("0.0.0.0", "0123456789abcdef")


def test_a_folder_is_the_one_that_it_is_where_the_application_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOOTFALL_DATA_DIR", "somewhere")
    monkeypatch.chdir(tmp_path)
    part = arguments_for("StreamReader", Settings.of({}), {})
    monkeypatch.chdir("/")
    assert settings_from(part).spool_dir == tmp_path / "somewhere" / "spool"
