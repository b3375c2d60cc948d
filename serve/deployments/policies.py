"""Ray Serve's autoscaling policies; its controller makes one of each deployment and asks it many times a second."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from serve.control.scaling import DetectorLoad, Sample, Scaling, detectors_needed, fresh, newest, readers_needed

WEIGHT = "registered_weight"
_LOAD = tuple(field.name for field in dataclasses.fields(DetectorLoad))


class ReaderPolicy:
    """Readers by what all streams weigh that are switched on.

    Args:
        capacity: CPU cores that a reader takes streams for.
        least: replicas at night.
        most: replicas that there may be.
    """

    def __init__(self, capacity: float, least: int, most: int) -> None:
        self._capacity = capacity
        self._scaling = Scaling(least, most)

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Replicas that there should be, of an `AutoscalingContext`; nothing is left with Serve."""
        weight = newest(_reported(context, WEIGHT))
        needed = None if weight is None else readers_needed(weight.value, self._capacity)
        return self._scaling.wanted(context.target_num_replicas, needed, time.monotonic()), {}


class DetectorPolicy:
    """Detectors by the frames that wait for them, by how long, and by how much they have to do.

    Args:
        least: replicas at night.
        most: replicas that there may be.
    """

    def __init__(self, least: int, most: int) -> None:
        self._scaling = Scaling(least, most)

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Replicas that there should be, of an `AutoscalingContext`; nothing is left with Serve."""
        numbers = [fresh(_reported(context, name)) for name in _LOAD]
        known = set.intersection(*(set(found) for found in numbers))
        loads = [DetectorLoad(*(found[replica] for found in numbers)) for replica in known]
        needed = detectors_needed(loads) if loads else None
        return self._scaling.wanted(context.target_num_replicas, needed, time.monotonic()), {}


def _reported(context: Any, name: str) -> dict[str, Sample]:
    """The newest of what each replica reports under a name."""
    found: Mapping[Any, Any] = (context.raw_metrics or {}).get(name, {})
    return {str(replica): Sample(series[-1].timestamp, series[-1].value) for replica, series in found.items() if series}
