"""Which deployment reads which settings; a test holds the code against it."""

from __future__ import annotations

_EVERYBODY = ("log_level", "log_format")
_STORE = ("data_dir", "database_url")
_LIMITS = ("reader.open_timeout_s", "reader.read_timeout_s", "reader.stall_timeout_s", "sources")
READS: dict[str, tuple[str, ...]] = {
    "Api": (*_EVERYBODY, *_STORE, "api", "privacy.blur_people", *_LIMITS),
    "Registry": (
        *_EVERYBODY,
        *_STORE,
        "reader.heartbeat_timeout_s",
        "reader.min_fps",
        "detector.model",
        "sources",
        "security",
    ),
    "Live": _EVERYBODY,
    "StreamReader": (
        *(*_EVERYBODY, *_STORE, "privacy", "detector.model", "detector.threads", "detector.max_batch"),
        *("detector.max_wait_s", "detector.timeout_s", "reader.capacity", "reader.checkpoint_s", "reader.spool_bytes"),
        *_LIMITS,
    ),
    "Detector": (*_EVERYBODY, "detector.model", "detector.max_batch"),
}
"""By deployment: sections or fields, as `serve.settings.Settings.to_arguments` takes them."""


def readers_of(setting: str) -> list[str]:
    """The deployments that read a setting, such as ``reader.capacity``; none if it shapes the graph or the cluster."""
    section = setting.partition(".")[0]
    return [name for name, fields in READS.items() if setting in fields or section in fields]
