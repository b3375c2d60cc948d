"""What can go wrong in the service; a branch of the tree whose root is in `pipelines.errors`.

::

    FootfallError
    ├── SettingsError               a setting that is unknown or out of bounds
    ├── ServiceError                the service does not start
    │   └── KeyFileError              a secret's file that cannot be used
    ├── OutputError                 results that cannot be written
    ├── DefinitionRefused           a stream that asks for what this service does not have
    ├── CredentialsLost             a password whose key is gone
    ├── GeometryConflict            somebody else changed the geometry first
    ├── UnknownSink                 no sink has this id, or no dead letter this number
    ├── SinkConflict                a sink that is not the caller's to change now
    ├── NotDelivered                an event that somebody sends by hand does not arrive
    ├── PicturesNotAllowed          the operator has not allowed to keep pictures of views
    ├── NoPicture                   there is none so far
    ├── PreconditionFailed          a stream is not what the caller has seen
    ├── BadRequest                  a question that makes no sense
    ├── Malformed                   no HTTP that could be understood
    ├── Unauthorized                no token, or a wrong one
    ├── TooManyAttempts             wrong tokens, one after another       (retryable)
    ├── Forbidden                   not from here, or not with this token
    ├── TooManyWatchers             more look at a stream than can be served (retryable)
    └── NotReady                    it would be there, but is not yet     (retryable)
        └── StandsBy                  another replica has taken over: ask it (retryable)

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


class KeyFileError(ServiceError):
    """The file of a secret cannot be used."""

    code = "key-file"


class PicturesNotAllowed(FootfallError):
    """The operator has not allowed to keep pictures of views."""

    code = "pictures-not-allowed"


class NoPicture(FootfallError):
    """There is no such picture of the stream, so far."""

    code = "no-picture"


class BadRequest(FootfallError):
    """A question that makes no sense."""

    code = "bad-request"


class NotReady(FootfallError):
    """It would be there, but is not yet."""

    code = "not-ready"
    retryable = True


class StandsBy(NotReady):
    """Another replica has taken over; nothing was done. While one is replaced, Ray hands calls to either."""


class Unauthorized(FootfallError):
    """No token, or a wrong one."""

    code = "unauthorized"


class Malformed(FootfallError):
    """A request whose own parts cannot be read, such as its Host."""

    code = "malformed"


class TooManyAttempts(FootfallError):
    """Wrong tokens from one address, one after another.

    Attributes:
        retry_after_s: when the next one is looked at as if nothing had been.
    """

    code = "too-many-attempts"
    retryable = True

    def __init__(self, message: str, retry_after_s: int = 60) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyWatchers(FootfallError):
    """More people look at one stream than one registry can serve."""

    code = "too-many-watchers"
    retryable = True


class Forbidden(FootfallError):
    """Not from here, or not with this token."""

    code = "forbidden"


class GeometryConflict(FootfallError):
    """Somebody else changed the geometry in between."""

    code = "geometry-conflict"


class DefinitionRefused(FootfallError):
    """A definition asks for what this service does not have."""

    code = "definition-refused"


class CredentialsLost(FootfallError):
    """A stream's password cannot be read any more."""

    code = "credentials-lost"


class UnknownSink(FootfallError):
    """No sink has this id, or no dead letter this number."""

    code = "unknown-sink"


class SinkConflict(FootfallError):
    """The settings say what a sink is, or somebody else changes it at the same time."""

    code = "sink-conflict"


class NotDelivered(FootfallError):
    """An event that somebody sends by hand does not arrive."""

    code = "not-delivered"


class PreconditionFailed(FootfallError):
    """A stream is not what the caller has seen of it."""

    code = "precondition-failed"
