"""A typed client of the REST API.

::

    with Client("http://127.0.0.1:8000") as footfall:
        footfall.put_stream("entrance", {"source": {"type": "rtsp", "url": "rtsp://camera.example.invalid/stream1"}})
        for stream in footfall.streams(state=["failed"]):
            print(stream["id"], stream["error"])
        hours = footfall.counts("entrance", start="2026-03-01", end="2026-03-02", bucket="1h", tz="Europe/Berlin")

Documents are plain dictionaries; their types, in `footfall.types`, are made from the service's OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import quote

from footfall.calls import Caller, problem_of
from footfall.types import (
    AlertRuleAnswer,
    AlertRuleBody,
    AuditEntry,
    CountsAnswer,
    DeadLetterAnswer,
    EventAnswer,
    GeometryAnswer,
    GeometryBody,
    HeatmapAnswer,
    NewToken,
    ProbeAnswer,
    ProbeBody,
    ReaderAnswer,
    Readiness,
    SinkAnswer,
    SinkBody,
    SinkType,
    SourceType,
    StreamAnswer,
    StreamBody,
    StreamChanges,
    TokenAnswer,
    TokenBody,
    ViewPicturesAnswer,
)

State: TypeAlias = Literal["starting", "running", "reconnecting", "stopped", "failed"]
Bucket: TypeAlias = Literal["1m", "15m", "1h", "1d"]
Measure: TypeAlias = Literal["dwell", "visits"]
Moment: TypeAlias = str | float
"""ISO 8601, in the time zone that is asked for unless it says another; or seconds since the epoch."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Client(Caller):
    """One service. Thread-safe; close it, or use it as a context manager.

    Every method raises `ApiProblem` if the service refuses (or something else answers in its place), `Unreachable` if
    nobody answers, and ValueError for an id that no stream can have.

    Args:
        url: of the service.
        token: if the service needs one.
        timeout_s: for one call.
        transport: for tests.
    """

    # -- streams

    def source_types(self) -> list[SourceType]:
        """Every type of source that can be registered, with the JSON Schema of its document."""
        return cast(list[SourceType], self._json("GET", "/source-types"))

    def streams(
        self,
        *,
        state: Sequence[State] = (),
        site: str | None = None,
        reader: str | None = None,
        search: str | None = None,
        page_size: int = 1000,
    ) -> Iterator[StreamAnswer]:
        """Streams by id, fetched a page at a time.

        Args:
            state: only streams in one of these.
            site: only of this site.
            reader: only those of this reader.
            search: part of the id or name.
            page_size: streams a call.
        """
        query: dict[str, Any] = {
            "state": list(state),
            "site": site,
            "reader": reader,
            "search": search,
            "limit": page_size,
        }
        yield from cast(Iterator[StreamAnswer], self._pages("/streams", query, "after"))

    def get_stream(self, stream: str) -> StreamAnswer:
        """One stream, desired and observed."""
        return cast(StreamAnswer, self._json("GET", _path(stream)))

    def stream_etag(self, stream: str) -> str:
        """Names what is wanted of a stream, for ``if_match``."""
        answer = self._call("HEAD", _path(stream))
        if "ETag" not in answer.headers:
            raise problem_of(answer)
        return answer.headers["ETag"]

    def put_stream(
        self, stream: str, body: StreamBody, *, if_match: str | None = None, only_new: bool = False
    ) -> StreamAnswer:
        """Register a stream, or change it; the same again changes nothing.

        Args:
            stream: id, chosen by you.
            body: what is wanted.
            if_match: change it only if this is its ETag.
            only_new: refuse if there is a stream with this id.
        """
        headers = _conditions(if_match) | ({"If-None-Match": "*"} if only_new else {})
        return cast(StreamAnswer, self._json("PUT", _path(stream), json=body, headers=headers))

    def patch_stream(self, stream: str, changes: StreamChanges, *, if_match: str | None = None) -> StreamAnswer:
        """Change what is named; ``source`` is replaced whole."""
        return cast(StreamAnswer, self._json("PATCH", _path(stream), json=changes, headers=_conditions(if_match)))

    def delete_stream(self, stream: str, *, purge: bool = False, if_match: str | None = None) -> None:
        """Remove a stream; with ``purge`` its counts and heatmaps too."""
        self._call("DELETE", _path(stream), params={"purge": purge}, headers=_conditions(if_match))

    def probe(self, body: ProbeBody) -> ProbeAnswer:
        """Open a source without saving it. What is wrong with the source is in the answer, not an error."""
        return cast(ProbeAnswer, self._json("POST", "/streams/probe", json=body))

    def get_geometry(self, stream: str) -> GeometryAnswer:
        """Lines and zones."""
        return cast(GeometryAnswer, self._json("GET", _path(stream, "/geometry")))

    def put_geometry(self, stream: str, body: GeometryBody) -> GeometryAnswer:
        """Draw lines and zones; with ``version``, only if nobody else was faster."""
        return cast(GeometryAnswer, self._json("PUT", _path(stream, "/geometry"), json=body))

    def snapshot(self, stream: str) -> bytes:
        """The newest frame, JPEG."""
        return self._call("GET", _path(stream, "/snapshot.jpg")).content

    def view_pictures(self, stream: str) -> ViewPicturesAnswer:
        """Which pictures there are of how it should look, and of how it did when something was found wrong."""
        return cast(ViewPicturesAnswer, self._json("GET", _pictures(stream)))

    def view_picture(self, stream: str, kind: Literal["before", "after"]) -> bytes:
        """One of them, JPEG; an `ApiProblem` if there is none."""
        return self._call("GET", _pictures(stream, f"/{kind}")).content

    # -- numbers

    def counts(
        self,
        stream: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        bucket: Bucket = "15m",
        tz: str = "UTC",
    ) -> CountsAnswer:
        """Counts of a window, in buckets of local time; what nobody saw is left out.

        Args:
            stream: id.
            start: none: a day before ``end``.
            end: none: now.
            bucket: of local time.
            tz: IANA name.
        """
        query = {"start": start, "end": end, "bucket": bucket, "tz": tz}
        return cast(CountsAnswer, self._json("GET", _path(stream, "/counts"), params=query))

    def counts_file(
        self,
        stream: str,
        form: Literal["csv", "parquet"],
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        bucket: Bucket = "15m",
        tz: str = "UTC",
    ) -> bytes:
        """The same as a table, as the content of a file."""
        query = {"start": start, "end": end, "bucket": bucket, "tz": tz, "format": form}
        return self._call("GET", _path(stream, "/counts"), params=query).content

    def heatmap(
        self,
        stream: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        measure: Measure = "dwell",
        tz: str = "UTC",
    ) -> HeatmapAnswer:
        """Where people stood in a window: person-seconds or visits per cell."""
        query = {"start": start, "end": end, "measure": measure, "tz": tz}
        return cast(HeatmapAnswer, self._json("GET", _path(stream, "/heatmap"), params=query))

    def heatmap_file(
        self,
        stream: str,
        form: Literal["png", "npz"],
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        measure: Measure = "dwell",
        tz: str = "UTC",
    ) -> bytes:
        """The same as a picture with its legend, or as arrays, as the content of a file."""
        query = {"start": start, "end": end, "measure": measure, "tz": tz, "format": form}
        return self._call("GET", _path(stream, "/heatmap"), params=query).content

    def readers(self) -> list[ReaderAnswer]:
        """Who holds the streams, and how much more they take, CPU cores."""
        return cast(list[ReaderAnswer], self._json("GET", "/readers"))

    # -- events

    def events(
        self,
        *,
        type: Sequence[str] = (),
        stream: Sequence[str] = (),
        site: Sequence[str] = (),
        since: Moment | None = None,
        after: int | None = None,
        page_size: int = 1000,
    ) -> Iterator[EventAnswer]:
        """What has happened, oldest first, fetched a page at a time, as far back as the service keeps it.

        Args:
            type: only these, such as ``footfall.crossing.v1``.
            stream: only of these.
            site: only of these.
            since: only what was captured then or later.
            after: only events with larger numbers (``sequence``).
            page_size: events a call.
        """
        query: dict[str, Any] = {
            "type": list(type),
            "stream": list(stream),
            "site": list(site),
            "since": since,
            "after": after,
            "limit": page_size,
        }
        yield from cast(Iterator[EventAnswer], self._pages("/events/history", query, "after"))

    def sink_types(self) -> list[SinkType]:
        """Every type of sink, with the JSON Schema of its target."""
        return cast(list[SinkType], self._json("GET", "/sink-types"))

    def sinks(self) -> list[SinkAnswer]:
        """Where events go by themselves, and how far they are there."""
        return cast(list[SinkAnswer], self._json("GET", "/sinks"))

    def get_sink(self, sink: str) -> SinkAnswer:
        """One sink, wanted and observed."""
        return cast(SinkAnswer, self._json("GET", _sink(sink)))

    def put_sink(
        self, sink: str, body: SinkBody, *, after: int | None = None, since: Moment | None = None
    ) -> SinkAnswer:
        """Make a sink, or change it; the same again changes nothing.

        Args:
            sink: id, chosen by you.
            body: what is wanted.
            after: number of the event after which a new one begins.
            since: time at which it begins; without either, now.
        """
        where = {"after": after, "since": since}
        return cast(SinkAnswer, self._json("PUT", _sink(sink), json=body, params=where))

    def delete_sink(self, sink: str) -> None:
        """Send nothing there any more, and forget its dead letters."""
        self._call("DELETE", _sink(sink))

    def test_sink(self, sink: str) -> None:
        """Send it an event that is a test; an `ApiProblem` says why it has not arrived."""
        self._call("POST", _sink(sink, "/test"))

    def replay_sink(self, sink: str, *, after: int | None = None, since: Moment | None = None) -> SinkAnswer:
        """Send again what came after a number or since a time; without either, all that is kept."""
        return cast(SinkAnswer, self._json("POST", _sink(sink, "/replay"), params={"after": after, "since": since}))

    def dead_letters(self, sink: str, *, page_size: int = 100) -> Iterator[DeadLetterAnswer]:
        """Events that it refused, oldest first, fetched a page at a time."""
        pages = self._pages(_sink(sink, "/dead-letters"), {"limit": page_size}, "after")
        yield from cast(Iterator[DeadLetterAnswer], pages)

    def resend_dead_letter(self, sink: str, number: int) -> None:
        """Send one again; an `ApiProblem` says why it has not arrived."""
        self._call("POST", _sink(sink, f"/dead-letters/{number:d}/resend"))

    def delete_dead_letter(self, sink: str, number: int) -> None:
        """Throw one away."""
        self._call("DELETE", _sink(sink, f"/dead-letters/{number:d}"))

    # -- alert rules

    def alert_rules(self) -> list[AlertRuleAnswer]:
        """All alert rules as they hold, and who says so."""
        return cast(list[AlertRuleAnswer], self._json("GET", "/alert-rules"))

    def put_alert_rule(self, name: str, body: AlertRuleBody) -> AlertRuleAnswer:
        """Change a rule, in place of what was changed of it over the API before."""
        return cast(AlertRuleAnswer, self._json("PUT", f"/alert-rules/{_checked(name)}", json=body))

    def delete_alert_rule(self, name: str) -> None:
        """Take back what was changed of a rule over the API; what the settings say holds."""
        self._call("DELETE", f"/alert-rules/{_checked(name)}")

    # -- access; all of it needs a token of scope admin

    def tokens(self) -> list[TokenAnswer]:
        """All tokens by name; not the tokens themselves, which are not kept."""
        return cast(list[TokenAnswer], self._json("GET", "/tokens"))

    def create_token(self, body: TokenBody) -> NewToken:
        """Make a token; its text is in this answer, and nowhere else."""
        return cast(NewToken, self._json("POST", "/tokens", json=body))

    def revoke_token(self, name: str) -> None:
        """Revoke a token; it stops working within seconds."""
        self._call("DELETE", f"/tokens/{_checked(name)}")

    def audit(self, *, page_size: int = 1000) -> Iterator[AuditEntry]:
        """Who changed what, newest first, fetched a page at a time.

        Args:
            page_size: entries a call.
        """
        query: dict[str, Any] = {"limit": page_size}
        yield from cast(Iterator[AuditEntry], self._pages("/audit", query, "before"))

    # -- the service

    def readiness(self) -> Readiness:
        """Whether the whole service works; the one answer that is no error with status 503."""
        answer = self._ask("GET", "/readyz")
        if answer.status_code not in (200, 503):
            raise problem_of(answer)
        try:
            found: Readiness = answer.json()
            _ = found["problems"]
        except (ValueError, KeyError, TypeError):
            raise problem_of(answer) from None  # something else answers, such as a proxy
        return found

    def metrics(self) -> str:
        """Prometheus text."""
        answer = self._ask("GET", "/metrics")
        if not answer.is_success:
            raise problem_of(answer)
        return answer.text


def _path(stream: str, rest: str = "") -> str:
    return f"/streams/{_checked(stream)}{rest}"


def _pictures(stream: str, rest: str = "") -> str:
    return f"/monitoring/streams/{_checked(stream)}/pictures{rest}"


def _sink(sink: str, rest: str = "") -> str:
    return f"/sinks/{_checked(sink)}{rest}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):  # also keeps "..", which would lead to another path, where it is
        raise ValueError(f"{name!r} is nobody's id or name: letters, digits, '_', '.' and '-', 64 at most")
    return quote(name, safe="")


def _conditions(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"If-Match": if_match}
