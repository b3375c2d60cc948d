"""The real service against its own document; with few examples, since each takes longer than without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from serve.launch.service import Service
from tests import schema

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
EXAMPLES = 5


@schema.operations().parametrize()
@schema.tried(EXAMPLES)
def test_an_operation_of_the_real_service_does_what_its_description_says(
    case: Any, service: Service, admin_token: str
) -> None:
    schema.keep_harmless(case)
    schema.call(case, service.url, admin_token)
