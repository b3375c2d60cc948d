from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test's settings make, such as the key of credentials, is made elsewhere."""
    monkeypatch.setenv("FOOTFALL_DATA_DIR", str(tmp_path / "data"))
