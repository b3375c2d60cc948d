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
    stream = place.stream
    device = {
        "identifiers": [f"{topics.node}_{stream}"],
        "name": place.name,
        "manufacturer": "Footfall",
        "model": "Camera",
        **({"suggested_area": place.site} if place.site else {}),
    }

    def entity(what: str, name: str, topic: str, template: str, **more: Any) -> dict[str, Any]:
        known_as = _plain(f"{stream}_{what}")
        return {
            "name": name,
            "unique_id": f"{topics.node}_{known_as}",
            "object_id": known_as,
            "state_topic": topic,
            "value_template": template,
            "availability": _availability(topics, place),
            "availability_mode": "all",
            "device": device,
            "origin": _ORIGIN,
            **more,
        }

    connected = entity(
        "connected",
        "Connection",
        topics.of(stream, "state", ""),
        _on_if("value_json.state == 'running'"),
        device_class="connectivity",
        entity_category="diagnostic",
    )
    connected["availability"] = [{"topic": topics.status}]  # where the camera is not there, this says so
    yield "binary_sensor", connected
    for line, name in place.lines.items():
        topic = topics.of(stream, "line", line)
        for way in ("in", "out"):
            yield (
                "sensor",
                entity(
                    f"line_{line}_{way}",
                    f"{name} {way}",
                    topic,
                    f"{{{{ value_json['{way}'] }}}}",
                    state_class="total_increasing",
                    unit_of_measurement="people",
                    icon="mdi:location-enter" if way == "in" else "mdi:location-exit",
                ),
            )
    for zone, name in place.zones.items():
        topic = topics.of(stream, "zone", zone)
        yield (
            "sensor",
            entity(
                f"zone_{zone}_people",
                f"{name} people",
                topic,
                "{{ value_json.people }}",
                state_class="measurement",
                unit_of_measurement="people",
                icon="mdi:account-group",
            ),
        )
        yield (
            "sensor",
            entity(
                f"zone_{zone}_entries",
                f"{name} entries",
                topic,
                "{{ value_json.entries }}",
                state_class="total_increasing",
                unit_of_measurement="people",
                icon="mdi:location-enter",
            ),
        )
        yield (
            "binary_sensor",
            entity(f"zone_{zone}_queue", f"{name} queue", topic, _on_if("value_json.queue"), icon="mdi:human-queue"),
        )
        yield (
            "binary_sensor",
            entity(f"zone_{zone}_full", f"{name} full", topic, _on_if("value_json.occupied"), icon="mdi:account-alert"),
        )


def _availability(topics: Topics, place: Place) -> list[dict[str, str]]:
    running = "{{ 'online' if value_json.state == 'running' else 'offline' }}"
    return [
        {"topic": topics.status},
        {"topic": topics.of(place.stream, "state", ""), "value_template": running},
    ]


def _on_if(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def _plain(text: str) -> str:
    """In the characters that Home Assistant allows; what has others is told apart by a part of its checksum."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def node_of(prefix: str, sink: str) -> str:
    """Name of a service, among others that are discovered."""
    return _plain(f"{prefix}/{sink}")
