"""Every setting of the service: one frozen object, from environment variables and a YAML file.

``FOOTFALL_API__PORT=8080`` and ``api: {port: 8080}`` say the same. The environment wins over the file.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource
from pydantic_settings import SettingsError as SettingsSourceError

from pipelines.sources.base import SourceLimits
from serve.errors import SettingsError
from serve.sections import (
    ApiSettings,
    DetectorSettings,
    EventsSettings,
    MonitoringSettings,
    PrivacySettings,
    RaySettings,
    ReaderSettings,
    SecuritySettings,
    SourcesSettings,
)

SEVERAL = "more than one node needs PostgreSQL (database_url)"
DATABASE = "footfall.db"
"""In the data directory, unless a URL says otherwise."""


class Settings(BaseSettings):
    """All settings. Unknown names are refused, so that a typing error is seen at once."""

    model_config = SettingsConfigDict(
        env_prefix="FOOTFALL_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
    )
    data_dir: Path = Field(Path("footfall-data"), description="Database, spool and logs; relative to where you start.")
    database_url: SecretStr | None = Field(
        None, description="postgresql://USER:PASSWORD@HOST/NAME or sqlite:///PATH; none: SQLite in the data directory."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe message logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or plain text.")
    api: ApiSettings = ApiSettings()
    detector: DetectorSettings = DetectorSettings()
    reader: ReaderSettings = ReaderSettings()
    sources: SourcesSettings = SourcesSettings()
    privacy: PrivacySettings = PrivacySettings()
    events: EventsSettings = EventsSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    security: SecuritySettings = SecuritySettings()
    ray: RaySettings = RaySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit arguments, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        file = settings_cls.model_config.get("yaml_file")
        layers: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        return (*layers, YamlConfigSettingsSource(settings_cls, file)) if file else layers

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, url: SecretStr | None) -> SecretStr | None:
        kind = url.get_secret_value().partition(":")[0].partition("+")[0] if url is not None else "sqlite"
        if kind not in ("sqlite", "postgresql"):
            raise ValueError("only sqlite:///PATH and postgresql://USER@HOST/NAME are known")  # without what it says
        return url

    @model_validator(mode="after")
    def _token_beyond_loopback(self) -> Settings:
        if self.api.token is None and not is_loopback(self.api.host):
            raise ValueError(f"api.host {self.api.host} is reachable from outside: set api.token (FOOTFALL_API__TOKEN)")
        return self

    @property
    def one_machine(self) -> bool:
        """Whether the database is a file, which only processes of one machine can share."""
        return self.store_url.startswith("sqlite")

    @property
    def store_url(self) -> str:
        """URL of the database, with its password: for the store alone."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.expanduser().absolute() / DATABASE}"

    @property
    def source_limits(self) -> SourceLimits:
        """How long sources wait, and what they may open."""
        reader = self.reader
        return SourceLimits(reader.open_timeout_s, reader.read_timeout_s, reader.stall_timeout_s, self.sources.reach)

    @property
    def key_file(self) -> Path:
        """Where the key of credentials is."""
        return (self.security.key_file or self.data_dir / "credentials.key").expanduser().absolute()

    @property
    def spool_dir(self) -> Path:
        return self.data_dir.expanduser().absolute() / "spool"

    @property
    def hard_frames_dir(self) -> Path:
        """Where pictures wait in which the detector was unsure."""
        return self.data_dir.expanduser().absolute() / "hard-frames"

    def to_arguments(self, *fields: str) -> dict[str, Any]:
        """As plain JSON with its secrets, to be handed to replicas; `Settings.of` is the reverse.

        What nobody has set is left out, so that a replica's own environment can set it; but for the data directory,
        which would be another in another working directory.

        Args:
            fields: what a replica reads, such as ``api`` or ``reader.checkpoint_s``; none takes everything. Replicas
                are given no more than they read.
        """
        document = self.model_dump(mode="json", exclude_unset=True)
        document["data_dir"] = str(self.data_dir.expanduser().absolute())
        if self.sources.file_dirs:
            document["sources"]["file_dirs"] = [str(one.expanduser().absolute()) for one in self.sources.file_dirs]
        if self.security.key_file is not None:
            document["security"]["key_file"] = str(self.key_file)
        if self.database_url is not None:
            document["database_url"] = self.database_url.get_secret_value()
        if self.api.token is not None:
            document["api"]["token"] = self.api.token.get_secret_value()
        if not fields:
            return document
        chosen: dict[str, Any] = {}
        for section, _, field in (name.partition(".") for name in fields):
            if section not in document:
                continue
            if not field:
                chosen[section] = document[section]
            elif field in document[section]:
                chosen.setdefault(section, {})[field] = document[section][field]
        return chosen

    @staticmethod
    def of(document: dict[str, Any]) -> Settings:
        """From plain JSON, such as the ``args`` of a Serve config; the environment still wins for what is not named.

        Raises:
            SettingsError: a field is unknown or out of bounds.
        """
        return checked(Settings, document)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from a file, the environment and explicit values (which win).

    Raises:
        SettingsError: the file cannot be read, or a field is unknown or out of bounds.
    """
    if file is None:
        return checked(Settings, overrides)
    if not file.is_file():
        raise SettingsError(f"settings file {file} {'is no file' if file.exists() else 'does not exist'}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=file)

    loaded = checked(FromFile, overrides)
    return Settings.of(loaded.to_arguments())


def described(error: ValidationError) -> str:
    """Which fields are wrong, and what about them, in one line."""
    problems = (
        f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors()
    )
    return "; ".join(problems)


def checked(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Settings of a kind. Raises SettingsError for what cannot be read, is unknown or out of bounds."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise SettingsError(described(error)) from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" near line {where.line + 1}" if where else ""
        raise SettingsError(f"the settings file is no YAML{line}") from error
    except SettingsSourceError as error:
        raise SettingsError(f"the environment: {error}; lists and sections are written as JSON") from error
    except RecursionError:
        raise SettingsError("the settings file is nested too deeply") from None
    except UnicodeDecodeError:
        raise SettingsError("the settings file is no text") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise SettingsError("the settings file holds no names with values") from error
