from __future__ import annotations

import logging

import pytest

from analytics.errors import StoreUnavailable
from serve.control.store_health import ANSWERS_S, StoreHealth


def test_a_store_works_until_a_round_fails_and_again_once_one_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    health = StoreHealth(lambda: 0.0)
    assert health.works
    for _ in range(3):
        with pytest.raises(StoreUnavailable), health.round():
            raise StoreUnavailable("it is away")
        with caplog.at_level(logging.ERROR):
            health.failed(StoreUnavailable("it is away"))
        assert (health.works, health.error) == (False, "it is away")
    assert caplog.messages == ["it is away"]
    with health.round():
        assert not health.works
    assert (health.works, health.error) == (True, None)


def test_a_store_that_hangs_does_not_work() -> None:
    now_s = [0.0]
    health = StoreHealth(lambda: now_s[0])
    with health.round():
        now_s[0] = ANSWERS_S
        assert health.works
        now_s[0] += 0.1
        assert not health.works
    assert health.works
