"""Every analytic there is; a new one is a module beside this one and a place in this list."""

from __future__ import annotations

from typing import Any

from analytics.counting.base import Analytic
from analytics.counting.heatmap import HEAT
from analytics.counting.lines import LINES
from analytics.counting.people import PEOPLE
from analytics.counting.zones import ZONES

ANALYTICS: tuple[Analytic[Any], ...] = (PEOPLE, LINES, ZONES, HEAT)
BY_NAME = {analytic.name: analytic for analytic in ANALYTICS}
