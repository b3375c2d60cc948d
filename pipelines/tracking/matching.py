"""Which detection continues which track: one-to-one assignment."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.types import Float64Array, Int64Array


def assign(similarity: Float64Array, at_least: float) -> tuple[Int64Array, Int64Array]:
    """The one-to-one pairs of largest total similarity, none below ``at_least``.

    Args:
        similarity: ``[N, M]``, larger is better.
        at_least: pairs below this are never made.

    Returns:
        Row and column indices of the pairs, both ``[P]``.
    """
    if not similarity.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # A forbidden pair is worth nothing, so that it cannot push a good pair aside only to be thrown away afterwards.
    rows, columns = linear_sum_assignment(np.where(similarity >= at_least, similarity, 0.0), maximize=True)
    kept = similarity[rows, columns] >= at_least
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
