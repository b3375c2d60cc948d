"""What PyAV raises, in our words; the one place that knows."""

from __future__ import annotations

import errno

import av.error

from pipelines.errors import (
    SourceDisconnected,
    SourceError,
    SourceNotFound,
    SourceStalled,
    SourceUnauthorized,
    SourceUnreachable,
    SourceUnsupported,
)
from pipelines.redaction import redact

_UNREACHABLE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}


def translate(error: Exception, where: str, *, opening: bool) -> SourceError:
    """A source error for what FFmpeg said.

    Args:
        error: as raised by PyAV.
        where: the URL or path; redacted here.
        opening: True while connecting, False once frames have flowed: the same error then means something else.
    """
    place = redact(where)
    number = getattr(error, "errno", None)
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return SourceUnauthorized(f"{place} refuses the user name or password")
    if isinstance(error, (av.error.HTTPNotFoundError, FileNotFoundError)):
        return SourceNotFound(f"{place} does not exist")
    if isinstance(error, (TimeoutError, av.error.ExitError)):
        if opening:
            return SourceUnreachable(f"{place} did not answer in time")
        return SourceStalled(f"{place} is connected but sends nothing")
    if isinstance(error, IsADirectoryError):
        return SourceUnsupported(f"{place} is a directory")
    if isinstance(error, PermissionError):
        return SourceUnauthorized(f"{place} may not be read: permission denied")
    if isinstance(
        error, (av.error.DecoderNotFoundError, av.error.ProtocolNotFoundError, av.error.DemuxerNotFoundError)
    ):
        return SourceUnsupported(f"{place}: no decoder or protocol for it")
    if number in _UNREACHABLE or isinstance(error, ConnectionRefusedError):
        return SourceUnreachable(f"nobody answers at {place}")
    if isinstance(error, (ConnectionError, EOFError)):
        return SourceDisconnected(f"{place} closed the connection")
    if isinstance(error, av.error.InvalidDataError):
        if opening:
            return SourceUnsupported(f"{place} is no video that can be read")
        return SourceDisconnected(f"{place} sent data that cannot be read")
    if opening:
        return SourceUnreachable(f"{place} cannot be reached: {redact(str(error))}")
    return SourceDisconnected(f"{place} broke off: {redact(str(error))}")
