"""Traces of single frames, sent to a collector of OpenTelemetry (https://opentelemetry.io); an extra of the package."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.batching.frame_trace import FrameTrace
from serve.errors import SettingsError

logger = logging.getLogger(__name__)
NS = 1_000_000_000
MOST_WAITING, SENT_EACH_MS, TIMEOUT_S = 256, 5000, 5
"""Spans that wait to be sent; of more, the newest are let go."""


def require_installed() -> None:
    """Raises SettingsError if the extra is missing."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    except ImportError:
        raise SettingsError(
            "monitoring.traces: OpenTelemetry is not installed: pip install 'footfall[traces]'"
        ) from None


class TraceSender:
    """Sends traces in a thread of its own; a collector that is away costs traces, and nothing else.

    Args:
        endpoint: of the collector, for OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``.
        reader: whose frames they are.

    Raises:
        SettingsError: the extra is missing.
    """

    def __init__(self, endpoint: str, reader: str) -> None:
        require_installed()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        logging.getLogger("opentelemetry").setLevel("ERROR")  # else each try to send is told, with a stack
        # Made by hand: what stands in the environment for others' programs would be taken up otherwise.
        resource = Resource({"service.name": "footfall", "service.instance.id": reader})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        processor = BatchSpanProcessor(
            OTLPSpanExporter(endpoint, timeout=TIMEOUT_S),
            max_queue_size=MOST_WAITING,
            schedule_delay_millis=SENT_EACH_MS,
            max_export_batch_size=MOST_WAITING,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("footfall")

    def export(self, stream: str, epoch: int) -> Callable[[FrameTrace], None]:
        """What takes traces of one stream in one epoch; it neither blocks nor raises."""
        about = {"footfall.stream": stream, "footfall.epoch": epoch}

        def send(trace: FrameTrace) -> None:
            try:
                self._send(trace, about)
            except Exception:
                logger.exception("a trace cannot be sent", extra={"stream": stream})

        return send

    def _send(self, trace: FrameTrace, about: Mapping[str, Any]) -> None:
        from opentelemetry.trace import set_span_in_context

        ended_s = max(step.ended_s for step in trace.steps)
        # From the capture, where the camera's clock is near ours; of a recording, from the moment it was decoded.
        captured_s = trace.stamp.time_s
        begun_s = captured_s if 0 <= trace.begun_s - captured_s < 60 else trace.begun_s
        frame = self._tracer.start_span("frame", start_time=round(begun_s * NS), attributes=about)
        frame.set_attributes({"footfall.frame": trace.stamp.index, "footfall.batch": trace.batch})
        frame.set_attribute("footfall.captured_s", captured_s)
        within = set_span_in_context(frame)
        for step in trace.steps:
            span = self._tracer.start_span(step.name, within, start_time=round(step.begun_s * NS))
            span.end(round(step.ended_s * NS))
        frame.end(round(ended_s * NS))

    def close(self) -> None:
        """Send what waits, for a moment, and end. Idempotent."""
        self._provider.shutdown()
