from __future__ import annotations

import numpy as np
import pytest

from pipelines.simulator.live import SceneLoop
from pipelines.simulator.people.sprite_cache import SpriteCache
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.plan import largest_hidden_share
from pipelines.simulator.scene.scene import Scene
from tests.pipelines.simulator.conftest import SMALL


def test_the_same_seed_gives_the_same_pixels_and_truth(sprites: SpriteCache) -> None:
    one, other = (Scene(SMALL, people=3, seconds=2, seed=7, cache=sprites) for _ in range(2))
    for frame in (0, 9, 29):
        image, people = one.render(frame)
        again, people_again = other.render(frame)
        assert people, "nobody is in view: choose another seed"
        assert np.array_equal(image, again)
        assert people == people_again
    assert one.crossings() == other.crossings()
    assert one.visits() == other.visits()


def test_another_seed_gives_another_scene(sprites: SpriteCache) -> None:
    one, other = (Scene(SMALL, people=0, seconds=1, seed=seed, cache=sprites) for seed in (1, 2))
    assert not np.array_equal(one.image(0), other.image(0))


def test_an_image_is_the_same_with_and_without_its_truth(recorded_scene: Scene) -> None:
    assert np.array_equal(recorded_scene.image(30), recorded_scene.render(30)[0])


def test_frames_are_bgr_images_of_the_cameras_size(empty_hall: Scene) -> None:
    image, people = empty_hall.render(0)
    assert image.shape == (90, 160, 3)
    assert image.dtype == np.uint8
    assert people == []


@pytest.mark.parametrize("size", [(128, 128), (90, 160), (160, 64)])
def test_frames_of_other_shapes_show_line_and_zone(size: tuple[int, int], sprites: SpriteCache) -> None:
    scene = Scene(Camera(*size), people=1, seconds=1, cache=sprites)
    assert scene.image(0).shape == (size[1], size[0], 3)
    assert scene.geometry()["lines"]


def test_the_share_that_may_be_hidden_is_kept_for_every_pair(sprites: SpriteCache) -> None:
    scene = Scene(SMALL, people=10, seconds=10, seed=5, max_overlap=0.15, cache=sprites)
    outlines = np.full((len(scene.plan.walks), scene.frames, 4), np.nan)
    for walk, rows in zip(scene.plan.walks, outlines, strict=True):
        samples = walk.within(scene.frames)
        rows[walk.start + samples.start : walk.start + samples.stop] = scene.camera.outline(walk.feet[samples])
    shares = [largest_hidden_share(outlines[:i], outlines[i]) for i in range(1, len(outlines))]
    assert len(outlines) > 5
    assert 0 < max(shares) <= 0.15


def test_a_crowd_hides_people_and_truth_says_how_much(sprites: SpriteCache) -> None:
    scene = Scene(SMALL, people=8, seconds=2, seed=1, cache=sprites)
    visible = [person.visible for frame in range(0, scene.frames, 5) for person in scene.render(frame)[1]]
    assert min(visible) < 0.7
    assert max(visible) == 1.0


def test_boxes_lie_in_the_frame_and_stand_on_the_foot_point(recorded_scene: Scene) -> None:
    seen = 0
    for frame in range(0, recorded_scene.frames, 7):
        for person in recorded_scene.render(frame)[1]:
            x1, y1, x2, y2 = person.box
            assert 0 <= x1 < x2 <= SMALL.width
            assert 0 <= y1 < y2 <= SMALL.height
            if not person.cut:
                seen += 1
                tall = y2 - y1
                assert abs(person.foot[1] - y2) < 0.12 * tall + 1
                assert abs(person.foot[0] - (x1 + x2) / 2) < 0.2 * tall + 1
    assert seen > 10


def test_a_loop_starts_over_after_the_last_frame(empty_hall: Scene) -> None:
    loop = SceneLoop(empty_hall)
    assert np.array_equal(loop.image(2 * empty_hall.frames + 3), empty_hall.image(3))
    assert [loop.starts_over(number) for number in (0, 1, empty_hall.frames)] == [False, False, True]


def test_a_frame_beyond_the_end_is_an_error(empty_hall: Scene) -> None:
    with pytest.raises(IndexError, match="scene with 10"):
        empty_hall.image(10)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"people": -1}, "people"),
        ({"fps": 0.0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"seconds": 0.0}, "seconds"),
        ({"max_overlap": 1.5}, "max_overlap"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: dict[str, float], complaint: str, sprites: SpriteCache
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Scene(SMALL, cache=sprites, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "height", "complaint"),
    [(641, 360, "even"), (640, 361, "even"), (0, 0, "between"), (-640, 360, "between"), (9000, 5000, "between")],
)
def test_sizes_that_make_no_sense_are_refused(width: int, height: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Camera(width, height)


def test_a_frame_far_wider_than_high_is_refused() -> None:
    with pytest.raises(ValueError, match="times the height"):
        Camera(1920, 360)
