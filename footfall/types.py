"""Documents of the REST API; made by `make docs` from docs/openapi.json, do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class AlertAnswer(TypedDict):
    id: str
    rule: str
    about: str
    severity: Literal["info", "warning", "critical"]
    summary: str
    detail: str
    advice: str
    state: str
    since: str
    raised: str | None
    cleared: str | None
    acknowledged_by: str | None
    acknowledged: str | None
    silenced: bool


class AlertRuleAnswer(TypedDict):
    name: str
    severity: Literal["info", "warning", "critical"]
    summary: str
    advice: str
    hold_s: float
    clear_s: float
    cooldown_s: float
    only_open: bool
    enabled: bool
    origins: dict[str, Literal["default", "settings", "api"]]


class AlertRuleBody(TypedDict):
    enabled: NotRequired[bool | None]
    severity: NotRequired[Literal["info", "warning", "critical"] | None]
    hold_s: NotRequired[float | None]
    clear_s: NotRequired[float | None]
    cooldown_s: NotRequired[float | None]
    only_open: NotRequired[bool | None]


class AlertmanagerTarget(TypedDict):
    type: Literal["alertmanager"]
    url: str
    authorization: NotRequired[str | None]


class AuditEntry(TypedDict):
    number: int
    time: str
    caller: str
    action: str
    method: str
    path: str
    status: int
    subject: str | None


class EventAnswer(TypedDict):
    specversion: str
    id: str
    source: str
    type: str
    subject: NotRequired[str | None]
    time: str
    datacontenttype: str
    data: dict[str, Any]
    stream: str
    site: NotRequired[str | None]
    epoch: int
    model: NotRequired[str | None]
    sequence: str


class FileDefinition(TypedDict):
    type: Literal["file"]
    path: str
    realtime: NotRequired[bool]
    start_s: NotRequired[float | None]


class HeatmapScale(TypedDict):
    clip: float
    top: float
    highest: float


class KafkaDefinition(TypedDict):
    type: Literal["kafka"]
    brokers: str
    topic: str
    key: NotRequired[str | None]
    start: NotRequired[Literal["latest", "earliest"]]
    username: NotRequired[str | None]
    password: NotRequired[str | None]
    mechanism: NotRequired[Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]]
    tls: NotRequired[bool]


class KafkaTarget(TypedDict):
    type: Literal["kafka"]
    brokers: str
    topic: str
    username: NotRequired[str | None]
    password: NotRequired[str | None]
    mechanism: NotRequired[Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]]
    tls: NotRequired[bool]


class LineBody(TypedDict):
    id: str
    name: NotRequired[str]
    a: list[float]
    b: list[float]
    in_name: NotRequired[str]
    out_name: NotRequired[str]


LineCount = TypedDict(
    "LineCount",
    {
        "in": int,
        "out": int,
    },
)


class MomentAnswer(TypedDict):
    start: str
    values: dict[str, float]


class MqttTarget(TypedDict):
    type: Literal["mqtt"]
    host: str
    port: NotRequired[int]
    tls: NotRequired[bool]
    username: NotRequired[str | None]
    password: NotRequired[str | None]
    version: NotRequired[Literal["5", "3.1.1"]]
    prefix: NotRequired[str]
    home_assistant: NotRequired[bool]
    discovery_prefix: NotRequired[str]
    timezone: NotRequired[str]


class PastAlertAnswer(TypedDict):
    id: str
    rule: str
    about: str
    severity: str
    summary: str
    detail: str
    advice: str
    since: str
    raised: str
    cleared: str | None
    acknowledged_by: str | None
    acknowledged: str | None


class PeopleCount(TypedDict):
    mean: float | None
    peak: int
    person_seconds: float


class PeopleLimitBody(TypedDict):
    people: int
    clear: NotRequired[int | None]
    hold_s: NotRequired[float]
    cool_down_s: NotRequired[float]


class ProbeAnswer(TypedDict):
    ok: bool
    codec: str | None
    width: int | None
    height: int | None
    measured_fps: float | None
    declared_fps: float | None
    snapshot: str | None
    error: NotRequired[str | None]
    error_code: NotRequired[str | None]


class ReaderAnswer(TypedDict):
    name: str
    node: str
    capacity: float
    wanted: float
    streams: int
    leaving: bool


class Readiness(TypedDict):
    status: Literal["ready", "not ready"]
    problems: list[str]


class RtspDefinition(TypedDict):
    type: Literal["rtsp"]
    url: str
    transport: NotRequired[Literal["tcp", "udp"]]
    verify_tls: NotRequired[bool]


class SceneDefinition(TypedDict):
    people: NotRequired[int]
    seed: NotRequired[int]
    width: NotRequired[int]
    height: NotRequired[int]
    fps: NotRequired[float]
    seconds: NotRequired[float]
    overlap: NotRequired[float]


SilenceAnswer = TypedDict(
    "SilenceAnswer",
    {
        "id": str,
        "rule": str | None,
        "about": str | None,
        "from": str,
        "until": str,
        "by": str,
        "reason": str,
    },
)


SilenceBody = TypedDict(
    "SilenceBody",
    {
        "until": str,
        "reason": str,
        "rule": NotRequired[str | None],
        "about": NotRequired[str | None],
        "from": NotRequired[str | None],
    },
)


class SimulatorDefinition(TypedDict):
    type: Literal["simulator"]
    scene: NotRequired[SceneDefinition]


class SinkAnswer(TypedDict):
    id: str
    name: str
    enabled: bool
    types: list[str]
    streams: list[str]
    sites: list[str]
    target: dict[str, Any]
    place: str
    by_settings: bool
    deliverer: str | None
    after: int
    waiting: int
    lag_s: float
    delivered: int
    delivered_at: str | None
    error: str | None
    error_at: str | None
    missed: int
    dead_letters: int


class SinkType(TypedDict):
    type: str
    title: str
    description: str
    schema: dict[str, Any]


class SourceType(TypedDict):
    type: str
    title: str
    description: str
    live: bool
    schema: dict[str, Any]


class StreamThroughput(TypedDict):
    id: str
    site: str
    state: Literal["starting", "running", "reconnecting", "stopped", "failed"]
    since: str
    error_code: str | None
    fps_in: float
    fps_processed: float
    frame_age_s: float | None
    skipped: int
    weight: float | None
    reader: str | None


class Throughput(TypedDict):
    states: dict[str, int]
    fps_in: float
    fps_processed: float
    oldest_frame_s: float | None
    readers: int
    capacity: float
    wanted: float
    store_error: str | None
    spooled: int
    streams: list[StreamThroughput]


class TokenAnswer(TypedDict):
    name: str
    scope: Literal["viewer", "operator", "admin"]
    created: str
    expires: str | None


class TokenBody(TypedDict):
    name: str
    scope: Literal["viewer", "operator", "admin"]
    lifetime_s: NotRequired[float | None]


class VerdictAnswer(TypedDict):
    cause: str
    detail: str
    since: str


class ViewPictureAnswer(TypedDict):
    kind: Literal["before", "after"]
    captured: str
    version: int
    blurred: bool


class ViewPicturesAnswer(TypedDict):
    allowed: bool
    pictures: list[ViewPictureAnswer]


class WebhookTarget(TypedDict):
    type: Literal["webhook"]
    url: str
    secret: NotRequired[str | None]
    authorization: NotRequired[str | None]
    at_once: NotRequired[int]


class ZoneCount(TypedDict):
    mean: float | None
    peak: int
    person_seconds: float
    entries: int
    exits: int
    dwells: int
    dwell_p50_s: float | None
    dwell_p90_s: float | None


class ZoneLimitsBody(TypedDict):
    dwell_s: NotRequired[float | None]
    queue: NotRequired[PeopleLimitBody | None]
    occupancy: NotRequired[PeopleLimitBody | None]


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: NotRequired[list[dict[str, str]] | None]


class CountsBucket(TypedDict):
    start: str
    end: str
    coverage: float
    analysed_fps: float | None
    people: PeopleCount
    lines: dict[str, LineCount]
    zones: dict[str, ZoneCount]


class DeadLetterAnswer(TypedDict):
    number: int
    at: str
    error: str
    event: EventAnswer


class DriftAnswer(TypedDict):
    id: str
    site: str
    version: int
    verdicts: list[VerdictAnswer]
    judges_pictures: bool
    judges_people: bool
    proposes_renewal: bool
    features: dict[str, float]


class HeatmapAnswer(TypedDict):
    stream: str
    start: str
    end: str
    measure: Literal["dwell", "visits"]
    unit: Literal["person-seconds", "visits"]
    shape: list[int]
    coverage: float
    covered_s: float
    scale: HeatmapScale
    total: float
    grid: list[list[float]]


class NewToken(TypedDict):
    name: str
    scope: Literal["viewer", "operator", "admin"]
    created: str
    expires: str | None
    token: str


class ProbeBody(TypedDict):
    source: RtspDefinition | SimulatorDefinition | KafkaDefinition | FileDefinition
    seconds: NotRequired[float]


class SinkBody(TypedDict):
    name: NotRequired[str]
    enabled: NotRequired[bool]
    types: NotRequired[
        list[
            Literal[
                "footfall.crossing.v1",
                "footfall.zone-entry.v1",
                "footfall.zone-exit.v1",
                "footfall.dwell-exceeded.v1",
                "footfall.queue.v1",
                "footfall.occupancy.v1",
                "footfall.site-occupancy.v1",
                "footfall.stream-state.v1",
                "footfall.alert-raised.v1",
                "footfall.alert-cleared.v1",
                "footfall.test.v1",
            ]
        ]
    ]
    streams: NotRequired[list[str]]
    sites: NotRequired[list[str]]
    target: KafkaTarget | MqttTarget | AlertmanagerTarget | WebhookTarget


class ZoneBody(TypedDict):
    id: str
    name: NotRequired[str]
    polygon: list[list[float]]
    dwell_min_s: NotRequired[float]
    limits: NotRequired[ZoneLimitsBody | None]


class CountsAnswer(TypedDict):
    stream: str
    start: str
    end: str
    bucket: Literal["1m", "15m", "1h", "1d"]
    tz: str
    buckets: list[CountsBucket]
    total: CountsBucket


class GeometryAnswer(TypedDict):
    lines: list[LineBody]
    zones: list[ZoneBody]
    homography: list[list[float]] | None
    version: int


class GeometryBody(TypedDict):
    lines: NotRequired[list[LineBody]]
    zones: NotRequired[list[ZoneBody]]
    homography: NotRequired[list[list[float]] | None]
    version: NotRequired[int | None]


class StreamAnswer(TypedDict):
    id: str
    name: str
    site: str
    source: dict[str, Any]
    analysis_fps: float | None
    enabled: bool
    model: str | None
    geometry: GeometryAnswer
    state: Literal["starting", "running", "reconnecting", "stopped", "failed"]
    since: str
    since_s: float
    error: str | None
    error_code: str | None
    codec: str | None
    width: int | None
    height: int | None
    fps_in: float
    fps_processed: float
    frame_age_s: float | None
    frames: int
    corrupt: int
    reconnects: int
    analysed: int
    skipped: int
    source_cpu_s: float
    analysis_cpu_s: float
    spooled: int
    rows_lost: int
    unsaved_s: float
    weight: float | None
    reader: str | None
    epoch: int


class StreamBody(TypedDict):
    name: NotRequired[str]
    site: NotRequired[str]
    source: RtspDefinition | SimulatorDefinition | KafkaDefinition | FileDefinition
    analysis_fps: NotRequired[float | None]
    enabled: NotRequired[bool]
    model: NotRequired[str | None]
    geometry: NotRequired[GeometryBody | None]


class StreamChanges(TypedDict):
    name: NotRequired[str]
    site: NotRequired[str]
    source: NotRequired[RtspDefinition | SimulatorDefinition | KafkaDefinition | FileDefinition]
    analysis_fps: NotRequired[float | None]
    enabled: NotRequired[bool]
    model: NotRequired[str | None]
    geometry: NotRequired[GeometryBody | None]
