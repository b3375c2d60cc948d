"""Watches the pictures of one camera: what is wrong with them now, by its cause."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from analytics.drift.causes import Cause
from analytics.drift.landmarks import CornerFinder, Registration
from analytics.drift.picture import GreyImage, PictureFeatures, grey_of, measure
from analytics.drift.season import Season
from analytics.drift.states import fields, whole
from analytics.drift.stillness import Stillness
from analytics.drift.view import Likeness, View, texture_of
from pipelines.types import Float32Array, Image

FORMAT = 1
LOOK_S, LOOK_FRAMES = 2.0, 12
"""Least time and least number of analysed frames between two looks: that bounds what they cost."""
REGISTER_S, REGISTER_LOOKS, RECHECK_S, RECHECK_LOOKS = 10.0, 5, 4.0, 2
"""The same, in looks, for finding the view again, and for doing so where something seems to be wrong."""
LONG_MISSED = 15
"""So often in vain, and it is looked for no more often than usual."""
SMOOTHED_S = 8.0
"""Time constant of the numbers that are judged."""
FORGOTTEN_S = 60.0
"""After so long without a look, the numbers begin anew."""
MIXED = 0.3
"""Share of the newest picture in the mean in which the view is looked for."""
NIGHT_S = 16 * 3600.0
CALM_S = 60.0
"""So long after the last symptom, what is known is not changed."""
MOVED = 0.012
"""How far the farthest corner of the picture is off, widths, from which on the camera has been moved."""
AGREE, AGREEING, AGREE_S = 0.008, 3, 60.0
"""How near to one another so many registrations must be, widths, within so long, for it to be no shaking."""
HOME_S = 600.0
"""So long after it was found where it should be, a view may be learnt in another light."""
LOST_AFTER, LOST_CORNERS = 5, 0.5
"""Looks without finding the view again, and share of the usual corners, that tell that there is another view instead of
none."""
BLACK = 6.0
"""Levels of brightness at which nothing is to be seen."""
BLANK = 1.5
"""Levels of texture below which a block shows nothing."""
HELD = 0.8
"""Of a bound, what is enough for a symptom that is there to stay."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something that is wrong with a camera's pictures.

    Attributes:
        cause: of it.
        detail: in plain words, with numbers.
    """

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class _Bound:
    """From where on a number is wrong.

    Attributes:
        number: that is judged.
        beyond: least deviation from what is usual at this time; its sign is its direction.
        unknown: deviation from the reference, while nothing is known of this time.
        spreads: least deviation, in what such a time usually lies off.
    """

    number: str
    beyond: float
    unknown: float
    spreads: float = 4.0


HIDDEN = _Bound("hidden", 0.2, 0.25)
DIM = _Bound("luma", -0.18, -math.inf, spreads=3.0)
SOFT = _Bound("sharpness", -0.3, -0.6)
SMOOTH = _Bound("noise", -0.5, -0.8)
GRAINY = _Bound("noise", 0.5, math.inf)
"""In less light cameras raise their gain, and noise with it: how much that is at some hour is known after a week."""
ROUGH = _Bound("sharpness", 0.2, 0.5)
DOUBTFUL = {"hidden": 0.12, "sharpness": 0.3, "noise": 0.4}
"""So far from the reference, a picture is not made a part of it, whether it is wrong or not."""
LEAST_SPREADS = {"luma": 0.04, "hidden": 0.03, "sharpness": 0.05, "noise": 0.08}
SETTLES = {"luma": False, "hidden": True, "sharpness": True, "noise": True}


class PictureWatch:
    """Judges what a camera shows against its reference, and against what is usual at this time of the week.

    For one thread, the one that has the pictures: also its snapshots are to be taken there. In the first week, what
    seems to be wrong is learnt if it ends by itself within a night; afterwards it never is, but for light, which
    follows the year. A new reference begins it all anew.

    Args:
        view: the reference; it learns from the pictures, too.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.seasons = {name: Season(LEAST_SPREADS[name], settles=SETTLES[name]) for name in LEAST_SPREADS}
        self._finder = CornerFinder()
        self._stillness = Stillness()
        self._grey: GreyImage | None = None
        self._mean: Float32Array | None = None
        self._looked_s: float | None = None
        self._registered_s: float | None = None
        self._home_s: float | None = None
        self._frames = self._looks = 0
        self._smooth: dict[str, float] = {}
        self._off: list[tuple[float, Registration]] = []
        self._missed = self._corners = 0
        self._symptoms: tuple[Symptom, ...] = ()
        self._symptom_s: float | None = None
        self._ill_s: float | None = None

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """What is wrong as of the newest look."""
        return self._symptoms

    @property
    def numbers(self) -> Mapping[str, float]:
        """What is judged, smoothed: brightness (as a logarithm of levels), and how the picture compares."""
        return self._smooth

    @property
    def looked_s(self) -> float | None:
        """Capture time of the newest picture that was judged, seconds since the epoch."""
        return self._looked_s

    def wants(self, time_s: float) -> bool:
        """Whether the frame that is analysed now is to be looked at; asked once for every one of them.

        Args:
            time_s: of its capture.
        """
        self._frames += 1
        if self._looked_s is None or time_s < self._looked_s:
            return True
        return time_s - self._looked_s >= LOOK_S and self._frames >= LOOK_FRAMES

    def look(self, picture: Image, time_s: float, local_s: float) -> None:
        """Judge a picture.

        Args:
            picture: as it came, without margins; BGR.
            time_s: of its capture.
            local_s: the same as the clock on the camera's wall shows it, seconds since 1970 began there.
        """
        grey = grey_of(picture)
        if grey is None:
            return
        if not self.view.fits(grey.shape[0] / grey.shape[1]):
            self._symptoms = (Symptom(Cause.MOVED, "pictures have another shape than those of the reference"),)
            self._symptom_s = time_s
            self.gap()
            return
        if self._grey is not None and self._grey.shape != grey.shape:
            self.gap()
        features = measure(grey, self._grey)
        passed_s = 0.0 if self._looked_s is None else max(time_s - self._looked_s, 0.0)
        self._grey, self._looked_s, self._frames = grey, time_s, 0
        self._looks += 1
        self._average(grey, passed_s)
        self._stillness.look(features.changed, passed_s)
        self._compare(features, local_s, passed_s)
        if not self._stillness.is_frozen and self._registers(time_s):
            self._register(features, time_s)
        self._symptoms = tuple(self._judge(features, local_s))
        if self._symptoms:
            self._symptom_s = time_s
        self._learn(features, time_s, local_s)

    def gap(self) -> None:
        """The stream was interrupted: what comes next is compared with nothing before."""
        self._grey = self._mean = None
        self._smooth = {}
        self._stillness.look(None, 0.0)

    def _average(self, grey: GreyImage, passed_s: float) -> None:
        """Mix a picture into those before it: what walks through fades, and so does noise."""
        if self._mean is None or passed_s >= FORGOTTEN_S:
            self._mean = grey.astype(np.float32)
        else:
            cv2.accumulateWeighted(grey, self._mean, MIXED)

    def _compare(self, features: PictureFeatures, local_s: float, passed_s: float) -> None:
        usual, brightness = self.seasons["luma"].expected(local_s), features.brightness
        if usual is not None and usual.sure:  # what is dark where it is usually bright is compared with what is usual
            brightness = min(max(brightness, math.exp(usual.low) - 1.0), math.exp(usual.high) - 1.0)
        numbers = {"luma": math.log(features.brightness + 1.0), **_judged(self.view.compare(features, brightness))}
        share = 1.0 - math.exp(-passed_s / SMOOTHED_S) if passed_s < FORGOTTEN_S else 1.0
        self._smooth = {
            name: value if name not in self._smooth else self._smooth[name] + share * (value - self._smooth[name])
            for name, value in numbers.items()
        }

    def _registers(self, time_s: float) -> bool:
        """Whether to find the view again in this look."""
        if self._registered_s is None or time_s < self._registered_s:
            return True
        passed_s = time_s - self._registered_s
        doubtful = self._off or self._missed or self._symptoms
        if doubtful and self._missed < LONG_MISSED:
            return passed_s >= RECHECK_S and self._looks >= RECHECK_LOOKS
        return passed_s >= REGISTER_S and self._looks >= REGISTER_LOOKS

    def _register(self, features: PictureFeatures, time_s: float) -> None:
        assert self._mean is not None
        self._registered_s, self._looks = time_s, 0
        corners = self._finder.find(np.asarray(cv2.convertScaleAbs(self._mean), np.uint8))
        self._corners = len(corners)
        landmarks = self.view.landmarks(features.brightness)
        found = self.view.register(corners, features.brightness)
        self._off = [one for one in self._off if 0 <= time_s - one[0] <= AGREE_S]
        if found is None:
            self._missed += landmarks.is_ready
        elif found.offset < MOVED:
            self._off, self._missed, self._home_s = [], 0, time_s
        else:
            self._missed = 0
            self._off = [one for one in self._off if one[1].away_from(found) <= AGREE] + [(time_s, found)]
        at_home = self._home_s is not None and 0 <= time_s - self._home_s <= HOME_S
        if not self._symptoms and not self._off and (found is not None or at_home or not self.view.has_landmarks):
            landmarks.learn(corners, found)

    def _judge(self, features: PictureFeatures, local_s: float) -> list[Symptom]:
        """What is wrong: of several causes that would fit, the one that explains the others."""
        if self._stillness.is_frozen:
            return [Symptom(Cause.FROZEN, f"the same picture for {self._stillness.still_s:.0f} s")]
        if len(self._off) >= AGREEING:
            return [Symptom(Cause.MOVED, _described(self._off[-1][1]))]
        now = self._smooth
        if features.brightness >= BLACK and self._is_beyond(HIDDEN, Cause.COVERED, local_s):
            return [Symptom(Cause.COVERED, f"{now['hidden']:.0%} of the picture shows nothing any more")]
        if self._is_blank(features, local_s):
            return [Symptom(Cause.COVERED, "nothing at all is to be seen")]
        if self._is_beyond(DIM, Cause.DARK, local_s) or self._is_black(features, local_s):
            return [Symptom(Cause.DARK, f"brightness is {features.brightness:.0f} of 255")]
        if self._is_lost(features):
            return [Symptom(Cause.MOVED, "nothing of the usual view is found again")]
        # Before what is missed: much noise hides fine structure.
        if self._is_beyond(GRAINY, Cause.NOISY, local_s):
            return [Symptom(Cause.NOISY, f"noise is {math.exp(now['noise']):.1f} times what it was")]
        drowned = now.get("noise", 0.0) >= GRAINY.beyond and not self._is_sure("noise", local_s)
        if not drowned and self._is_beyond(SOFT, Cause.BLURRED, local_s):
            return [Symptom(Cause.BLURRED, f"{1 - math.exp(now['sharpness']):.0%} of fine structure is gone")]
        if self._is_beyond(SMOOTH, Cause.COMPRESSED, local_s):
            return [Symptom(Cause.COMPRESSED, f"only {math.exp(now['noise']):.0%} of the finest grain is left")]
        if self._is_beyond(ROUGH, Cause.NOISY, local_s):
            return [Symptom(Cause.NOISY, f"fine structure is {math.exp(now['sharpness']):.1f} times what it was")]
        return []

    def _is_beyond(self, bound: _Bound, cause: Cause, local_s: float) -> bool:
        """Whether a number is where it should not be; where it was already, a little less is enough."""
        value, expected = self._smooth.get(bound.number), self.seasons[bound.number].expected(local_s)
        if value is None:
            return False
        way = math.copysign(1.0, bound.beyond)
        held = HELD if any(one.cause is cause for one in self._symptoms) else 1.0
        from_reference = way * value >= held * way * bound.unknown
        if expected is None:
            return from_reference
        least = max(abs(bound.beyond), bound.spreads * expected.spread)
        from_usual = way * expected.deviation(value) >= held * least
        # Whatever is usual: what is like the reference in its light is all right, and of brightness there is none.
        unlike = bound.number == "luma" or way * value >= held * abs(bound.beyond)
        return from_usual and unlike and (expected.sure or from_reference)

    def _is_black(self, features: PictureFeatures, local_s: float) -> bool:
        """Nothing is to be seen, and that is not known to be usual."""
        expected = self.seasons["luma"].expected(local_s)
        return features.brightness < BLACK and (expected is None or expected.low > math.log(2 * BLACK + 1.0))

    def _is_blank(self, features: PictureFeatures, local_s: float) -> bool:
        """Nothing is to be seen, and not for want of light; where this time of the week is known, others tell."""
        if "hidden" in self._smooth or features.brightness < BLACK or self._is_sure("luma", local_s):
            return False
        return self.view.has_landmarks and float(np.quantile(texture_of(features), 0.9)) < BLANK

    def _is_lost(self, features: PictureFeatures) -> bool:
        usual = self.view.landmarks(features.brightness).usual_corners
        return self._missed >= LOST_AFTER and self._corners >= LOST_CORNERS * usual

    def _learn(self, features: PictureFeatures, time_s: float, local_s: float) -> None:
        """Take in what may be usual."""
        calm = not self._off and (self._symptom_s is None or not 0 <= time_s - self._symptom_s < CALM_S)
        causes = {one.cause for one in self._symptoms}
        alike = all(abs(self._smooth.get(name, 0.0)) < most for name, most in DOUBTFUL.items())
        dark = causes <= {Cause.DARK} and not self.view.is_known(features.brightness)
        if (calm and alike) or (dark and not self._off):
            self.view.learn(features)
        if not causes:
            self._ill_s = None
        elif self._ill_s is None or time_s < self._ill_s:
            self._ill_s = time_s
        if calm or self._lasts(time_s):
            self._settle(usual=calm)
        # What a hall is like by night could be a fault, and if it were not learnt, it would be called one for ever.
        # What ends by itself within a night was none.
        unexplained = not causes & {Cause.FROZEN, Cause.MOVED} and not self._off
        for name, value in self._smooth.items():
            known = self._is_sure(name, local_s)
            if calm or (unexplained and name == "luma" and known):
                self.seasons[name].add(value, local_s)
            elif unexplained and not known and not self._lasts(time_s):
                self.seasons[name].add(value, local_s, doubtful=True)

    def _is_sure(self, name: str, local_s: float) -> bool:
        expected = self.seasons[name].expected(local_s)
        return expected is not None and expected.sure

    def _lasts(self, time_s: float) -> bool:
        """Whether something has been wrong for longer than a night."""
        return self._ill_s is not None and time_s - self._ill_s > NIGHT_S

    def _settle(self, usual: bool) -> None:
        for season in self.seasons.values():
            season.settle(usual)

    def snapshot(self) -> dict[str, Any]:
        """What goes on in another reader, as JSON types; the reference and the seasons are kept apart."""
        return {"format": FORMAT, "version": self.view.version, "stillness": self._stillness.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a `snapshot`.

        Raises:
            ValueError: it is none, or one of another format; nothing is changed then.
        """
        state = fields(state, FORMAT)
        whole(state, "version")
        self._stillness.restore(state.get("stillness", {}))


def _judged(found: Likeness | None) -> dict[str, float]:
    if found is None:
        return {}
    numbers = {"hidden": found.hidden, "sharpness": found.sharpness, "noise": found.noise}
    return {name: value for name, value in numbers.items() if value is not None}


def _described(found: Registration) -> str:
    sideways = f"{abs(found.right):.1%} of the width to the {'right' if found.right > 0 else 'left'}"
    upright = f"{abs(found.down):.1%} {'down' if found.down > 0 else 'up'}"
    turned = f"turned by {abs(found.turned_deg):.1f} degrees"
    parts = [
        text
        for text, counts in (
            (sideways, abs(found.right) >= 0.005),
            (upright, abs(found.down) >= 0.005),
            (turned, abs(found.turned_deg) >= 0.5),
            (f"{found.scale:.2f} times as large", abs(found.scale - 1) >= 0.02),
        )
        if counts
    ]
    return "the scene lies elsewhere in the picture: " + ", ".join(parts or ["a little"])
