"""Holds discovery messages against Home Assistant's own schemas; run by a Python that has Home Assistant.

Reads ``{"configurations": {topic: document}, "retained": {topic: text}}``, and writes what each entity would show.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import jinja2
from homeassistant.components.mqtt import binary_sensor, sensor

SCHEMAS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}


def shown(template: str | None, text: str) -> str:
    if template is None:
        return text
    return jinja2.Template(template).render(value=text, value_json=json.loads(text))


def main() -> None:
    given = json.load(sys.stdin)
    found: dict[str, Any] = {}
    for topic, document in given["configurations"].items():
        component = topic.split("/")[1]
        checked = SCHEMAS[component](document)  # raises what is wrong
        unknown = document.keys() - {str(key) for key in checked}  # what the schema has thrown away
        retained = given["retained"]
        found[document["unique_id"]] = {
            "unknown": sorted(unknown),
            "state": shown(document["value_template"], retained[document["state_topic"]]),
            "available": [shown(one.get("value_template"), retained[one["topic"]]) for one in document["availability"]],
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
