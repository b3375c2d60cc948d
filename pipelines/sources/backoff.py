"""How long a source is left alone after it has failed."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import FootfallError, SourceUnauthorized


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt.

    Attributes:
        first_s: after the first failure.
        longest_s: the most that doubling leads to.
        unauthorized_s: least wait after a refused password: cameras lock accounts.
        failed_first_s: after the first failure that looks final.
        failed_longest_s: the most that doubling leads to then.
        healthy_s: a connection that delivered for this long makes the count begin anew.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    unauthorized_s: float = 10.0
    failed_first_s: float = 15.0
    failed_longest_s: float = 300.0
    healthy_s: float = 10.0

    def delay_s(self, failures: int, error: FootfallError, chance: float) -> float:
        """Wait after the ``failures``-th failure in a row; ``chance`` in [0, 1) spreads cameras apart."""
        first_s, longest_s = self.first_s, self.longest_s
        if not error.retryable:
            first_s, longest_s = self.failed_first_s, self.failed_longest_s
        doubled: float = min(longest_s, first_s * 2.0 ** min(failures - 1, 16))
        least = self.unauthorized_s if isinstance(error, SourceUnauthorized) else 0.0
        return max(doubled, least) * (0.75 + 0.5 * chance)
