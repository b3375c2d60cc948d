"""Home Assistant's MQTT discovery: cameras, doors and rooms appear by themselves.

After https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery: a retained message for each entity, which says in
which topic its value is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from serve.events.sinks.ledger import Key, Place

_ORIGIN = {"name": "Footfall", "sw_version": version("footfall")}


def _on_if(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


_TOTAL = {"state_class": "total_increasing", "unit_of_measurement": "people"}
_NOW = {"state_class": "measurement", "unit_of_measurement": "people"}
_OF_ZONES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("sensor", "people", "{{ value_json.people }}", {**_NOW, "icon": "mdi:account-group"}),
    ("sensor", "entries", "{{ value_json.entries }}", {**_TOTAL, "icon": "mdi:location-enter"}),
    ("binary_sensor", "queue", _on_if("value_json.queue"), {"icon": "mdi:human-queue"}),
    ("binary_sensor", "full", _on_if("value_json.occupied"), {"icon": "mdi:account-alert"}),
)
"""Component, what it is, template, and fields of its own."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Where things are.

    Attributes:
        prefix: of all topics of one service.
        discovery: that Home Assistant looks at.
        node: of this service, among others that are discovered.
    """

    prefix: str
    discovery: str
    node: str

    @property
    def status(self) -> str:
        """``online`` or ``offline``."""
        return f"{self.prefix}/status"

    def of(self, stream: str, kind: str, name: str) -> str:
        """Retained, of a camera (``state``), a ``line`` or a ``zone``."""
        return f"{self.prefix}/{stream}/{kind}" + (f"/{name}" if name else "")

    def key_of(self, topic: str) -> Key | None:
        """What a topic of `of` is about; None for another one."""
        stream, _, rest = topic.removeprefix(self.prefix + "/").partition("/")
        kind, _, name = rest.partition("/")
        fits = (
            topic.startswith(self.prefix + "/")
            and kind in ("state", "line", "zone")
            and (kind == "state") != bool(name)
        )
        return (stream, kind, name) if fits else None

    @property
    def retained(self) -> list[str]:
        """All that is retained by this service, as filters."""
        own = [f"{self.prefix}/+/state", f"{self.prefix}/+/line/+", f"{self.prefix}/+/zone/+"]
        return [*own, self.configurations]

    def events(self, stream: str, kind: str) -> str:
        """Of events of a type."""
        return f"{self.prefix}/{stream}/events/{kind}"

    @property
    def configurations(self) -> str:
        """All discovery messages of this service, as a filter."""
        return f"{self.discovery}/+/{self.node}/+/config"


def discovery(topics: Topics, place: Place) -> dict[str, dict[str, Any]]:
    """Discovery messages of a camera, by topic."""
    return {
        f"{topics.discovery}/{component}/{topics.node}/{document['object_id']}/config": document
        for component, document in _entities(topics, place)
    }


def _entities(topics: Topics, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    connected = _entity(
        topics,
        place,
        ("state", ""),
        "connected",
        "Connection",
        _on_if("value_json.state == 'running'"),
        device_class="connectivity",
        entity_category="diagnostic",
    )
    connected["availability"] = [{"topic": topics.status}]  # where the camera is not there, this says so
    yield "binary_sensor", connected
    for line, name in place.lines.items():
        for way, icon in (("in", "mdi:location-enter"), ("out", "mdi:location-exit")):
            template = f"{{{{ value_json['{way}'] }}}}"
            about, what, called = ("line", line), f"line_{line}_{way}", f"{name} {way}"
            yield "sensor", _entity(topics, place, about, what, called, template, **_TOTAL, icon=icon)
    for zone, name in place.zones.items():
        for component, what, template, more in _OF_ZONES:
            about, known_as = ("zone", zone), f"zone_{zone}_{what}"
            yield component, _entity(topics, place, about, known_as, f"{name} {what}", template, **more)


def _entity(
    topics: Topics, place: Place, about: tuple[str, str], what: str, name: str, template: str, **more: Any
) -> dict[str, Any]:
    """The discovery message of a value.

    Args:
        topics: where things are.
        place: the camera.
        about: kind and id of what it is a value of.
        what: it is, unique for the camera.
        name: for people.
        template: that finds it in what is retained.
        more: fields of its own.
    """
    known_as = _plain(f"{place.stream}_{what}")
    device = {
        "identifiers": [f"{topics.node}_{place.stream}"],
        "name": place.name,
        "manufacturer": "Footfall",
        "model": "Camera",
        **({"suggested_area": place.site} if place.site else {}),
    }
    return {
        "name": name,
        "unique_id": f"{topics.node}_{known_as}",
        "object_id": known_as,
        "state_topic": topics.of(place.stream, *about),
        "value_template": template,
        "availability": _availability(topics, place),
        "availability_mode": "all",
        "device": device,
        "origin": _ORIGIN,
        **more,
    }


def _availability(topics: Topics, place: Place) -> list[dict[str, str]]:
    running = "{{ 'online' if value_json.state == 'running' else 'offline' }}"
    return [
        {"topic": topics.status},
        {"topic": topics.of(place.stream, "state", ""), "value_template": running},
    ]


def _plain(text: str) -> str:
    """In the characters that Home Assistant allows; what has others is told apart by a part of its checksum."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def node_of(prefix: str, sink: str) -> str:
    """Name of a service, among others that are discovered."""
    return _plain(f"{prefix}/{sink}")
