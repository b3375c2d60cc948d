"""Settings that are taken over by a service that runs, as far as that can be told without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ModelInvalid, ModelNotFound
from serve.errors import SettingsError
from serve.launch.service import Service
from serve.settings import load
from tests.pipelines.detection.tiny_models import passthrough_model


def test_what_holds_for_the_whole_life_of_a_service_is_refused(tmp_path: Path) -> None:
    service = Service(load(None, data_dir=str(tmp_path)))
    changed = load(None, data_dir=str(tmp_path / "other"), api={"port": 8001}, ray={"num_cpus": 3})
    with pytest.raises(SettingsError, match=r"api\.port, data_dir, ray\.num_cpus: stop the service"):
        service.update(changed)


def test_a_model_that_cannot_take_over_is_refused_before_anything_changes(tmp_path: Path) -> None:
    service = Service(load(None, data_dir=str(tmp_path)))
    service._input_size = (32, 64)
    larger = passthrough_model(tmp_path / "larger.onnx", input_shape=("batch", 64, 64, 3))
    with pytest.raises(ModelInvalid, match=r"64x64.*64x32.*restart"):
        service.update(load(None, data_dir=str(tmp_path), detector={"model": str(larger)}))
    with pytest.raises(ModelNotFound):
        service.update(load(None, data_dir=str(tmp_path), detector={"model": str(tmp_path / "gone.onnx")}))
