"""What all tests share: the folder of labelled recordings, and the real model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.models.pull import pull
from serve.launch import cluster

# Ray reads them when it is imported, which tests do that start no service.
os.environ.update(
    {
        name: value
        for name, value in {**cluster.COMMON, **cluster.OURS, **cluster.WITHOUT_METRICS}.items()
        if name not in os.environ
    }
)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_cache() -> Path:
    """What is expensive to fetch or to draw, kept between test runs: ``$FOOTFALL_TEST_CACHE`` or ``.test-cache``."""
    return Path(os.environ.get("FOOTFALL_TEST_CACHE") or ROOT / ".test-cache")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Labelled recordings: ``$FOOTFALL_DATA`` or ``../shared/data``. Without them tests are skipped, but fail in CI."""
    folder = Path(os.environ.get("FOOTFALL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"the labelled recordings are not at {folder}; set FOOTFALL_DATA to their folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def model_path(test_cache: Path) -> Path:
    """The default model, as `footfall models pull` makes it on a fresh machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTFALL_CACHE", str(test_cache))
        patch.delenv("FOOTFALL_DATA", raising=False)
        return pull(home=test_cache / "models").path
