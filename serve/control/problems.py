"""What is wrong with cameras and with the service, as rules of alerts call it: a pure function of what is known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from analytics.alerts.book import SERVICE, Problem
from analytics.alerts.opening_hours import OpeningHours
from analytics.drift.causes import Cause, PeopleCause
from pipelines.sources.supervisor import StreamState
from serve.streams.drift_report import DriftReport
from serve.streams.status import StreamStatus

RULE_OF_CAUSE: Mapping[str, str] = {
    **{cause.value: f"camera-{cause.value}" for cause in Cause},
    PeopleCause.MODEL.value: "model-drift",
    PeopleCause.TRAFFIC.value: "traffic-change",
}
"""By cause of a verdict."""
PICTURE_RULES = frozenset(f"camera-{cause.value}" for cause in Cause)
MODEL, TRAFFIC = RULE_OF_CAUSE[PeopleCause.MODEL.value], RULE_OF_CAUSE[PeopleCause.TRAFFIC.value]
SILENT = "source-stalled"
OVERLOADED = "overloaded"
DETECTOR = "detector-unavailable"
_OF_SERVICE = frozenset(("store-unavailable", "store-error", OVERLOADED, DETECTOR, "no-reader"))
"""Codes that say nothing of the camera."""


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """What is known of one stream.

    Attributes:
        id: of the stream.
        enabled: whether it is to run.
        live: whether its pictures are analysed as they are taken.
        status: as it is shown.
        heard: whether that comes from a reader that was heard lately.
        hours: when its site is open.
        cores: that it takes; None until that was measured.
    """

    id: str
    enabled: bool
    live: bool
    status: StreamStatus
    heard: bool
    hours: OpeningHours
    cores: float | None = None


@dataclass(frozen=True, slots=True)
class WatchedService:
    """What is known of everything else.

    Attributes:
        store_error: why the database does not answer; None while it does.
        disks: free share of the disk of each node, by its name.
        sinks: why events do not arrive there, by id of the sink.
        minutes_lost: of each stream, since it was looked at before.
    """

    store_error: str | None = None
    disks: Mapping[str, float] = field(default_factory=dict)
    sinks: Mapping[str, str] = field(default_factory=dict)
    minutes_lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a problem.

    Attributes:
        nobody_s: seconds of opening hours without anybody.
        oldest_work_s: age of a live picture when it is analysed.
        least_disk_share: free share of a disk.
    """

    nobody_s: float
    oldest_work_s: float
    least_disk_share: float


def problems(
    streams: Iterable[WatchedStream], service: WatchedService, limits: Limits, now_s: float
) -> Iterator[Problem]:
    """All that is wrong.

    Args:
        streams: all of them.
        service: the rest.
        limits: of what is no problem.
        now_s: seconds since the epoch.
    """
    waiting = alone = 0
    for stream in streams:
        alone += stream.enabled and not stream.heard
        if stream.enabled and stream.heard:
            yield from _of_stream(stream, limits, now_s)
            waiting += stream.status.unsaved_s > 0
    if alone:
        yield Problem("no-reader", SERVICE, f"{alone} of them" if alone > 1 else "one of them")
    if service.store_error is not None:
        yield Problem("database-away", SERVICE, service.store_error)
    elif waiting:
        yield Problem("database-away", SERVICE, f"rows of {waiting} streams wait on disk")
    full = sorted((share, node) for node, share in service.disks.items() if share < limits.least_disk_share)
    if full:
        where = ", ".join(f"{node or 'this machine'} has {share:.1%} left" for share, node in full)
        yield Problem("disk-full", SERVICE, where)
    lost = {name: minutes for name, minutes in service.minutes_lost.items() if minutes > 0}
    if lost:
        yield Problem("rows-lost", SERVICE, f"{sum(lost.values())} minutes of {len(lost)} streams")
    if service.sinks:
        told = "; ".join(f"{name}: {error}" for name, error in sorted(service.sinks.items()))
        yield Problem("sink-failing", SERVICE, told)


def _of_stream(stream: WatchedStream, limits: Limits, now_s: float) -> Iterator[Problem]:
    status = stream.status
    code = status.error_code
    if code == SILENT:
        yield Problem("camera-silent", stream.id, status.error or "no picture comes")
    elif code == OVERLOADED:
        yield Problem("camera-overloaded", stream.id, status.error or "frames are skipped")
    elif code is not None and code not in _OF_SERVICE and status.state is not StreamState.RUNNING:
        yield Problem("camera-down", stream.id, status.error or code)
    if status.state is not StreamState.RUNNING:
        return
    age_s = status.frame_age_s
    if code == DETECTOR:
        yield Problem("work-too-old", stream.id, status.error or "the detector does not answer")
    elif stream.live and age_s is not None and age_s > limits.oldest_work_s:
        yield Problem("work-too-old", stream.id, f"the newest analysed picture is {age_s:.0f} s old")
    # Where nobody has said when people come, nights would be told.
    has_hours = stream.live and stream.hours.week is not None
    if has_hours and status.person_s is not None and now_s - status.person_s >= limits.nobody_s:
        alone_s = stream.hours.seconds_open(status.person_s, now_s)
        if alone_s >= limits.nobody_s:
            since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(status.person_s))
            yield Problem("nobody-seen", stream.id, f"nobody since {since} UTC: {alone_s / 3600:.1f} hours of opening")
    for verdict in status.drift.verdicts if status.drift is not None else ():
        rule = RULE_OF_CAUSE.get(verdict.cause)
        if rule is not None:
            yield Problem(rule, stream.id, verdict.detail)


def is_judged(rule: str, stream: WatchedStream | None) -> bool:
    """Whether anybody knows how things stand with a rule; if not, its alert stays as it is.

    Args:
        rule: name.
        stream: that it would be about; None: the service, or a stream that is no more.
    """
    if stream is None or not stream.enabled:
        return True
    state = stream.status.state
    if not stream.heard or state is StreamState.STARTING:
        return False
    if state is StreamState.STOPPED:  # a recording has come to its end
        return True
    running = state is StreamState.RUNNING
    drift = stream.status.drift or DriftReport()
    if rule in PICTURE_RULES:
        return running and drift.judges_pictures
    if rule == TRAFFIC:
        return running and drift.judges_traffic
    if rule == MODEL:
        return running and drift.judges_people
    return running or rule in ("camera-silent", "camera-down")
