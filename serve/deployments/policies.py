"""Ray Serve's autoscaling policies; its controller makes one of each deployment and asks it many times a second."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping
from typing import Any

from serve.control.scaling import (
    LOOK_BACK_S,
    DetectorLoad,
    Sample,
    Scaling,
    detectors_needed,
    fresh,
    newest,
    readers_needed,
)

WEIGHT, CAPACITY = "registered_weight", "capacity"
_LOAD = tuple(field.name for field in dataclasses.fields(DetectorLoad))


class ReaderPolicy:
    """Readers by what all streams weigh that are switched on, and by what a reader takes.

    Args:
        look_back_s: replicas go once they were not needed for so long.
    """

    def __init__(self, look_back_s: float = LOOK_BACK_S) -> None:
        self._scaling = Scaling(look_back_s)

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Replicas that there should be, of an `AutoscalingContext`; nothing is left with Serve."""
        weight = newest(_reported(context, WEIGHT))
        capacities = fresh(_reported(context, CAPACITY))
        needed = None
        if weight is not None and capacities:
            needed = readers_needed(weight.value, statistics.fmean(capacities.values()))
        return _decided(self._scaling, context, needed)


class DetectorPolicy:
    """Detectors by the frames that wait for them, by how long, and by how much they have to do.

    Args:
        look_back_s: replicas go once they were not needed for so long.
    """

    def __init__(self, look_back_s: float = LOOK_BACK_S) -> None:
        self._scaling = Scaling(look_back_s)

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Replicas that there should be, of an `AutoscalingContext`; nothing is left with Serve."""
        numbers = [fresh(_reported(context, name)) for name in _LOAD]
        known = set.intersection(*(set(found) for found in numbers))
        loads = [DetectorLoad(*(found[replica] for found in numbers)) for replica in known]
        return _decided(self._scaling, context, detectors_needed(loads) if loads else None)


def _decided(scaling: Scaling, context: Any, needed: float | None) -> tuple[int, dict[str, Any]]:
    least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return scaling.wanted(context.target_num_replicas, needed, time.monotonic(), least=least, most=most), {}


def _reported(context: Any, name: str) -> dict[str, Sample]:
    """The newest of what each replica reports under a name."""
    found: Mapping[Any, Any] = (context.raw_metrics or {}).get(name, {})
    return {str(replica): Sample(series[-1].timestamp, series[-1].value) for replica, series in found.items() if series}
