"""The API against its own document: what schemathesis makes of it, kept from calling anybody."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import TypeAdapter, ValidationError
from schemathesis.config import ChecksConfig, SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.schemas import OpenApiSchema

from serve.api.document import document
from serve.definitions.base import SourceDefinition
from serve.definitions.catalogue import AnySource
from serve.events.sinks.base import Target
from serve.events.sinks.catalogue import AnyTarget

# Valid by the document, and yet refused: whether a polygon crosses itself, a URL has a host, a scene is wide enough for
# its people, an ETag is the newest, no JSON Schema can say. `says_why` holds the refusals to that.
REFUSED_BY_MEANING = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429", "5xx"]
_MEANINGS = ("geometry-invalid", "definition-refused", "bad-request", "source-not-allowed")
ENDLESS = ("/api/v1/events",)
"""Paths whose answers go on for as long as somebody listens; they have tests of their own."""
_MEANT = (
    *("source.rtsp.url", "source.simulator.scene"),
    *("target.webhook.url", "target.webhook.secret", "target.webhook.authorization", "target.mqtt.timezone"),
    *("target.alertmanager.url", "target.alertmanager.authorization", "target"),
)
"""Fields whose values are held against one another, or have a grammar of their own."""


def config() -> SchemathesisConfig:
    """All checks; the same examples every time."""
    made = SchemathesisConfig(seed=1)
    made.projects.default.checks = ChecksConfig.from_dict(
        {
            "positive_data_acceptance": {"expected-statuses": REFUSED_BY_MEANING},
            "not_a_server_error": {
                "expected-statuses": ["2xx", "3xx", "4xx", "502", "503"]
            },  # "not yet" is an answer, too
        }
    )
    return made


def operations() -> OpenApiSchema:
    """All that the document describes and that comes to an end; a test holds the service against the same document."""
    return schemathesis.openapi.from_dict(document(), config=config()).exclude(path=list(ENDLESS))


def tried(examples: int) -> settings:
    """How an operation is tried; without a database of earlier failures, so that every run is the same."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def call(case: Any, url: str, token: str) -> None:
    """Call the service, hold the answer against every check, and refusals against what the document says."""
    if case.meta.is_negative_at(ParameterLocation.QUERY) and _is_text_all_the_same(case.query):
        return
    # Where a header is what is wrong, it may be this one.
    wrong = case.meta.is_negative_at(ParameterLocation.HEADER)
    headers = {} if wrong else {"Authorization": f"Bearer {token}"}
    answer = case.call_and_validate(base_url=url, headers=headers)
    if answer.status_code == 422 and case.meta.generation.mode.is_positive:
        problem = answer.json()
        code = problem["type"].rpartition(":")[2]
        fields = [error["field"] for error in problem.get("errors", ())]
        assert code in _MEANINGS or (code == "invalid" and set(fields) <= set(_MEANT)), problem


def _is_text_all_the_same(query: Any) -> bool:
    """Whether a number stands where a text belongs: on its way it becomes one."""
    return any(isinstance((query or {}).get(name), int | float) for name in _TEXTS)


_TEXTS = ("site", "type", "search")
"""Parameters that are texts of any kind."""
_HARMLESS: dict[str, dict[str, Any]] = {
    "rtsp": {"type": "rtsp", "url": "rtsp://camera.example.invalid/stream1"},
    "kafka": {"type": "kafka", "brokers": "kafka.example.invalid:9092", "topic": "frames"},
    "file": {"type": "file", "path": "/nonexistent/monday.mp4"},
    "simulator": {"type": "simulator", "scene": {"people": 1, "width": 64, "height": 64, "fps": 1, "seconds": 1}},
}
_HARMLESS_TARGETS: dict[str, dict[str, Any]] = {
    "webhook": {"type": "webhook", "url": "http://127.0.0.1:9/"},
    "alertmanager": {"type": "alertmanager", "url": "http://127.0.0.1:9/"},
    "kafka": {"type": "kafka", "brokers": "127.0.0.1:9", "topic": "events"},
    "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": 9},
}
_TARGET: TypeAdapter[Target] = TypeAdapter(AnyTarget)
_SOURCE: TypeAdapter[SourceDefinition] = TypeAdapter(AnySource)


def keep_harmless(case: Any) -> None:
    """Give a source or a sink another address, one that no name server knows: nobody is to be called.

    What would be probed is a file that is not there: nothing else is known so fast not to work.
    """
    if not isinstance(case.body, dict):
        return
    with suppress(ValidationError):
        kind = _SOURCE.validate_python(case.body.get("source")).type  # type: ignore[attr-defined]
        case.body["source"] = _HARMLESS["file" if case.operation.path.endswith("/probe") else kind]
    with suppress(ValidationError):
        case.body["target"] = _HARMLESS_TARGETS[_TARGET.validate_python(case.body.get("target")).type]  # type: ignore[attr-defined]
