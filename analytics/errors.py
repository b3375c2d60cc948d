"""What can go wrong with geometry and numbers; a branch of the tree whose root is in `pipelines.errors`.

::

    FootfallError
    ├── GeometryError               a line or zone that makes no sense
    ├── StoreError                  the database
    │   ├── StoreUnavailable          away, locked or full                (retryable)
    │   ├── StaleEpoch                somebody else owns the stream now
    │   └── LeaseLost                 another registry changes streams now (retryable)
    ├── UnknownStream               no stream has this id
    ├── UnknownToken                no token has this name
    └── TokenConflict               a token's name is taken, or there are too many
"""

from __future__ import annotations

from pipelines.errors import FootfallError


class GeometryError(FootfallError):
    code = "geometry-invalid"


class StoreError(FootfallError):
    code = "store-error"


class StoreUnavailable(StoreError):
    code = "store-unavailable"
    retryable = True


class StaleEpoch(StoreError):
    code = "stale-epoch"


class LeaseLost(StoreError):
    code = "not-ready"
    retryable = True


class UnknownStream(FootfallError):
    code = "unknown-stream"


class UnknownToken(FootfallError):
    code = "unknown-token"


class TokenConflict(FootfallError):
    code = "token-conflict"
