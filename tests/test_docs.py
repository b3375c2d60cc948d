"""What the documents say is true: settings, commands, weights, links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipelines.models.catalogue import CATALOGUE
from serve.api import document
from serve.cli.main import COMMANDS
from serve.cli.settings_reference import page
from serve.events import schemas
from serve.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_settings_page_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "run `make docs`"


def test_the_asyncapi_document_is_what_is_sent() -> None:
    assert (ROOT / "docs" / "asyncapi.json").read_text() == schemas.text(), "run `make docs`"


def test_the_openapi_document_is_what_the_api_gives() -> None:
    assert (ROOT / "docs" / "openapi.json").read_text() == document.text(), "run `make docs`"


def test_every_setting_has_a_description() -> None:
    for name, field in Settings.model_fields.items():
        section = field.annotation
        inner = getattr(section, "model_fields", None)
        if inner is None:
            assert field.description, name
        for key, value in (inner or {}).items():
            assert value.description, f"{name}.{key}"


def test_the_readme_names_every_command_and_no_other() -> None:
    commands = set(COMMANDS)
    listed = re.search(r"`footfall --help` lists all commands: ([^.]*)\.", README)
    assert listed is not None
    assert set(re.findall(r"`([a-z-]+)`", listed[1])) == commands
    used = set(re.findall(r"footfall ([a-z][a-z-]*)\b", README)) - {"yaml", "import"}
    assert used <= commands, used - commands


def test_the_notice_names_the_weights_with_their_checksums() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for entry in CATALOGUE.values():
        assert entry.weights.package in notice
        assert entry.weights.version in notice
        for file in entry.weights.files:
            assert file.sha256 in notice


@pytest.mark.parametrize("written", PAGES, ids=lambda p: p.name)
def test_links_inside_the_repository_lead_somewhere(written: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", written.read_text()):
        if "://" not in target:
            assert (written.parent / target).exists(), target


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= targets


@pytest.fixture(scope="module")
def api_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document and the client's types, written anew."""
    folder = tmp_path_factory.mktemp("documents")
    subprocess.run([ROOT / "scripts" / "write-api-documents", folder], check=True, capture_output=True, timeout=60)
    return folder


@pytest.mark.parametrize("name", ["docs/asyncapi.json", "docs/openapi.json", "footfall/types.py"])
def test_what_is_made_from_the_api_is_what_the_api_says(api_documents: Path, name: str) -> None:
    assert (ROOT / name).read_text() == (api_documents / name).read_text(), "run `make docs`"
