"""The sections of the settings: what can be said of each part of the service."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from analytics.alerts.opening_hours import OpeningHours
from analytics.alerts.rules import RULES, changed
from analytics.geometry import COOL_DOWN_S, HOLD_S, MOST_PEOPLE, PeopleLimit
from pipelines.errors import FootfallError
from pipelines.sources.reach import LOCAL_NETWORKS, Reach, check_network

Placement = Literal["auto", "inline", "replicas"]
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
    metrics: bool = Field(
        False,
        description="Tell Ray's metrics what /metrics tells, but for single streams, and have a cluster that we start "
        "collect them: its dashboard shows them. Ray's metrics ports answer everybody who reaches them, on all "
        "interfaces.",
    )


class MonitoringSettings(BaseModel):
    """What is watched besides counts, and what people are told of."""

    model_config = _SECTION
    drift: bool = Field(True, description="Watch whether pictures, detector and people are as usual.")
    timezone: str = Field(
        "UTC",
        description="Time zone of sites that have no opening hours, such as Europe/Berlin: what is usual is "
        "learnt by hour of the week there.",
    )
    sites: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Opening hours of sites, by name: `timezone`, `week` (spans by weekday, such as "
        '`{monday: [["09:00", "18:30"]]}`; a day that is left out is closed) and `exceptions` (spans by date). A site '
        "that is not named is always open.",
    )
    alerts: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Changes of alert rules, by name of the rule: `enabled`, `severity`, `hold_s`, `clear_s`, "
        "`cooldown_s`, `only_open`. What the API changes of a rule stands above it.",
    )
    nobody_s: float = Field(
        4 * 3600.0, ge=60, le=30 * 86_400, description="Nobody seen for so long in opening hours is told, seconds."
    )
    oldest_work_s: float = Field(
        10.0, ge=1, le=3600, description="A live picture that is analysed so late, or later, is told, seconds."
    )
    least_disk_share: float = Field(0.05, ge=0, le=0.9, description="Free share of a disk below which it is told.")
    traces: str | None = Field(
        None,
        max_length=2000,
        description="Collector of OpenTelemetry that the way of some frames is sent to, from capture to row, by OTLP "
        "over HTTP, such as http://127.0.0.1:4318/v1/traces; needs the extra `traces`. None: nobody is told.",
    )
    traced_one_in: int = Field(1000, ge=1, le=1_000_000, description="Of so many frames of a stream, one is followed.")
    history_days: float = Field(90.0, ge=1, le=3650, description="How long alerts that are over are kept, days.")
    hard_frames: bool = Field(
        False,
        description="Keep pictures in which the detector is unsure, in the data directory of the node that reads the "
        "camera, for people to label; people are pixelated as `privacy` says.",
    )
    hard_frames_most: int = Field(200, ge=1, le=100_000, description="Such pictures that are kept of each stream.")
    hard_frames_days: float = Field(14.0, ge=0.01, le=3650, description="How long such a picture is kept, days.")
    pictures: bool = Field(
        False,
        description="Store two small pictures of each camera that is watched for drift in the database, and show them: "
        "how it looked when its reference was made, and when it was found moved, covered, blurred or dark; people are "
        "pixelated as `privacy` says. Off, none are stored, and those that were are removed at the next start.",
    )

    @field_validator("traces")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", url):
            raise ValueError("the collector must look like http://HOST:PORT/v1/traces, without a user")
        return url

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            OpeningHours.from_document({"timezone": name, "week": {}})
        except FootfallError as error:
            raise ValueError(str(error)) from None
        return name

    @field_validator("sites")
    @classmethod
    def _are_hours(cls, sites: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, document in sites.items():
            try:
                OpeningHours.from_document(document)
            except FootfallError as error:
                raise ValueError(f"{name}: {error}") from None
        return sites

    @field_validator("alerts")
    @classmethod
    def _are_rules(cls, alerts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            changed(RULES, alerts)
        except FootfallError as error:
            raise ValueError(str(error)) from None
        return alerts

    @property
    def keeps_pictures(self) -> bool:
        """Whether there is anybody who takes pictures of views."""
        return self.drift and self.pictures

    def hours_of(self, site: str) -> OpeningHours:
        """When a site is open."""
        return OpeningHours.from_document(self.sites.get(site))

    def zone_of(self, site: str) -> tzinfo:
        """Whose clock hangs on the wall of a site."""
        return ZoneInfo(self.sites[site]["timezone"] if site in self.sites else self.timezone)
