"""How a stream's pictures and people compare with its reference, as its reader tells the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.drift.causes import Verdict
from serve.streams.travelling import travels


@travels
@dataclass(frozen=True, slots=True)
class DriftReport:
    """How it is right now.

    Attributes:
        verdicts: what is wrong.
        judges_pictures: whether what is wrong with pictures would be seen by now.
        judges_people: the same for people.
        proposes_renewal: whether the camera has looked elsewhere for so long that this may be its new view.
        features: what is judged, by name.
        version: of the reference.
        judges_traffic: whether another number of people would be seen by now.
    """

    verdicts: tuple[Verdict, ...] = ()
    judges_pictures: bool = False
    judges_people: bool = False
    proposes_renewal: bool = False
    features: Mapping[str, float] = field(default_factory=dict)
    version: int = 0
    judges_traffic: bool = False

    @property
    def causes(self) -> tuple[str, ...]:
        """Of what is wrong."""
        return tuple(one.cause for one in self.verdicts)
