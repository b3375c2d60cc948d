"""Writes Grafana's dashboards to deploy/monitoring/dashboards. Usage: write_dashboards.py [FOLDER]."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "deploy" / "monitoring" / "dashboards"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 24, 8
"""Of a dashboard in columns, and of a panel in rows."""


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: what it shows.
        queries: PromQL, each with what its lines are called.
        unit: as Grafana names it.
        kind: ``timeseries``, ``stat``, ``table`` or ``state-timeline``.
        text: what to make of it.
        width: columns.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    text: str = ""
    width: int = 12


@dataclass(frozen=True)
class Dashboard:
    """One page.

    Attributes:
        uid: by which others find it.
        title: of the page.
        panels: in the order in which they are read.
        variables: name, and the query that its values are of.
    """

    uid: str
    title: str
    panels: Sequence[Panel]
    variables: tuple[tuple[str, str], ...] = ()


STREAM = ("stream", "label_values(footfall_stream_state, stream)")
READER = ("reader", "label_values(footfall_reader_capacity_cores, reader)")
DASHBOARDS = (
    Dashboard(
        "footfall-overview",
        "Footfall: overview",
        (
            Panel(
                "Cameras running", (('sum(footfall_stream_state{state="running"})', "running"),), kind="stat", width=6
            ),
            Panel(
                "Cameras with a problem",
                (('sum(footfall_stream_state{state=~"failed|reconnecting"})', "troubled"),),
                kind="stat",
                width=6,
            ),
            Panel("Alerts", (("sum(footfall_alerts) or vector(0)", "alerts"),), kind="stat", width=6),
            Panel("Database", (("footfall_store_up", "up"),), kind="stat", width=6, text="1: the registry reaches it."),
            Panel(
                "Frames a second",
                (("sum(footfall_stream_fps_in)", "in"), ("sum(footfall_stream_fps_processed)", "analysed")),
            ),
            Panel(
                "Latency from capture to count",
                (
                    ('max(footfall_stream_latency_seconds{quantile="0.5"})', "half, of the slowest camera"),
                    ('max(footfall_stream_latency_seconds{quantile="0.99"})', "99 %, of the slowest camera"),
                ),
                unit="s",
            ),
            Panel(
                "Streams by state",
                (("sum by (state) (footfall_stream_state)", "{{state}}"),),
            ),
            Panel("Alerts by rule", (("sum by (rule, severity) (footfall_alerts)", "{{rule}} ({{severity}})"),)),
            Panel(
                "Frames that a newer one replaced",
                (("sum(footfall:skipped:ratio_rate5m) / count(footfall:skipped:ratio_rate5m)", "share, on average"),),
                unit="percentunit",
            ),
            Panel(
                "Broken connections an hour",
                (("sum by (reason) (rate(footfall_stream_reconnects_total[5m])) * 3600", "{{reason}}"),),
            ),
            Panel("Checkpoints on disk", (("sum(footfall_stream_spooled)", "waiting"),)),
            Panel("Requests a second", (("sum by (status) (rate(footfall_http_requests_total[5m]))", "{{status}}"),)),
        ),
    ),
    Dashboard(
        "footfall-camera",
        "Footfall: one camera",
        (
            Panel(
                "State",
                (('footfall_stream_state{stream="$stream"} > 0', "{{state}}"),),
                kind="state-timeline",
                width=24,
            ),
            Panel(
                "Frames a second",
                (
                    ('footfall_stream_fps_in{stream="$stream"}', "in"),
                    ('footfall_stream_fps_processed{stream="$stream"}', "analysed"),
                ),
            ),
            Panel("Latency", (('footfall_stream_latency_seconds{stream="$stream"}', "{{quantile}}"),), unit="s"),
            Panel(
                "Age of the newest frame", (('footfall_stream_frame_age_seconds{stream="$stream"}', "age"),), unit="s"
            ),
            Panel(
                "Skipped and corrupt frames a second",
                (
                    ('rate(footfall_stream_skipped_total{stream="$stream"}[5m])', "skipped"),
                    ('rate(footfall_stream_corrupt_total{stream="$stream"}[5m])', "corrupt"),
                ),
            ),
            Panel(
                "CPU cores",
                (
                    ('rate(footfall_stream_source_cpu_seconds_total{stream="$stream"}[5m])', "receive, decode, scale"),
                    ('rate(footfall_stream_analysis_cpu_seconds_total{stream="$stream"}[5m])', "infer, track, count"),
                    ('footfall_stream_weight_cores{stream="$stream"}', "weight"),
                ),
            ),
            Panel("Picture", (('footfall_stream_picture_feature{stream="$stream"}', "{{feature}}"),)),
        ),
        (STREAM,),
    ),
    Dashboard(
        "footfall-detector",
        "Footfall: detector",
        (
            Panel("Frames a second", (("sum by (reader) (rate(footfall_batch_frames_total[5m]))", "{{reader}}"),)),
            Panel("Frames in a batch", (("footfall:batch_fill:frames_rate5m", "{{reader}}"),)),
            Panel(
                "From submission to answer",
                (('footfall:stage:seconds_rate5m{stage="infer"}', "{{reader}}"),),
                unit="s",
                text="Of a batch that a frame is in; on detector replicas with the way there and back.",
            ),
            Panel(
                "Waiting for a place in a batch",
                (('footfall:stage:seconds_rate5m{stage="wait"}', "{{reader}}"),),
                unit="s",
            ),
            Panel(
                "Frames that wait",
                (("footfall_detector_waiting_frames", "{{reader}}"),),
                text="For a place in a batch, as of the last heartbeat.",
            ),
            Panel("Age of the oldest of them", (("footfall_detector_oldest_frame_seconds", "{{reader}}"),), unit="s"),
            Panel(
                "Latency from capture to count, of all live cameras",
                tuple(
                    (f"histogram_quantile({share}, footfall:frame_latency:bucket_rate5m)", f"{share:.0%}")
                    for share in (0.5, 0.95, 0.99)
                ),
                unit="s",
            ),
            Panel(
                "Batches without an answer, an hour",
                (("sum by (reader) (rate(footfall_batches_failed_total[5m])) * 3600", "{{reader}}"),),
            ),
            Panel(
                "Seconds a frame, by stage",
                (("avg by (stage) (footfall:stage:seconds_rate5m)", "{{stage}}"),),
                unit="s",
            ),
        ),
    ),
    Dashboard(
        "footfall-cluster",
        "Footfall: readers and moves",
        (
            Panel("Readers", (("footfall_readers", "readers"),), kind="stat", width=6),
            Panel(
                "CPU cores that streams want, and that readers take",
                (("sum(footfall_reader_wanted_cores)", "wanted"), ("sum(footfall_reader_capacity_cores)", "capacity")),
                width=18,
            ),
            Panel("How full each reader is", (("footfall:reader:fill", "{{reader}}"),), unit="percentunit"),
            Panel(
                "Moves an hour, by why", (("sum by (why) (rate(footfall_stream_moves_total[5m])) * 3600", "{{why}}"),)
            ),
            Panel("Free disk", (("footfall_reader_disk_free_ratio", "{{reader}}"),), unit="percentunit"),
            Panel(
                "Events that wait for sinks",
                (("footfall_sink_waiting_events", "{{sink}}"),),
                text="Of those that are kept; a sink that fails says why on the page.",
            ),
        ),
    ),
    Dashboard(
        "footfall-drift",
        "Footfall: drift",
        (
            Panel(
                "Cameras by what is not as it was",
                (("count by (cause) (footfall_stream_drift)", "{{cause}}"),),
                width=24,
                text="Each cause is explained, with what to do about it, on the page and in the alert.",
            ),
            Panel("Which cameras", (("footfall_stream_drift", "{{stream}}: {{cause}}"),), kind="table", width=24),
            Panel(
                "Sharpness, lowest ten",
                (('bottomk(10, footfall_stream_picture_feature{feature="sharpness"})', "{{stream}}"),),
            ),
            Panel(
                "Noise, highest ten", (('topk(10, footfall_stream_picture_feature{feature="noise"})', "{{stream}}"),)
            ),
            Panel(
                "Hidden, highest ten",
                (('topk(10, footfall_stream_picture_feature{feature="hidden"})', "{{stream}}"),),
                unit="percentunit",
            ),
            Panel(
                "Brightness, lowest ten",
                (('bottomk(10, footfall_stream_picture_feature{feature="luma"})', "{{stream}}"),),
            ),
        ),
    ),
)


def queries(dashboard: Dashboard) -> Iterator[str]:
    """All of a dashboard's, without those of its variables."""
    for panel in dashboard.panels:
        for query, _ in panel.queries:
            yield query


def document(dashboard: Dashboard) -> dict[str, Any]:
    """As Grafana reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["footfall"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(*one) for one in dashboard.variables)]},
        "links": [{"type": "dashboards", "tags": ["footfall"], "title": "Footfall", "asDropdown": True}],
        "panels": list(_placed(dashboard.panels)),
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(name: str, query: str) -> dict[str, Any]:
    found = {"query": query, "refId": name}
    return {"name": name, "type": "query", "datasource": DATASOURCE, "query": found, "refresh": 2, "sort": 1}


def _placed(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > WIDTH:
            x, y = 0, y + HEIGHT
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": HEIGHT})
        x += panel.width


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": query,
            "legendFormat": legend,
            **({"format": "table", "instant": True} if panel.kind == "table" else {}),
        }
        for index, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": None}, "overrides": []},
        "targets": targets,
    }


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        text = json.dumps(document(dashboard), indent=1)
        (folder / f"{dashboard.uid.removeprefix('footfall-')}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
