"""Source types: every one says all that it must, and a form can be made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from pipelines.simulator.settings import BOUNDS as SCENE_BOUNDS
from pipelines.sources.base import Source, SourceLimits
from serve.api.models import StreamBody, StreamChanges
from serve.definitions.base import SourceDefinition
from serve.definitions.catalogue import SOURCES, source_types
from serve.definitions.secretive import Secret


def declare(**parts: Any) -> type[SourceDefinition]:
    """A new type of source, with these parts of its class."""

    def opener(self: SourceDefinition, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        raise NotImplementedError

    annotations = {"type": Literal["pigeon"], **parts.pop("fields", {})}
    body = {
        "__module__": __name__,
        "__annotations__": annotations | dict.fromkeys(parts, ClassVar[Any]),
        "opener": opener,
        "origin": property(lambda self: "pigeon"),
    }
    return type("PigeonDefinition", (SourceDefinition,), body | parts)


WITH_PASSWORD: dict[str, Any] = {"fields": {"host": str, "password": str}, "secrets": {"password": Secret.WHOLE}}
COMPLETE: dict[str, Any] = {"title": "Carrier pigeon", "live": True, "secrets": {}}


def test_a_type_that_says_all_it_must_is_accepted() -> None:
    assert declare(**COMPLETE).model_validate({"type": "pigeon"}).redacted() == {"type": "pigeon"}


@pytest.mark.parametrize("part", ["title", "live", "secrets"])
def test_a_type_that_leaves_something_unsaid_cannot_be_loaded(part: str) -> None:
    with pytest.raises(TypeError, match=part):
        declare(**{name: value for name, value in COMPLETE.items() if name != part})


@pytest.mark.parametrize(
    "field",
    ["password", "api_token", "client_secret", "passphrase", "private_key_file", "api_key", "auth", "login", "url"],
)
def test_a_field_that_sounds_like_a_secret_must_be_named_as_one(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        declare(**COMPLETE, fields={field: str})
    secrets = {"secrets": {field: Secret.WHOLE}, "belongs_to": ("host",)}
    named = declare(**COMPLETE | secrets, fields={field: str, "host": str})
    assert named.model_validate({"type": "pigeon", "host": "north", field: "hunter2"}).redacted()[field] == "***"


@pytest.mark.parametrize("parts", [{"secrets": {"colour": Secret.WHOLE}}, {"belongs_to": ("colour",)}])
def test_a_secret_that_is_no_field_is_a_mistake(parts: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="colour"):
        declare(**COMPLETE | parts)


def test_a_type_with_a_password_must_say_where_it_is_sent() -> None:
    with pytest.raises(TypeError, match="belongs_to"):
        declare(**COMPLETE | WITH_PASSWORD)
    kind = declare(**COMPLETE | WITH_PASSWORD, belongs_to=("host",))
    stored = kind.model_validate({"type": "pigeon", "host": "north", "password": "hunter2"})
    elsewhere = kind.model_validate({"type": "pigeon", "host": "evil", "password": "***"})
    assert elsewhere.with_secrets_of(stored).hides_a_secret
    assert "hunter2" not in repr(stored)


def test_a_secret_inside_of_a_nested_document_cannot_be_hidden_and_is_refused() -> None:
    class Login(BaseModel):
        password: str

    with pytest.raises(TypeError, match=r"inner\.password"):
        declare(**COMPLETE, fields={"inner": Login})


def test_a_password_in_a_url_is_hidden_even_where_nobody_expects_one() -> None:
    kind = declare(**COMPLETE, fields={"note": str})
    assert kind.model_validate({"type": "pigeon", "note": "see http://me:hunter2@host"}).redacted()["note"] == (
        "see http://***@host"
    )


def test_cameras_come_first_and_every_type_is_there() -> None:
    assert list(SOURCES) == ["rtsp", "simulator", "kafka", "file"]


@pytest.mark.parametrize("kind", source_types(), ids=lambda kind: kind["type"])
def test_every_field_has_what_a_form_needs(kind: dict[str, Any]) -> None:
    assert kind["title"]
    assert kind["description"]
    schema = kind["schema"]
    required = set(schema.get("required", ()))
    for name, field in {**schema["properties"], **schema.get("$defs", {})}.items():
        if name == "type" or "properties" in field or "$ref" in field:
            continue
        assert field["title"], name
        assert name not in required or field["x-needed"], f"{name} can be left empty, and nobody says so"
        assert set(field.get("x-labels", ())) <= set(field.get("enum", ())), name


def test_the_bounds_of_the_scene_are_those_of_the_simulator() -> None:
    scene = SOURCES["simulator"].model_json_schema()["$defs"]["SceneDefinition"]["properties"]
    assert (scene["seconds"]["minimum"], scene["seconds"]["maximum"]) == (0.1, 600)
    assert scene["width"]["multipleOf"] == 2


PIGEON = '''
"""Carrier pigeons."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.sources.file import FileSource
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import form
from serve.definitions.secretive import Secret


class PigeonDefinition(SourceDefinition):
    """A pigeon with a memory card."""

    title: ClassVar = "Carrier pigeon"
    live: ClassVar = True
    secrets: ClassVar = {"token": Secret.WHOLE}
    belongs_to: ClassVar = ("loft",)
    type: Literal["pigeon"]
    loft: str = Field(title="Loft", json_schema_extra=form(needed="A loft is needed."))
    token: str = Field(title="Ring", json_schema_extra={**form(needed="Its ring is needed."), "writeOnly": True})

    def opener(self, stream, limits):
        return lambda: FileSource(self.loft)

    @property
    def origin(self):
        return f"pigeon {self.loft}"
'''


def test_a_new_source_type_is_one_module_here_and_everybody_knows_it(tmp_path: Path) -> None:
    """The registry takes it, the API documents it, the page has its form, and its secret is hidden."""
    (tmp_path / "pigeon.py").write_text(PIGEON)
    program = f"""
import serve.definitions
serve.definitions.__path__.append({str(tmp_path)!r})
from serve.api.document import document
from serve.definitions.secretive import Secret
from serve.definitions.catalogue import source_types
from serve.definitions.stream import StreamDefinition, completed
sent = StreamDefinition.model_validate({{"source": {{"type": "pigeon", "loft": "north", "token": "hunter2"}}}})
assert completed(sent, None, 0.0).source.origin == "pigeon north"
assert "hunter2" not in str(sent.redacted())
assert "pigeon" in [kind["type"] for kind in source_types()]
class CourierDefinition(type(sent.source)):
    title = "Courier"
    live = True
    secrets = {{"token": Secret.WHOLE}}
    belongs_to = ("loft",)
from serve.definitions.catalogue import _below, SourceDefinition
assert CourierDefinition in list(_below(SourceDefinition))
schemas = document()["components"]["schemas"]
assert "PigeonDefinition" in schemas
assert "PigeonDefinition" in str(schemas["StreamBody"]) and "PigeonDefinition" in str(schemas["ProbeBody"])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


ROOT = Path(__file__).parents[3]
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "multipleOf")


def bounds_of(schema: Any, path: str = "") -> dict[str, Any]:
    """Every bound in a JSON Schema, by where it stands."""
    found = {}
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key in BOUNDS:
            found[f"{path}/{key}"] = value
        elif isinstance(value, dict | list):
            found |= bounds_of(value, f"{path}/{key}")
    return found


def test_the_forms_of_the_pages_tests_have_the_bounds_of_the_service() -> None:
    """The page makes its forms of what the service says; its own tests must not be made of something else."""
    tested = json.loads((ROOT / "tests" / "web" / "source-types.json").read_text())
    served = {kind["type"]: bounds_of(kind["schema"]) for kind in source_types()}
    for kind in tested:
        for where, bound in bounds_of(kind["schema"]).items():
            assert served[kind["type"]][where] == bound, f"{kind['type']}{where}"


def test_scenes_have_the_simulators_own_bounds() -> None:
    (simulator,) = (kind["schema"] for kind in source_types() if kind["type"] == "simulator")
    for name, field in simulator["$defs"]["SceneDefinition"]["properties"].items():
        assert (field["minimum"], field["maximum"]) == SCENE_BOUNDS[name], name


def _rate(model: type[BaseModel]) -> dict[str, Any]:
    rate: dict[str, Any] = TypeAdapter(model.model_fields["analysis_fps"].annotation).json_schema()["anyOf"][0]
    return rate


def test_definition_api_and_page_agree_about_the_rate_of_analysis() -> None:
    asked, changed, page = (
        _rate(StreamBody),
        _rate(StreamChanges),
        (ROOT / "serve" / "web" / "static" / "views" / "register.js").read_text(),
    )
    least, most = asked["minimum"], asked["maximum"]
    assert (changed["minimum"], changed["maximum"]) == (least, most)
    assert f'#fps = el("input", {{ type: "number", min: "{least:g}", max: "{most:g}"' in page
    assert f"Between {least:g} and {most:g}, or empty." in page
