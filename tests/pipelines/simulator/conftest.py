"""Small scenes and recordings that the tests share; sprites are drawn once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.simulator.people.sprite_cache import SpriteCache
from pipelines.simulator.recording import VideoWriter, write_recording
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene

SMALL = Camera(160, 90)


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> SpriteCache:
    return SpriteCache(tmp_path_factory.mktemp("sprites"))


@pytest.fixture(scope="session")
def recorded_scene(sprites: SpriteCache) -> Scene:
    return Scene(SMALL, people=4, seconds=8, fps=10, seed=3, max_overlap=0.2, cache=sprites)


@pytest.fixture(scope="session")
def recording(recorded_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a recording with crossings and a zone visit."""
    folder = tmp_path_factory.mktemp("recording")
    write_recording(recorded_scene, folder)
    return folder


@pytest.fixture(scope="session")
def empty_hall(sprites: SpriteCache) -> Scene:
    return Scene(SMALL, people=0, seconds=0.4, fps=25, cache=sprites)


def encode(scene: Scene, path: Path, codec: str) -> Path:
    with VideoWriter(path, scene.camera.width, scene.camera.height, scene.fps, codec) as video:
        for frame in range(scene.frames):
            video.write(scene.image(frame))
    return path


@pytest.fixture(scope="session")
def h264_clip(empty_hall: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames at 25 frames a second, the first one a key frame."""
    return encode(empty_hall, tmp_path_factory.mktemp("h264") / "clip.mp4", "libx264")


@pytest.fixture(scope="session")
def h265_clip(empty_hall: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(empty_hall, tmp_path_factory.mktemp("h265") / "clip.mp4", "libx265")
