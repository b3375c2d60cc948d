"""Which streams somebody looks at, as those who show pictures say; what they said is forgotten soon."""

from __future__ import annotations

from collections.abc import Callable, Sequence

FORGOTTEN_S = 5.0


class Viewers:
    """What is watched right now.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, tuple[frozenset[str], float]] = {}
        self._known: frozenset[str] = frozenset()

    def tell(self, viewer: str, streams: Sequence[str]) -> None:
        """Take what a viewer says; what it said before is forgotten."""
        self._told[viewer] = frozenset(streams), self._clock() + FORGOTTEN_S

    @property
    def watched(self) -> frozenset[str]:
        """Streams that anybody looks at, as far as was heard lately."""
        now_s = self._clock()
        self._told = {viewer: told for viewer, told in self._told.items() if told[0] and told[1] > now_s}
        return frozenset[str]().union(*(streams for streams, _ in self._told.values()))

    def changed(self) -> bool:
        """Whether other streams are watched than when this was asked last."""
        before, self._known = self._known, self.watched
        return before != self._known
