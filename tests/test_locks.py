"""The lock files in requirements/ hold what pyproject.toml asks for, and nothing tied to one machine or index."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN: list[str] = PROJECT["project"]["dependencies"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
BACKEND: list[str] = PROJECT["build-system"]["requires"]
WANTED = {"run": RUN, "dev": RUN + GROUPS["dev"] + GROUPS["build"], "build": GROUPS["build"] + BACKEND}
ENVIRONMENTS = [
    {"python_version": python, "python_full_version": f"{python}.9", "platform_machine": machine}
    | {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    | {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    for python in ("3.11", "3.12", "3.13")
    for machine in ("x86_64", "aarch64")
]


@dataclass(frozen=True)
class Entry:
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> Version:
        (pin,) = self.requirement.specifier
        assert pin.operator == "=="
        return Version(pin.version)


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text()


def entries(lock: str) -> Iterator[Entry]:
    """What pip reads: a requirement and its options are one line that backslashes continue."""
    for line in text_of(lock).replace("\\\n", "").splitlines():
        content = line.partition(" #")[0].strip()
        if content and not content.startswith("#"):
            requirement, *hashes = content.split("--hash=")
            yield Entry(Requirement(requirement.strip()), tuple(hash.strip() for hash in hashes))


def installed(lock: str, environment: dict[str, str]) -> dict[str, Version]:
    """Versions by name, as pip installs them in an environment."""
    found: dict[str, Version] = {}
    for entry in entries(lock):
        if applies(entry.requirement, environment):
            name = canonicalize_name(entry.requirement.name)
            assert name not in found, f"{name} is in {lock}.txt twice for {environment}"
            found[name] = entry.version
    return found


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""})


@pytest.mark.parametrize("lock", WANTED)
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: f"{e['python_version']}-{e['platform_machine']}")
def test_every_direct_dependency_is_locked_inside_its_range(lock: str, environment: dict[str, str]) -> None:
    versions = installed(lock, environment)
    for wanted in map(Requirement, WANTED[lock]):
        if applies(wanted, environment):
            version = versions.get(canonicalize_name(wanted.name))
            assert version is not None, f"{wanted.name} is missing: run `make lock`"
            assert version in wanted.specifier, f"{wanted} does not allow {version}: run `make lock`"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: f"{e['python_version']}-{e['platform_machine']}")
def test_what_is_tested_is_what_runs(environment: dict[str, str]) -> None:
    tested = installed("dev", environment)
    for lock in ("run", "build"):
        assert installed(lock, environment).items() <= tested.items()


@pytest.mark.parametrize("lock", WANTED)
def test_every_entry_has_a_checksum_and_no_address(lock: str) -> None:
    for entry in entries(lock):
        assert entry.hashes, entry.requirement
        assert all(hash.startswith("sha256:") for hash in entry.hashes), entry.requirement
        assert entry.requirement.url is None
    assert "://" not in text_of(lock)
    assert "index-url" not in text_of(lock)
    assert "find-links" not in text_of(lock)


@pytest.mark.parametrize("requirement", sorted({*RUN, *GROUPS["dev"], *GROUPS["build"], *BACKEND}))
def test_every_range_has_an_end(requirement: str) -> None:
    assert any(part.operator in ("<", "==", "~=") for part in Requirement(requirement).specifier)
