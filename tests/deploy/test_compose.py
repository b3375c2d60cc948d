"""The compose file: nothing open to others, nothing secret in it, and settings that there are."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from typer.main import get_command

from serve.cli.main import app
from serve.settings import load
from tests.conftest import ROOT

FOLDER = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NAMES = {
    *("build", "image", "depends_on", "environment", "restart", "security_opt", "cap_drop", "shm_size", "command"),
    *("stop_grace_period", "ports", "volumes", "network_mode", "healthcheck", "secrets"),
}
"""Of the compose specification, as far as they are used: others are typing errors, or have to be looked up."""


def test_nothing_is_named_that_is_not_there() -> None:
    assert set(COMPOSE) == {"name", "x-shut", "services", "secrets", "volumes"}
    for name, service in SERVICES.items():
        assert service.keys() <= NAMES, name
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (FOLDER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
        if isinstance(service.get("depends_on"), dict):
            for other, condition in service["depends_on"].items():
                assert condition["condition"] != "service_healthy" or "healthcheck" in SERVICES[other], other


def test_ports_are_this_machines_alone_and_images_have_a_version() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["image"] == "footfall" or re.search(r":v?\d", service["image"]), name


def test_every_secret_is_asked_for() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    example = (FOLDER / "compose" / "example.env").read_text()
    assert asked == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", text)) == asked


def test_the_settings_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["footfall"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "0123456789abcdef", str(value)))
    settings = load()
    assert settings.store_url == "postgresql://footfall:0123456789abcdef@postgres/footfall"
    assert settings.reader.max_replicas == 4


@pytest.mark.parametrize("name", ["cameras", "feed"])
def test_the_simulated_cameras_are_asked_for_as_the_command_line_wants_it(name: str) -> None:
    program, command, *arguments = SERVICES[name]["command"]
    assert program == "footfall"
    get_command(app).get_command(None, command).make_context(command, arguments)  # type: ignore[attr-defined]


def test_prometheus_asks_the_service_with_the_token_that_it_is_given() -> None:
    scrape = yaml.safe_load((FOLDER / "compose" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["footfall:8000"]
    assert scrape["authorization"]["credentials_file"] == "/run/secrets/api_token"
    assert "api_token" in SERVICES["prometheus"]["secrets"]


def test_prometheus_has_our_rules_and_grafana_our_dashboards() -> None:
    files = yaml.safe_load((FOLDER / "compose" / "prometheus.yml").read_text())["rule_files"]
    assert files == [target for _, target in mounts("prometheus") if target.endswith("rules.yml")]
    (provider,) = yaml.safe_load((FOLDER / "compose" / "dashboards.yml").read_text())["providers"]
    (folder,) = [source for source, target in mounts("grafana") if target == provider["options"]["path"]]
    assert len(list((FOLDER / folder).glob("*.json"))) == 5


def mounts(service: str) -> list[tuple[str, str]]:
    """Files and folders of ours that it is given, and where it has them."""
    parts = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    return [(part[0], part[1]) for part in parts if part[0].startswith(".")]
