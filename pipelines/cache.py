"""Where downloaded and rendered things are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir(*parts: str) -> Path:
    """The folder for cached files, or one inside it.

    Nothing is created. The first that is set wins: ``$FOOTFALL_CACHE``, ``$XDG_CACHE_HOME/footfall``,
    ``~/.cache/footfall`` (XDG Base Directory Specification: a relative ``XDG_CACHE_HOME`` is ignored).

    Args:
        *parts: names below the cache folder, such as ``"models"``.
    """
    own = os.environ.get("FOOTFALL_CACHE")
    if own:
        return Path(own).expanduser().joinpath(*parts)
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = xdg if xdg.is_absolute() else Path.home() / ".cache"
    return root.joinpath("footfall", *parts)
