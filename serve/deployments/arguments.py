"""What a replica is given of the settings, and what it makes of that together with its own environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from serve.deployments.reads import READS
from serve.settings import Settings, checked

PATHS = {"data_dir": None, "sources": {"file_dirs": None}, "security": {"key_file": None}}
"""Settings that are handed on as they are where the application is built: they would be others in another folder."""


def arguments_for(deployment: str, settings: Settings, named: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Plain JSON for the replicas of a deployment; they read no more than that.

    Args:
        deployment: its name.
        settings: of the whole application.
        named: the arguments of a Serve config, which win over a replica's environment; what the environment of the
            builder has made of the rest is what replicas take where their own says nothing. None: everything wins.
    """
    document = settings.to_arguments(*READS[deployment])
    if named is None:
        return {"named": document, "found": {}}
    kept, rest = _split(document, named)
    paths, rest = _split(rest, PATHS)
    return {"named": _joined(kept, paths), "found": rest}


def settings_from(arguments: Mapping[str, Any]) -> Settings:
    """The reverse, in a replica: what is named, then its own environment, then what the builder's had.

    Raises:
        SettingsError: a field is unknown or out of bounds.
    """

    class OverFound(Settings):
        found: ClassVar[dict[str, Any]] = dict(arguments["found"])

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            above = super().settings_customise_sources(settings_cls, *sources, **named)
            return (*above, InitSettingsSource(settings_cls, init_kwargs=cls.found))

    return Settings.of(checked(OverFound, dict(arguments["named"])).to_arguments())


def _split(document: Mapping[str, Any], by: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of a document another one names, and the rest."""
    kept: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and isinstance(by.get(name), Mapping):
            parts = _split(value, by[name])
            kept[name], rest[name] = parts
        else:
            (kept if name in by else rest)[name] = value
    return kept, rest


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(one)
    for name, value in other.items():
        joined[name] = _joined(joined[name], value) if isinstance(joined.get(name), dict) else value
    return joined
