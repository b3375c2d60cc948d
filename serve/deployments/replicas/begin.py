"""What every replica does first."""

from __future__ import annotations

from typing import Any

from serve import logs
from serve.deployments.arguments import settings_from
from serve.settings import Settings


def configured(arguments: dict[str, Any], origin: logs.Origin | None = None) -> Settings:
    """Settings in a replica; first thing in each, because Serve swallows our messages until logging is configured.

    Args:
        arguments: of the deployment.
        origin: knows who logs; None: nobody asks.
    """
    settings = settings_from(arguments)
    logs.configure(settings.log_level, settings.log_format, origin)
    return settings
