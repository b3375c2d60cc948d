"""Where a camera looks: points of the scene that stay, kept as descriptors, and how a picture lies to them.

A landmark is a corner with 256 comparisons of brightness around it (ORB; Rublee et al.: ORB, an efficient alternative
to SIFT or SURF, 2011). People are no landmarks, for they do not stay. The map is anchored: what is found later is
entered where it would have been in the first picture, so that a camera that sags for weeks cannot take its map along.
A map is of one light: by night, other corners stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from analytics.drift.picture import GreyImage
from analytics.drift.states import fields, number, packed, unpacked, whole
from pipelines.types import Float32Array, Float64Array, Image

FORMAT = 1
FOUND, PER_CELL = 400, 6
"""Corners that are looked for in a picture, and how many of them are taken in each cell of a grid of 8 by 6."""
GRID = 8, 6
MOST = 300
"""Points in a map."""
DESCRIPTOR_BYTES = 32
NEAR = 0.006
"""Two points at most this far apart, in widths of the picture, are the same."""
REACHES = 0.13, 0.35
"""How far a camera may have been moved for its points to be found again, widths: near first, for tiles look alike."""
ALIKE_BITS = 56
CERTAIN_BITS = 40
UNLIKE_BITS = 256
FIRST_LOOKS = 8
"""After so many there is a map: of what was in a third of them, or more."""
SEEN, UNSEEN = 0.05, 2e-4
"""How fast the trust in a point grows with a look that shows it, and falls with one that does not. With a look every
ten seconds a trolley that was left there is gone in a day."""
STAYS, GOES = 0.3, 0.02
"""Trust from which on a point is a landmark, and from which down it is forgotten."""
LEAST_MATCHED = 10
LEAST_LANDMARKS = 24
STILL_THERE = 0.008
"""A picture that lies off by less than this, widths, shows the view that the map is of; others do not change it."""


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """Points of one picture.

    Attributes:
        places: float32 ``[N, 2]``, x right and y down, both in widths of the picture.
        descriptors: uint8 ``[N, 32]``.
    """

    places: Float32Array
    descriptors: Image

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Registration:
    """How a picture lies to the map: a similarity from the map's places to the picture's.

    Attributes:
        cos: of the turn, times the scale.
        sin: likewise; positive is clockwise, as one looks at the picture.
        x: step to the right, widths.
        y: step downwards, widths.
        aspect: height of the picture, widths.
        matched: landmarks that were found where this says.
        share: of all landmarks that should be in the picture.
    """

    cos: float
    sin: float
    x: float
    y: float
    aspect: float
    matched: int
    share: float

    @property
    def right(self) -> float:
        """How far what was in the middle has gone to the right, widths."""
        return float(self.mapped(self._middle)[0, 0] - 0.5)

    @property
    def down(self) -> float:
        """How far what was in the middle has gone down, widths."""
        return float(self.mapped(self._middle)[0, 1] - self.aspect / 2)

    @property
    def turned_deg(self) -> float:
        """Clockwise."""
        return math.degrees(math.atan2(self.sin, self.cos))

    @property
    def scale(self) -> float:
        """Above 1, the scene is larger."""
        return math.hypot(self.cos, self.sin)

    @property
    def offset(self) -> float:
        """The farthest that any corner of the picture has gone, widths."""
        return float(np.linalg.norm(self.mapped(self._corners) - self._corners, axis=1).max())

    @property
    def _middle(self) -> Float64Array:
        return np.array([[0.5, self.aspect / 2]])

    @property
    def _corners(self) -> Float64Array:
        return np.array([[0, 0], [1, 0], [1, self.aspect], [0, self.aspect]], np.float64)

    def away_from(self, other: Registration) -> float:
        """How far any corner of the picture lies from where another one puts it, widths."""
        return float(np.linalg.norm(self.mapped(self._corners) - other.mapped(self._corners), axis=1).max())

    def mapped(self, places: Any) -> Float64Array:
        """Places ``[N, 2]`` of the map, in the picture."""
        turn = np.array([[self.cos, -self.sin], [self.sin, self.cos]])
        return np.asarray(places @ turn.T + [self.x, self.y], np.float64)

    def unmapped(self, places: Any) -> Float64Array:
        """The reverse: places in the picture, on the map."""
        turn = np.array([[self.cos, self.sin], [-self.sin, self.cos]]) / self.scale**2
        return np.asarray((places - np.array([self.x, self.y])) @ turn.T, np.float64)


class CornerFinder:
    """Finds corners, spread over the picture. Not for several threads at once."""

    def __init__(self) -> None:
        self._orb = cv2.ORB.create(nfeatures=FOUND, scaleFactor=1.4, nlevels=3, edgeThreshold=16, fastThreshold=10)

    def find(self, grey: GreyImage) -> Corners:
        """The strongest corners of each cell."""
        points = self._orb.detect(grey, None)
        height, width = grey.shape
        places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
        order = np.argsort([-point.response for point in points], kind="stable")
        cells = (places / [width / GRID[0], height / GRID[1]]).astype(np.int64) @ [1, GRID[0]]
        taken = np.zeros(GRID[0] * GRID[1], np.int64)
        chosen = []
        for index in order:
            if taken[cells[index]] < PER_CELL:
                taken[cells[index]] += 1
                chosen.append(points[index])
        if not chosen:
            return Corners(np.zeros((0, 2), np.float32), np.zeros((0, DESCRIPTOR_BYTES), np.uint8))
        kept, descriptors = self._orb.compute(grey, chosen)
        found = np.array([point.pt for point in kept], np.float32).reshape(-1, 2) / width
        return Corners(found.astype(np.float32), np.asarray(descriptors, np.uint8).reshape(-1, DESCRIPTOR_BYTES))


class LandmarkMap:
    """The points that stay in what one camera shows.

    Attributes:
        looks: pictures that it was made of.
        usual_corners: that such a picture has, of all kinds.
    """

    def __init__(self) -> None:
        self.looks = 0
        self.usual_corners = 0.0
        self._places = np.zeros((0, 2), np.float32)
        self._descriptors = np.zeros((0, DESCRIPTOR_BYTES), np.uint8)
        self._trust = np.zeros(0, np.float32)

    def __len__(self) -> int:
        """Landmarks; what has not shown yet that it stays is none."""
        return int(np.count_nonzero(self._trust >= STAYS))

    @property
    def is_ready(self) -> bool:
        """Whether there are enough landmarks to tell where a picture lies."""
        return self.looks >= FIRST_LOOKS and len(self) >= LEAST_LANDMARKS

    def register(self, corners: Corners, aspect: float) -> Registration | None:
        """How a picture lies to the map; None if there is no map yet, or too little of it is found again.

        Args:
            corners: of the picture.
            aspect: its height, in widths.
        """
        if not self.is_ready:
            return None
        stays = self._trust >= STAYS
        places, descriptors = self._places[stays], self._descriptors[stays]
        if len(corners) < LEAST_MATCHED:
            return None
        bits, apart = _bits(descriptors, corners.descriptors), _apart(places, corners.places)
        for reach in REACHES:
            rows, columns = _alike(np.where(apart <= reach, bits, UNLIKE_BITS))
            if len(rows) < LEAST_MATCHED:
                continue
            matrix, inliers = cv2.estimateAffinePartial2D(
                places[rows],
                corners.places[columns],
                method=cv2.RANSAC,
                ransacReprojThreshold=NEAR,
                maxIters=500,
                confidence=0.995,
            )
            if matrix is not None and int(inliers.sum()) >= LEAST_MATCHED:
                return _registration(np.asarray(matrix, np.float64), places, int(inliers.sum()), aspect)
        return None

    def learn(self, corners: Corners, found: Registration | None) -> None:
        """Take in what a picture shows, if it shows the same view.

        Args:
            corners: of the picture.
            found: how it lies; None only counts while there is no map to compare with.
        """
        if found is None and self.is_ready:
            return
        if found is not None and found.offset > STILL_THERE:
            return
        here = corners.places
        if found is not None:  # what is entered stands where it would be in the first picture
            here = found.unmapped(here).astype(np.float32)
        self.looks += 1
        self.usual_corners += max(SEEN, 1 / self.looks) * (len(corners) - self.usual_corners)
        seen, new = self._same(here, corners.descriptors)
        # At first, trust is simply the share of looks in which a point was seen.
        gains = max(SEEN, 1 / self.looks)
        loses = gains if self.looks <= FIRST_LOOKS else UNSEEN
        trusted = self._trust[seen]
        self._trust *= 1 - loses
        self._trust[seen] = trusted + (1 - trusted) * gains
        self._enter(here[new], corners.descriptors[new], gains)

    def _same(self, places: Float32Array, descriptors: Image) -> tuple[Any, Any]:
        """Which points of the map are there, and which of the picture's are none of the map's."""
        if not len(self._places) or not len(places):
            return np.zeros(0, np.int64), np.arange(len(places))
        near = _apart(self._places, places) <= NEAR
        bits = _bits(self._descriptors, descriptors)
        return np.flatnonzero((near & (bits <= CERTAIN_BITS)).any(axis=1)), np.flatnonzero(~near.any(axis=0))

    def _enter(self, places: Float32Array, descriptors: Image, trust: float) -> None:
        trusts = np.concatenate([self._trust, np.full(len(places), trust, np.float32)])
        all_places = np.concatenate([self._places, places.astype(np.float32)])
        all_descriptors = np.concatenate([self._descriptors, descriptors])
        kept = np.flatnonzero(trusts >= GOES)
        if len(kept) > MOST:  # those of least trust go first
            kept = np.sort(kept[np.argsort(-trusts[kept], kind="stable")[:MOST]])
        self._places = all_places[kept].astype(np.float32)
        self._descriptors, self._trust = all_descriptors[kept], trusts[kept]

    def snapshot(self) -> dict[str, Any]:
        """The map as JSON types."""
        return {
            "format": FORMAT,
            "looks": self.looks,
            "usual_corners": self.usual_corners,
            "places": packed(self._places, "<f4"),
            "descriptors": packed(self._descriptors, "u1"),
            "trust": packed(self._trust, "<f4"),
        }

    @staticmethod
    def of(state: Mapping[str, Any]) -> LandmarkMap:
        """The map of a `snapshot`.

        Raises:
            ValueError: it is none, or of another format.
        """
        state = fields(state, FORMAT)
        places = unpacked(state, "places", "<f4", (-1, 2))
        descriptors = unpacked(state, "descriptors", "u1", (-1, DESCRIPTOR_BYTES))
        trust = unpacked(state, "trust", "<f4", (-1,))
        if not len(places) == len(descriptors) == len(trust) <= MOST or ((trust < 0) | (trust > 1)).any():
            raise ValueError("the parts of a landmark map do not belong together")
        made = LandmarkMap()
        made.looks, made.usual_corners = whole(state, "looks"), number(state, "usual_corners", 0)
        made._places, made._descriptors, made._trust = places, descriptors, trust
        return made


def _bits(one: Image, other: Image) -> Any:
    """In how many bits descriptors differ; ``[N, M]``."""
    words, others = (np.ascontiguousarray(descriptors).view(np.uint64) for descriptors in (one, other))
    bits = np.zeros((len(words), len(others)), np.int16)
    for word, of_others in zip(words.T, others.T, strict=True):  # not all at once: that takes four times as long
        bits += np.bitwise_count(word[:, None] ^ of_others[None])
    return bits


def _apart(one: Float32Array, other: Float32Array) -> Any:
    """How far places are apart, widths; float32 ``[N, M]``."""
    return np.hypot(one[:, None, 0] - other[None, :, 0], one[:, None, 1] - other[None, :, 1])


def _alike(bits: Any) -> tuple[Any, Any]:
    """Pairs, as rows and columns, of which each is the other's best."""
    best = bits.argmin(axis=1)
    rows = np.flatnonzero(bits.argmin(axis=0)[best] == np.arange(len(bits)))
    rows = rows[bits[rows, best[rows]] <= ALIKE_BITS]
    return rows, best[rows]


def _registration(matrix: Any, places: Float32Array, matched: int, aspect: float) -> Registration:
    """Of a similarity ``[2, 3]`` from the map to the picture."""
    found = Registration(matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2], aspect, matched, 1.0)
    mapped = found.mapped(places)
    inside = int(np.all((mapped >= 0) & (mapped <= [1, aspect]), axis=1).sum())
    return replace(found, share=min(matched / max(inside, 1), 1.0))
