"""Sprites that were drawn before, in memory and on disk: drawing one costs up to 100 ms, loading it under 1 ms."""

from __future__ import annotations

import logging
import os
import struct
import tempfile
import threading
import zlib
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.cache import cache_dir
from pipelines.simulator.people.sprites import MIP_LEVELS, Pixels, Sprite, SpriteKey, draw_sprite

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Raise it whenever a sprite's pixels or its file change: entries of other versions are never read."""

MEMORY_BYTES = 512 * 2**20
CHANNELS = 5

_MAGIC = b"FFSP"
_HEADER = struct.Struct("<4s5i2d")
"""Magic, the five fields of the key, the foot point."""
_LEVEL = struct.Struct("<2H")
"""Height and width of a level."""


class SpriteCache:
    """Looks sprites up in memory, then on disk, and draws what neither has. Safe to share between threads.

    An entry on disk that is missing, torn or of another version is drawn again and replaced, always by renaming a
    finished file, so that any number of processes may share a folder. A folder that cannot be written is reported once
    and then only read.

    Args:
        directory: where entries are kept; None for the folder ``sprites`` of `pipelines.cache.cache_dir`.
        memory_bytes: the least recently used sprites beyond this are forgotten.
    """

    def __init__(self, directory: Path | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self.directory = cache_dir("sprites") if directory is None else directory
        self._memory_bytes = memory_bytes
        self._used_bytes = 0
        self._sprites: OrderedDict[SpriteKey, Sprite] = OrderedDict()
        self._lock = threading.Lock()
        self._writable = True

    def get(self, key: SpriteKey) -> Sprite:
        with self._lock:
            sprite = self._sprites.get(key)
            if sprite is not None:
                self._sprites.move_to_end(key)
                return sprite
        sprite = self._load(key)
        if sprite is None:
            sprite = draw_sprite(key)
            self._save(key, sprite)
        self._remember(key, sprite)
        return sprite

    def path(self, key: SpriteKey) -> Path:
        """The file of an entry."""
        folder = self.directory / f"v{FORMAT_VERSION}" / f"px{key.pixels_per_m}" / f"look{key.look}"
        return folder / f"pose{key.pose}_dir{key.direction}_elev{key.elevation_deg}.sprite"

    def _remember(self, key: SpriteKey, sprite: Sprite) -> None:
        with self._lock:
            if key in self._sprites:
                return
            self._sprites[key] = sprite
            self._used_bytes += sprite.size_bytes
            while self._used_bytes > self._memory_bytes and len(self._sprites) > 1:
                _, oldest = self._sprites.popitem(last=False)
                self._used_bytes -= oldest.size_bytes

    def _load(self, key: SpriteKey) -> Sprite | None:
        try:
            return decode_sprite(key, self.path(key).read_bytes())
        except OSError:
            return None
        except ValueError as error:
            log.debug("sprite %s is drawn again: %s", key, error)
            return None

    def _save(self, key: SpriteKey, sprite: Sprite) -> None:
        if not self._writable:
            return
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, encode_sprite(key, sprite))
        except OSError as error:
            self._writable = False
            log.warning("sprites cannot be kept in %s (%s): every process draws its own", self.directory, error)


@lru_cache(maxsize=4)
def shared_cache(directory: Path) -> SpriteCache:
    """The cache of this process for a folder, so that many scenes keep one copy of a sprite."""
    return SpriteCache(directory)


def default_cache() -> SpriteCache:
    """The shared cache in the user's cache folder."""
    return shared_cache(cache_dir("sprites"))


def encode_sprite(key: SpriteKey, sprite: Sprite) -> bytes:
    """A header, the levels' sizes, and all pixels deflated (zlib's checksum is the entry's own)."""
    fields = key.look, key.pose, key.direction, key.elevation_deg, key.pixels_per_m
    header = _HEADER.pack(_MAGIC, *fields, *sprite.foot)
    sizes = b"".join(_LEVEL.pack(*cover.shape) for cover in sprite.covers)
    pixels = b"".join(
        paint.tobytes() + cover.tobytes() for paint, cover in zip(sprite.paints, sprite.covers, strict=True)
    )
    return header + sizes + zlib.compress(pixels, 1)


def decode_sprite(key: SpriteKey, entry: bytes) -> Sprite:
    """The inverse of `encode_sprite`.

    Raises:
        ValueError: the entry is torn, damaged or of another key.
    """
    try:
        magic, *fields, foot_x, foot_y = _HEADER.unpack_from(entry)
        sizes = [_LEVEL.unpack_from(entry, _HEADER.size + level * _LEVEL.size) for level in range(MIP_LEVELS)]
        pixels = zlib.decompress(entry[_HEADER.size + MIP_LEVELS * _LEVEL.size :])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from error
    if magic != _MAGIC or SpriteKey(*fields) != key:
        raise ValueError("not the entry of this key")
    if len(pixels) != CHANNELS * sum(height * width for height, width in sizes):
        raise ValueError(f"{len(pixels)} bytes of pixels do not fill levels of {sizes}")
    return Sprite(*_levels(pixels, sizes), (foot_x, foot_y))


def _levels(pixels: bytes, sizes: list[tuple[int, int]]) -> tuple[tuple[Pixels, ...], tuple[Pixels, ...]]:
    """Paints and covers of all levels, views into `pixels`."""
    values = np.frombuffer(pixels, np.uint8)
    paints, covers, start = [], [], 0
    for height, width in sizes:
        middle, end = start + 4 * height * width, start + CHANNELS * height * width
        paints.append(values[start:middle].reshape(height, width, 4))
        covers.append(values[middle:end].reshape(height, width))
        start = end
    return tuple(paints), tuple(covers)


def _write_atomically(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
