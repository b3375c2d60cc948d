"""The image, as far as it can be looked at without being built."""

from __future__ import annotations

from pathlib import Path

from serve.launch.cluster import COMMON

DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"


def test_ray_is_told_in_the_image_what_footfall_up_tells_it() -> None:
    """On Kubernetes it is KubeRay that starts Ray."""
    lines = [line.strip().removeprefix("ENV ").rstrip("\\ ") for line in DOCKERFILE.read_text().splitlines()]
    assert {f"{name}={value}" for name, value in COMMON.items()} <= set(lines)


def test_what_kuberays_probes_call_is_in_every_image_that_runs() -> None:
    stages = DOCKERFILE.read_text().split("\nFROM ")
    (cpu,) = [stage for stage in stages if stage.partition("\n")[0].endswith(" AS cpu")]
    assert "apt-get install -y --no-install-recommends wget" in cpu
    assert all(stage.startswith(("cpu", "python")) for stage in stages[1:])
