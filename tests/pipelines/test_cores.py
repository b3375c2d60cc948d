from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cores import usable_cores


def test_without_a_limit_it_is_what_the_process_may_run_on(tmp_path: Path) -> None:
    whole = usable_cores(tmp_path / "none")
    assert whole >= 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path / "cpu.max") == whole


@pytest.mark.parametrize(
    ("limit", "cores"), [("50000 100000", 0.5), ("0 100000", 0.01), ("nonsense", None), ("1 0", None)]
)
def test_a_containers_limit_counts(tmp_path: Path, limit: str, cores: float | None) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert usable_cores(tmp_path / "cpu.max") == (cores if cores is not None else usable_cores(tmp_path / "none"))
