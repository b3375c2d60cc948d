"""The image, as far as it can be looked at without being built."""

from __future__ import annotations

from pathlib import Path

from serve.launch.cluster import COMMON

DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"


def test_ray_is_told_in_the_image_what_footfall_up_tells_it() -> None:
    """On Kubernetes it is KubeRay that starts Ray."""
    lines = [line.strip().removeprefix("ENV ").rstrip("\\ ") for line in DOCKERFILE.read_text().splitlines()]
    assert {f"{name}={value}" for name, value in COMMON.items()} <= set(lines)
