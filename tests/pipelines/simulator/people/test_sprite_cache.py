from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.simulator.people import sprite_cache
from pipelines.simulator.people.sprite_cache import SpriteCache, decode_sprite, default_cache, encode_sprite
from pipelines.simulator.people.sprites import DIRECTIONS, Sprite, SpriteKey, draw_sprite

KEY = SpriteKey(look=3, pose=5, direction=2, elevation_deg=16, pixels_per_m=12)


def same(one: Sprite, other: Sprite) -> bool:
    pairs = zip((*one.paints, *one.covers), (*other.paints, *other.covers), strict=True)
    return one.foot == other.foot and all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[SpriteKey]:
    """Keys of the sprites that are really drawn."""
    keys: list[SpriteKey] = []

    def draw(key: SpriteKey) -> Sprite:
        keys.append(key)
        return draw_sprite(key)

    monkeypatch.setattr(sprite_cache, "draw_sprite", draw)
    return keys


def test_a_hit_in_memory_or_on_disk_gives_identical_pixels(tmp_path: Path, drawn: list[SpriteKey]) -> None:
    cache = SpriteCache(tmp_path)
    fresh = cache.get(KEY)
    assert cache.get(KEY) is fresh
    assert same(SpriteCache(tmp_path).get(KEY), fresh)
    assert drawn == [KEY]


def test_keys_do_not_share_entries(tmp_path: Path) -> None:
    others = [
        SpriteKey(4, 5, 2, 16, 12),
        SpriteKey(3, -1, 2, 16, 12),
        SpriteKey(3, 5, DIRECTIONS - 1, 16, 12),
        SpriteKey(3, 5, 2, 24, 12),
        SpriteKey(3, 5, 2, 16, 13),
    ]
    cache = SpriteCache(tmp_path)
    assert len({cache.path(key) for key in [KEY, *others]}) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: b"",
        lambda entry: entry[:30],
        lambda entry: entry[:-40],
        lambda entry: entry[:100] + b"\x00\xff" + entry[102:],
        lambda entry: b"something else entirely",
    ],
    ids=["empty", "header cut", "pixels cut", "bytes changed", "other file"],
)
def test_a_damaged_entry_is_drawn_again_and_replaced(
    damage: Callable[[bytes], bytes], tmp_path: Path, drawn: list[SpriteKey]
) -> None:
    cache = SpriteCache(tmp_path)
    fresh = cache.get(KEY)
    good = cache.path(KEY).read_bytes()
    cache.path(KEY).write_bytes(damage(good))
    assert same(SpriteCache(tmp_path).get(KEY), fresh)
    assert drawn == [KEY, KEY]
    assert cache.path(KEY).read_bytes() == good


def test_an_entry_of_another_key_is_refused() -> None:
    other = SpriteKey(look=4, pose=5, direction=2, elevation_deg=16, pixels_per_m=12)
    with pytest.raises(ValueError, match="not the entry"):
        decode_sprite(other, encode_sprite(KEY, draw_sprite(KEY)))


def test_no_temporary_files_stay_behind(tmp_path: Path) -> None:
    cache = SpriteCache(tmp_path)
    cache.get(KEY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [cache.path(KEY)]


def test_a_folder_that_cannot_be_written_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    cache = SpriteCache(in_the_way)
    with caplog.at_level(logging.WARNING):
        sprite = cache.get(KEY)
        cache.get(SpriteKey(3, 6, 2, 16, 12))
    assert same(sprite, draw_sprite(KEY))
    assert cache.get(KEY) is sprite
    assert len(caplog.records) == 1


def test_memory_forgets_the_least_recently_used(tmp_path: Path, drawn: list[SpriteKey]) -> None:
    size = draw_sprite(KEY).size_bytes
    cache = SpriteCache(tmp_path, memory_bytes=int(1.5 * size))
    first = cache.get(KEY)
    cache.get(SpriteKey(3, 6, 2, 16, 12))
    again = cache.get(KEY)
    assert again is not first
    assert same(again, first)
    assert len(drawn) == 2


def test_the_default_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_CACHE", str(tmp_path))
    assert default_cache().directory == tmp_path / "sprites"
    assert default_cache() is default_cache()
