"""Which deployment reads which settings, and what of them changes without a restart; tests hold the code against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIVE = ("model", "score_threshold", "overlap_threshold")
"""Fields of the section ``detector`` that change without a restart."""
_EVERYBODY = ("log_level", "log_format")
_STORE = ("data_dir", "database_url")
_LIMITS = ("reader.open_timeout_s", "reader.read_timeout_s", "reader.stall_timeout_s", "sources")
_DETECTION = tuple(f"detector.{field}" for field in LIVE)
READS: dict[str, tuple[str, ...]] = {
    "Api": (*_EVERYBODY, *_STORE, "api", "privacy", *_LIMITS, "security", "events.networks", "monitoring.pictures"),
    "Registry": (
        *_EVERYBODY,
        *_STORE,
        "reader.heartbeat_timeout_s",
        "reader.min_fps",
        "detector.model",
        "sources",
        "security",
        "events.keep_days",
        "events.keep_most",
        "events.sites",
        "monitoring",
        "ray.metrics",
    ),
    "Deliverer": (*_EVERYBODY, *_STORE, "security", "events.networks", "events.sinks"),
    "Live": _EVERYBODY,
    "StreamReader": (
        *(*_EVERYBODY, *_STORE, *_DETECTION, "privacy", "detector.threads", "detector.max_batch"),
        *("detector.max_wait_s", "detector.timeout_s", "reader.capacity", "reader.checkpoint_s", "reader.spool_bytes"),
        *("monitoring.drift", "monitoring.timezone", "monitoring.sites", "monitoring.pictures", "ray.metrics"),
        *("monitoring.hard_frames", "monitoring.hard_frames_most", "monitoring.hard_frames_days"),
        *("monitoring.traces", "monitoring.traced_one_in"),
        *_LIMITS,
    ),
    "Detector": (*_EVERYBODY, *_DETECTION, "detector.max_batch"),
}
"""By deployment: sections or fields, as `serve.settings.Settings.to_arguments` takes them."""


def readers_of(setting: str) -> list[str]:
    """The deployments that read a setting, such as ``reader.capacity``; none if it shapes the graph or the cluster."""
    section = setting.partition(".")[0]
    return [name for name, fields in READS.items() if setting in fields or section in fields]


def user_config_of(deployment: str, named: Mapping[str, Any]) -> dict[str, Any] | None:
    """What changes of a deployment while it runs, of what wins over a replica's environment; None if nothing does.

    Never None for one that knows any: Serve does not tell replicas of what is taken away again.
    """
    fields = [field for field in LIVE if f"detector.{field}" in READS[deployment]]
    if not fields:
        return None
    return {field: value for field, value in named.get("detector", {}).items() if field in fields}


def without_live(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a replica cannot change but by a restart, of all that it is given."""
    detector = {name: value for name, value in arguments.get("detector", {}).items() if name not in LIVE}
    others = {name: value for name, value in arguments.items() if name != "detector"}
    return {**others, "detector": detector}
