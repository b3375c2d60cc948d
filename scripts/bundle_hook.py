"""Tells hatchling to put the model that `scripts/build_wheel.py` has made ready into the wheel.

Without it, as in `pip install .`, the wheel carries no model and `footfall models pull` fetches one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "FOOTFALL_BUNDLE"
INSIDE = "pipelines/models/bundled"


class BundleHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = os.environ.get(FOLDER)
        if folder and version == "standard":
            for file in sorted(Path(folder).iterdir()):
                build_data["force_include"][str(file)] = f"{INSIDE}/{file.name}"
