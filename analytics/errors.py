"""What can go wrong with geometry, alerts and numbers; a branch of the tree whose root is in `pipelines.errors`.

::

    FootfallError
    ├── GeometryError               a line or zone that makes no sense
    ├── OpeningHoursInvalid         hours that make no sense
    ├── AlertRuleInvalid            an alert rule that does not exist, or cannot be so
    ├── SilenceInvalid              a silence that is over, too long, or one too many
    ├── UnknownAlert                no alert that is on has this id
    ├── UnknownAlertRule            no alert rule has this name
    ├── UnknownSilence              no silence has this id
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


class OpeningHoursInvalid(FootfallError):
    code = "opening-hours-invalid"


class AlertRuleInvalid(FootfallError):
    code = "alert-rule-invalid"


class SilenceInvalid(FootfallError):
    code = "silence-invalid"


class UnknownAlert(FootfallError):
    code = "unknown-alert"


class UnknownAlertRule(FootfallError):
    code = "unknown-alert-rule"


class UnknownSilence(FootfallError):
    code = "unknown-silence"


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
