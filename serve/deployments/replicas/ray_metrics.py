"""What Prometheus is told, told to Ray's metrics as well: they are in its dashboard, and at its own ports.

Ray forgets no series before its process ends, so what comes and goes is not told: each reader tells of itself, and
nobody of single streams. Those are at our own ``/metrics``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from prometheus_client.core import Metric
from prometheus_client.samples import Sample
from ray.serve import metrics as ray_metrics

logger = logging.getLogger(__name__)
EACH_S = 5.0
OURS = "reader"
"""Label of the process itself, which Ray names by its own tag, ``replica``."""


class RayMetrics:
    """Remembers what was told, since counters are told by how much they have grown."""

    def __init__(self) -> None:
        self._gauges: dict[str, ray_metrics.Gauge] = {}
        self._counters: dict[str, ray_metrics.Counter] = {}
        self._told: dict[tuple[str, tuple[str, ...]], float] = {}

    def tell(self, metrics: Iterable[Metric]) -> None:
        """Tell of everything as it is now."""
        for metric in metrics:
            for sample in metric.samples:
                tags = {name: value for name, value in sample.labels.items() if name != OURS}
                if metric.type == "gauge":
                    self._gauge(sample, metric.documentation, tuple(tags)).set(sample.value, tags)
                else:
                    self._grow(sample, metric.documentation, tags)

    def _gauge(self, sample: Sample, text: str, tags: tuple[str, ...]) -> ray_metrics.Gauge:
        if sample.name not in self._gauges:
            self._gauges[sample.name] = ray_metrics.Gauge(sample.name, text, tag_keys=tags)
        return self._gauges[sample.name]

    def _grow(self, sample: Sample, text: str, tags: dict[str, str]) -> None:
        """Of a counter, or of a part of a histogram."""
        name = sample.name.removesuffix("_total")  # which Ray adds
        key = name, tuple(tags.values())
        grown = sample.value - self._told.get(key, 0.0)
        self._told[key] = sample.value
        if name not in self._counters:
            self._counters[name] = ray_metrics.Counter(name, text, tag_keys=tuple(tags))
        if grown > 0:
            self._counters[name].inc(grown, tags)


async def tell_ray(read: Callable[[], Awaitable[Iterable[Metric]]], pause_s: float = EACH_S) -> None:
    """Tell again and again, until cancelled; what fails is told the next time.

    Args:
        read: gives what is to be told.
        pause_s: between two times.
    """
    told = RayMetrics()
    while True:
        await asyncio.sleep(pause_s)
        try:
            told.tell(await read())
        except Exception as error:
            logger.warning("Ray's metrics are not told: %s", type(error).__name__)
