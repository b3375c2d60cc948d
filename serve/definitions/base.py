"""What a definition of a source type has to say: its identity, whether it is live, how it is opened."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.reach import Reach
from serve.definitions.secretive import Secretive


class SourceDefinition(Secretive):
    """One type of source. A subclass in a module beside this one is all that a new type needs here.

    Attributes:
        live: True if the newest frame wins; False if every frame must be analysed.
    """

    live: ClassVar[bool]
    must_say: ClassVar = ("title", "live", "secrets")

    @abstractmethod
    def opener(self, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        """A maker of fresh sources, one per attempt to connect."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """What the source shows, in words that change with it: state of one camera means nothing for another.

        Credentials, transport and time-outs may change without the camera being another.
        """

    def completed(self, known: Self | None, now_s: float) -> Self:
        """With what a registration adds.

        Args:
            known: the definition that this one replaces, if that is of the same type.
            now_s: moment of the registration, seconds since the epoch.
        """
        del known, now_s
        return self

    def check(self, reach: Reach) -> None:
        """Refuse what lies outside of what sources may open, as far as that can be told without asking anybody.

        Whoever opens the source looks again.

        Raises:
            SourceNotAllowed: it does; the reason is the same whatever is there.
        """
        del reach

    def for_probe(self) -> Self:
        """As it is opened to be tried for a moment."""
        return self
