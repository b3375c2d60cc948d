"""The whole fleet at a glance: what runs, how well, and what is not as it was."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from analytics.drift.causes import Verdict
from analytics.reports.queries import iso
from pipelines.sources.supervisor import StreamState
from serve.api.dependencies import InRegistry
from serve.api.errors import RESPONSES, UNKNOWN
from serve.api.models import StreamId
from serve.api.routing import KnownParameters
from serve.api.security import Operator, Viewer
from serve.control.messages import Overview, StreamView
from serve.streams.drift_report import DriftReport

router = APIRouter(prefix="/api/v1", dependencies=[Viewer, KnownParameters], responses=RESPONSES, tags=["monitoring"])
Site = Annotated[str | None, Query(max_length=200, description="Only streams of this site.")]
_STREAM: dict[str, Any] = {
    "id": "entrance",
    "site": "Berlin",
    "state": "running",
    "since": "2026-03-01T09:00:00Z",
    "error_code": None,
    "fps_in": 14.9,
    "fps_processed": 5.0,
    "frame_age_s": 0.21,
    "skipped": 12,
    "weight": 0.09,
    "reader": "footfall#StreamReader#ab12cd",
}


class StreamThroughput(BaseModel):
    """How well one stream runs."""

    model_config = ConfigDict(json_schema_extra={"example": _STREAM})
    id: str
    site: str
    state: StreamState
    since: str = Field(description="When the state began, RFC 3339.")
    error_code: str | None
    fps_in: float = Field(description="Decoded frames a second.")
    fps_processed: float = Field(description="Analysed frames a second.")
    frame_age_s: float | None = Field(description="Age of the newest analysed frame, from its capture.")
    skipped: int = Field(description="Sampled frames that a newer one replaced, since the reader took the stream up.")
    weight: float | None = Field(description="CPU cores that it takes.")
    reader: str | None

    @classmethod
    def of(cls, view: StreamView) -> Self:
        status = view.status
        return cls(
            id=view.id,
            site=view.definition.site,
            state=status.state,
            since=iso(status.since_s),
            error_code=status.error_code,
            fps_in=status.fps_in,
            fps_processed=status.fps_processed,
            frame_age_s=status.frame_age_s,
            skipped=status.skipped,
            weight=None if view.weight is None else round(view.weight.wanted, 4),
            reader=view.reader,
        )


class Throughput(BaseModel):
    """How well everything runs."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "states": {"running": 1},
                "fps_in": 14.9,
                "fps_processed": 5.0,
                "oldest_frame_s": 0.21,
                "readers": 1,
                "capacity": 2.0,
                "wanted": 0.09,
                "store_error": None,
                "spooled": 0,
                "streams": [_STREAM],
            }
        }
    )
    states: dict[str, int] = Field(description="Streams by their state.")
    fps_in: float = Field(description="Decoded frames a second, of all streams.")
    fps_processed: float = Field(description="Analysed frames a second, of all streams.")
    oldest_frame_s: float | None = Field(description="Largest age of a newest analysed frame, of running live streams.")
    readers: int
    capacity: float = Field(description="CPU cores that readers take streams for.")
    wanted: float = Field(description="CPU cores that streams want.")
    store_error: str | None = Field(description="Why the database does not answer; none while it does.")
    spooled: int = Field(description="Checkpoints that wait on disks for the database.")
    streams: list[StreamThroughput] = Field(description="By id.")

    @classmethod
    def of(cls, views: list[StreamView], overview: Overview) -> Self:
        statuses = [view.status for view in views]
        ages_s = [
            view.status.frame_age_s
            for view in views
            if view.definition.source.live
            and view.status.state is StreamState.RUNNING
            and view.status.frame_age_s is not None
        ]
        return cls(
            states=dict(Counter(status.state.value for status in statuses)),
            fps_in=round(sum(status.fps_in for status in statuses), 2),
            fps_processed=round(sum(status.fps_processed for status in statuses), 2),
            oldest_frame_s=max(ages_s, default=None),
            readers=len(overview.readers),
            capacity=round(sum(reader.capacity for reader in overview.readers.values()), 3),
            wanted=round(sum(reader.wanted for reader in overview.readers.values()), 3),
            store_error=overview.store_error,
            spooled=sum(status.spooled for status in statuses),
            streams=[StreamThroughput.of(view) for view in views],
        )


class VerdictAnswer(BaseModel):
    """Something that is not as it was."""

    cause: str = Field(
        description="`moved`, `covered`, `dark`, `blurred`, `noisy`, `compressed`, `frozen`; `model`; `traffic`."
    )
    detail: str = Field(description="In plain words, with numbers.")
    since: str = Field(description="RFC 3339.")

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        return cls(cause=verdict.cause, detail=verdict.detail, since=iso(verdict.since_s))


class DriftAnswer(BaseModel):
    """How a stream compares with what it shows when all is well."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "entrance",
                "site": "Berlin",
                "version": 2,
                "verdicts": [
                    {
                        "cause": "moved",
                        "detail": "the scene lies elsewhere in the picture: 5.1% of the width to the right",
                        "since": "2026-03-01T09:00:00Z",
                    }
                ],
                "judges_pictures": True,
                "judges_people": False,
                "proposes_renewal": False,
                "features": {"luma": 4.6, "hidden": 0.0, "sharpness": -0.05, "noise": 0.1},
            }
        }
    )
    id: str
    site: str
    version: int = Field(description="Of the reference; one more whenever somebody says that this is the new view.")
    verdicts: list[VerdictAnswer] = Field(description="What is wrong, the cause of others first.")
    judges_pictures: bool = Field(description="Whether what is wrong with pictures would be seen by now.")
    judges_people: bool = Field(description="The same for the detector and for traffic.")
    proposes_renewal: bool = Field(description="Whether the camera has looked elsewhere for so long that it may stay.")
    features: dict[str, float] = Field(
        description="What is judged. Of pictures: `luma` (logarithm of brightness), `hidden` (share), `sharpness` and "
        "`noise` (logarithms of ratios to the reference). `people_...`: population stability index."
    )

    @classmethod
    def of(cls, view: StreamView) -> Self:
        drift = view.status.drift or DriftReport()
        return cls(
            id=view.id,
            site=view.definition.site,
            version=drift.version,
            verdicts=[VerdictAnswer.of(one) for one in drift.verdicts],
            judges_pictures=drift.judges_pictures,
            judges_people=drift.judges_people,
            proposes_renewal=drift.proposes_renewal,
            features=dict(drift.features),
        )


class MomentAnswer(BaseModel):
    """How a stream was in one minute, on average; what nobody knew is left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "start": "2026-03-01T09:00:00Z",
                "values": {"fps_in": 14.9, "fps_processed": 5.0, "frame_age_s": 0.21, "cores": 0.09, "luma": 4.6},
            }
        }
    )
    start: str = Field(description="Of the minute, RFC 3339.")
    values: dict[str, float] = Field(
        description="`fps_in`, `fps_processed`, `frame_age_s`, `cores`, and features of `/monitoring/drift`."
    )


async def _of_site(registry: InRegistry, site: str | None) -> list[StreamView]:
    return [view for view in await registry.list_streams() if site is None or view.definition.site == site]


@router.get("/monitoring/throughput")
async def get_throughput(registry: InRegistry, site: Site = None) -> Throughput:
    """What runs, and how well: all of it, and each stream."""
    return Throughput.of(await _of_site(registry, site), await registry.overview())


@router.get("/monitoring/drift")
async def get_drift(
    registry: InRegistry,
    site: Site = None,
    wrong: Annotated[bool, Query(description="Only streams with something wrong.")] = False,
) -> list[DriftAnswer]:
    """What is not as it was, by stream: camera, detector, traffic; each with its cause, and since when."""
    views = await _of_site(registry, site)
    return [DriftAnswer.of(view) for view in views if not wrong or (view.status.drift or DriftReport()).verdicts]


@router.get("/monitoring/streams/{stream}/drift", responses=UNKNOWN)
async def get_stream_drift(stream: StreamId, registry: InRegistry) -> DriftAnswer:
    """How one stream compares with what it shows when all is well."""
    return DriftAnswer.of(await registry.get_stream(stream))


@router.get("/monitoring/streams/{stream}/history", responses=UNKNOWN)
async def get_health_history(stream: StreamId, registry: InRegistry) -> list[MomentAnswer]:
    """How a stream was in the last four hours, minute by minute; less if the registry began later."""
    return [
        MomentAnswer(start=iso(moment.minute), values=dict(moment.values))
        for moment in await registry.health_history(stream)
    ]


@router.post("/streams/{stream}/reference", status_code=202, dependencies=[Operator], responses=UNKNOWN)
async def renew_reference(stream: StreamId, registry: InRegistry) -> DriftAnswer:
    """Say that what the camera shows from now on is how it should be: it was moved on purpose, or was wrong before."""
    return DriftAnswer.of(await registry.renew_reference(stream))
