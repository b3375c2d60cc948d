"""The real service against its own document; with few examples, since each takes longer than without a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.launch.service import Service
from tests import schema
from tests.integration.conftest import service_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TOKEN = "a-token-for-the-schema"
EXAMPLES = 10


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[str]:
    settings = service_settings(
        tmp_path_factory.mktemp("schema"),
        model_path,
        api={"token": TOKEN, "wrong_tokens_per_minute": 1_000_000},
        reader={"open_timeout_s": 0.3, "read_timeout_s": 0.3, "stall_timeout_s": 0.5},
    )
    with Service(settings) as service:
        yield service.url


@schema.operations().parametrize()
@schema.tried(EXAMPLES)
def test_an_operation_of_the_real_service_does_what_its_description_says(case: Any, url: str) -> None:
    schema.keep_harmless(case)
    schema.call(case, url, TOKEN)
