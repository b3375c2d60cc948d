"""What can go wrong in the service; a branch of the tree whose root is in `pipelines.errors`.

::

    FootfallError
    ├── SettingsError               a setting that is unknown or out of bounds
    ├── ServiceError                the service does not start
    ├── OutputError                 results that cannot be written
    ├── DefinitionRefused           a stream that asks for what this service does not have
    ├── GeometryConflict            somebody else changed the geometry first
    ├── PreconditionFailed          a stream is not what the caller has seen
    ├── BadRequest                  a question that makes no sense
    ├── Unauthorized                no token, or a wrong one
    ├── Forbidden                   not from here
    └── NotReady                    it would be there, but is not yet     (retryable)

Which HTTP status each of them becomes is known to `serve.api.errors` alone.
"""

from __future__ import annotations

from pipelines.errors import FootfallError


class OutputError(FootfallError):
    """Results cannot be written."""

    code = "output-error"


class SettingsError(FootfallError):
    """The settings make no sense; the message lists each field."""

    code = "settings-invalid"


class ServiceError(FootfallError):
    """The service does not start."""

    code = "service-error"


class BadRequest(FootfallError):
    """A question that makes no sense."""

    code = "bad-request"


class NotReady(FootfallError):
    """It would be there, but is not yet."""

    code = "not-ready"
    retryable = True


class Unauthorized(FootfallError):
    """No token, or a wrong one."""

    code = "unauthorized"


class Forbidden(FootfallError):
    """Not from here."""

    code = "forbidden"


class GeometryConflict(FootfallError):
    """Somebody else changed the geometry in between."""

    code = "geometry-conflict"


class DefinitionRefused(FootfallError):
    """A definition asks for what this service does not have."""

    code = "definition-refused"


class PreconditionFailed(FootfallError):
    """A stream is not what the caller has seen of it."""

    code = "precondition-failed"
