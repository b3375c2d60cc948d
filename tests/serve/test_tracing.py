"""Traces as a real collector of OpenTelemetry would get them: over HTTP, in protobuf."""

from __future__ import annotations

import builtins
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipelines.batching.frame_trace import FrameTrace
from pipelines.types import FrameStamp
from serve.errors import SettingsError
from serve.settings import load
from serve.tracing import NS, TraceSender
from tests.integration.brokers import free_port


class Collector:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        kept = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


def whole(captured_s: float) -> FrameTrace:
    trace, now_s = FrameTrace(FrameStamp(42, captured_s)), time.monotonic()
    for number, name in enumerate(("scale", "wait", "infer", "store")):
        trace.add(name, now_s + number, now_s + number + 1)
    trace.batch = 4
    return trace


def test_a_frame_is_a_trace_with_a_span_for_each_step(collector: Collector) -> None:
    captured_s = time.time() - 0.2
    sender = TraceSender(collector.endpoint, "reader-1")
    sender.export("entrance", 7)(whole(captured_s))
    sender.close()
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"frame", "scale", "wait", "infer", "store"}
    frame = spans.pop("frame")
    assert {span.trace_id for span in spans.values()} == {frame.trace_id}
    assert {span.parent_span_id for span in spans.values()} == {frame.span_id}
    assert frame.start_time_unix_nano == pytest.approx(captured_s * NS, abs=1000)
    assert frame.end_time_unix_nano == spans["store"].end_time_unix_nano
    assert spans["infer"].end_time_unix_nano - spans["infer"].start_time_unix_nano == pytest.approx(NS, abs=1000)
    about = {one.key: one.value for one in frame.attributes}
    assert (about["footfall.stream"].string_value, about["footfall.epoch"].int_value) == ("entrance", 7)
    assert (about["footfall.frame"].int_value, about["footfall.batch"].int_value) == (42, 4)
    (resource,) = (one.resource for request in collector.requests for one in request.resource_spans)
    assert {one.key: one.value.string_value for one in resource.attributes}["service.instance.id"] == "reader-1"


def test_a_frame_of_a_recording_begins_when_it_was_decoded(collector: Collector) -> None:
    sender = TraceSender(collector.endpoint, "reader-1")
    trace = whole(captured_s=1_000_000.0)
    sender.export("entrance", 7)(trace)
    sender.close()
    (frame,) = (span for span in collector.spans if span.name == "frame")
    assert frame.start_time_unix_nano == pytest.approx(trace.begun_s * NS, abs=1000)


def test_a_collector_that_is_away_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    sender = TraceSender(f"http://127.0.0.1:{free_port()}/v1/traces", "reader-1")
    export = sender.export("entrance", 7)
    for _ in range(1000):
        export(whole(time.time()))
    assert caplog.records == []


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry.exporter.otlp"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match=r"footfall\[traces\]"):
        TraceSender("http://127.0.0.1:4318/v1/traces", "reader-1")


@pytest.mark.parametrize("url", ["4318", "ftp://collector/", "http://user:word@collector/", "http://a collector/"])
def test_an_endpoint_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="traces"):
        load(None, monitoring={"traces": url})
