"""Simulated people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from pipelines.simulator.settings import BOUNDS, SceneSettings
from pipelines.sources.base import Source, SourceLimits
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import STRICT, Whole, form


def _bounded(name: str, title: str, *, advanced: bool = True, **extras: Any) -> Any:
    """A field of the scene, with the simulator's own bounds and default."""
    least, most = BOUNDS[name]
    default = getattr(SceneSettings(), name)
    return Field(default, ge=least, le=most, title=title, json_schema_extra=form(advanced=advanced), **extras)


class SceneDefinition(BaseModel):
    """A scene; the same settings show the same people."""

    model_config = STRICT
    people: Whole = _bounded("people", "People at a time", advanced=False)
    seed: Whole = _bounded("seed", "Seed", advanced=False, description="The same seed shows the same people.")
    width: Whole = _bounded("width", "Width (pixels)", multiple_of=2)
    height: Whole = _bounded("height", "Height (pixels)", multiple_of=2)
    fps: float = _bounded("fps", "Frames a second")
    seconds: float = _bounded("seconds", "Seconds until it repeats")
    overlap: float = _bounded("overlap", "Largest hidden share of a person")

    @model_validator(mode="after")
    def _possible(self) -> SceneDefinition:
        self.settings()
        return self

    def settings(self) -> SceneSettings:
        return SceneSettings(**self.model_dump())


class SimulatorDefinition(SourceDefinition):
    """Simulated people, rendered in the reader."""

    title: ClassVar = "Simulator"
    live: ClassVar = True
    secrets: ClassVar = {}

    type: Literal["simulator"]
    scene: SceneDefinition = SceneDefinition()

    def opener(self, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        del stream, limits
        # Whoever only registers streams need not load the renderer.
        from pipelines.sources.simulator import SimulatorSource

        return lambda: SimulatorSource(self.scene.settings())

    @property
    def origin(self) -> str:
        return f"simulator {self.scene.settings()}"
