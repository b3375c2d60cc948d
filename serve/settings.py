"""Every setting of the service: one frozen object, from environment variables and a YAML file.

``FOOTFALL_API__PORT=8080`` and ``api: {port: 8080}`` say the same. The environment wins over the file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource
from pydantic_settings import SettingsError as SettingsSourceError

from analytics.geometry import COOL_DOWN_S, HOLD_S, MOST_PEOPLE, PeopleLimit
from pipelines.sources.base import SourceLimits
from pipelines.sources.reach import LOCAL_NETWORKS, Reach, check_network
from serve.errors import SettingsError

Placement = Literal["auto", "inline", "replicas"]
SEVERAL = "more than one node needs PostgreSQL (database_url)"
DATABASE = "footfall.db"
"""In the data directory, unless a URL says otherwise."""
_SECTION = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(BaseModel):
    """Where the REST API and the page listen."""

    model_config = _SECTION
    host: str = Field("127.0.0.1", description="Address to bind; anything but loopback needs a token.")
    port: int = Field(8000, ge=1, le=65535, description="TCP port.")
    token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Bearer token of scope admin, beside those of `footfall tokens`; make it long and random.",
    )

    wrong_tokens_per_minute: int = Field(
        10, ge=1, le=1_000_000, description="Wrong tokens that one address may offer before it is told to wait."
    )

    @field_validator("token")
    @classmethod
    def _can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        """A header carries ASCII, without white space at its ends; what is blank is no secret either."""
        if token is not None and not re.fullmatch(r"[!-~]([ -~]*[!-~])?", token.get_secret_value()):
            raise ValueError("a token is made of ASCII characters, with no blank at either end")
        return token


def _check_most(replicas: int, most: int | None) -> None:
    if most is not None and most < replicas:
        raise ValueError(f"max_replicas is {most}, and replicas, the least of them, {replicas}")


class DetectorSettings(BaseModel):
    """What finds people, and where it runs."""

    model_config = _SECTION
    model: str = Field("nanodet-g", description="Name from `footfall models list`, or path of an ONNX file.")
    score_threshold: float = Field(
        0.1,
        ge=0.01,
        le=1,
        description="Boxes with a lower score are dropped. Whatever stands here, trackers begin a track at 0.55 and go "
        "on with it down to 0.3.",
    )
    overlap_threshold: float = Field(
        0.5, ge=0, le=1, description="Boxes that overlap by more (intersection over union) are one person."
    )
    placement: Placement = Field(
        "auto",
        description="inline: inside each reader; replicas: deployments of their own; auto: replicas where a GPU is.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Batches computed at once, inline; 0: one per core of the reader's. Each takes its memory at the "
        "start, some 75 MB with nanodet-g.",
    )
    max_batch: Annotated[int, Field(ge=1, le=16, description="Largest batch, frames.")] = 8
    max_wait_s: float = Field(
        0.0, ge=0, le=1, description="How long an idle detector waits for a fuller batch, seconds."
    )
    timeout_s: float = Field(
        10.0, ge=0.5, le=600, description="How long to wait for a batch's answer, seconds; its frames are tried again."
    )
    replicas: int = Field(1, ge=1, le=1000, description="Detector replicas, where they are not inline; the least.")
    max_replicas: int | None = Field(
        None, ge=1, le=1000, description="Up to so many, by the frames that wait; none: it stays at `replicas`."
    )
    cpus: float = Field(1.0, ge=0, le=256, description="CPUs that Ray reserves per detector replica.")
    gpus: float | None = Field(
        None, ge=0, le=8, description="GPUs per detector replica, may be a share; none: one where the cluster has any."
    )

    @model_validator(mode="after")
    def _can_scale(self) -> DetectorSettings:
        _check_most(self.replicas, self.max_replicas)
        return self


class ReaderSettings(BaseModel):
    """The replicas that hold the cameras."""

    model_config = _SECTION
    replicas: int = Field(1, ge=1, le=1000, description="Reader replicas; the least.")
    max_replicas: int | None = Field(
        None, ge=1, le=1000, description="Up to so many, by what all streams weigh; none: it stays at `replicas`."
    )
    capacity: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="CPU cores that one reader takes streams for; none: with `max_replicas`, its `cpus`; else its "
        "share of its node's, among readers.",
    )
    min_fps: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Analysed frames a second that a reader must have for each stream that it is given; those that it "
        "has already are not stopped when they grow.",
    )
    cpus: float = Field(1.0, ge=0, le=256, description="CPUs that Ray reserves per reader replica.")
    checkpoint_s: float = Field(2.0, ge=0.2, le=60, description="Interval between checkpoints, seconds.")
    open_timeout_s: float = Field(8.0, gt=0, le=120, description="Limit for connecting to a source, seconds.")
    read_timeout_s: float = Field(5.0, gt=0, le=120, description="Limit for the next packet of a source, seconds.")
    stall_timeout_s: float = Field(10.0, gt=0, le=600, description="Limit for the next picture of a source, seconds.")
    heartbeat_timeout_s: float = Field(
        5.0, ge=1, le=120, description="Silence after which a reader counts as frozen, while others are heard, seconds."
    )
    spool_bytes: int = Field(64 << 20, ge=1 << 20, description="Disk for one stream's rows while the database is away.")

    @model_validator(mode="after")
    def _can_scale(self) -> ReaderSettings:
        _check_most(self.replicas, self.max_replicas)
        if self.max_replicas is not None and self.capacity is None and self.cpus <= 0:
            raise ValueError("what a reader takes is unknown: set capacity or cpus beside max_replicas")
        return self


class SourcesSettings(BaseModel):
    """What registered streams may open."""

    model_config = _SECTION
    file_dirs: tuple[Path, ...] = Field(
        (), description="Folders of recordings that streams may read; none: no stream reads files."
    )
    networks: tuple[str, ...] = Field(
        LOCAL_NETWORKS,
        description="Where cameras and brokers may be: networks, names of hosts, suffixes such as .lan; "
        "link-local addresses never.",
    )

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_network(text) for text in networks)

    @property
    def reach(self) -> Reach:
        """The same for sources."""
        return Reach(tuple(folder.expanduser().absolute() for folder in self.file_dirs), self.networks)


class PrivacySettings(BaseModel):
    """What leaves a reader as pictures."""

    model_config = _SECTION
    blur_people: bool = Field(True, description="Pixelate people that are found, in snapshots and live pictures.")
    except_streams: tuple[str, ...] = Field(
        (), description="Ids of streams whose people may be shown all the same, whatever is there."
    )

    def blurs(self, stream: str) -> bool:
        """Whether people of a stream are pixelated."""
        return self.blur_people and stream not in self.except_streams


class SecuritySettings(BaseModel):
    """How secrets are kept."""

    model_config = _SECTION
    key_file: Path | None = Field(
        None,
        description="Key that camera passwords are encrypted with in the database; none: credentials.key in the data "
        "directory. Nodes of one cluster need the same.",
    )


class SiteLimit(BaseModel):
    """So many people in the zones of a site's cameras that it is told."""

    model_config = _SECTION
    people: int = Field(ge=1, le=MOST_PEOPLE, description="So many, or more, and the limit is reached.")
    clear: int | None = Field(None, ge=0, description="So few, or fewer, and it is not; none: one less than people.")
    hold_s: float = Field(HOLD_S, ge=0, le=3600, description="Either has to be so for as long before it is told.")
    cool_down_s: float = Field(COOL_DOWN_S, ge=0, le=86_400, description="From telling that it is to telling it again.")

    @model_validator(mode="after")
    def _clears_below(self) -> SiteLimit:
        if self.clear is not None and self.clear >= self.people:
            raise ValueError(f"clear is {self.clear}, and has to be below people, {self.people}")
        return self

    @property
    def limit(self) -> PeopleLimit:
        """The same for those who count."""
        clear = self.people - 1 if self.clear is None else self.clear
        return PeopleLimit(self.people, clear, self.hold_s, self.cool_down_s)


class EventsSettings(BaseModel):
    """What is told to others as it happens."""

    model_config = _SECTION
    keep_days: float = Field(
        7.0, ge=0.01, le=3650, description="How long events are kept, so that who was away can ask for them, days."
    )
    keep_most: int = Field(1_000_000, ge=1000, le=1_000_000_000, description="Events that are kept at most.")
    networks: tuple[str, ...] = Field(
        LOCAL_NETWORKS,
        description="Where events may be sent: networks, names of hosts, suffixes such as .lan; link-local addresses "
        "never.",
    )
    deliverers: int = Field(
        1, ge=1, le=16, description="Who brings events to sinks; of two, one takes over at once when the other dies."
    )
    sinks: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Sinks by id, as `PUT /api/v1/sinks/ID` takes them; they cannot be changed over the API.",
    )

    sites: dict[str, SiteLimit] = Field(
        default_factory=dict,
        description="Limits of sites, by name: `people`, and, as for a zone, `clear`, `hold_s`, `cool_down_s`.",
    )

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_network(text) for text in networks)

    @property
    def reach(self) -> Reach:
        """The same for sinks."""
        return Reach((), self.networks, setting="events.networks")

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Sinks hold secrets."""
        return ((name, sorted(self.sinks) if name == "sinks" else value) for name, value in super().__repr_args__())


class RaySettings(BaseModel):
    """The Ray cluster under the service."""

    model_config = _SECTION
    address: str | None = Field(None, description="Address of a running cluster; none starts one on this machine.")
    dashboard: bool = Field(True, description="Start Ray's dashboard (only for a cluster that we start).")
    dashboard_port: int = Field(8265, ge=1, le=65535, description="Port of Ray's dashboard, on loopback.")
    num_cpus: int | None = Field(None, ge=1, description="CPUs that Ray may plan with; none: all there are.")
    object_store_bytes: int = Field(512 << 20, ge=80 << 20, description="Ray's shared memory.")


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
