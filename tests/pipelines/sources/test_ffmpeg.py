from __future__ import annotations

import errno

import av.error
import pytest

from pipelines.errors import (
    SourceDisconnected,
    SourceError,
    SourceNotFound,
    SourceStalled,
    SourceUnauthorized,
    SourceUnreachable,
    SourceUnsupported,
)
from pipelines.sources.ffmpeg import translate

URL = "rtsp://admin:hunter2@10.0.0.1/stream"


def ffmpeg(kind: type[av.error.FFmpegError], code: int = 1) -> av.error.FFmpegError:
    return kind(code, f"what FFmpeg says about {URL}", URL)


@pytest.mark.parametrize(
    ("error", "opening", "kind"),
    [
        (ffmpeg(av.error.HTTPUnauthorizedError), True, SourceUnauthorized),
        (ffmpeg(av.error.HTTPForbiddenError), True, SourceUnauthorized),
        (ffmpeg(av.error.HTTPNotFoundError), True, SourceNotFound),
        (FileNotFoundError(errno.ENOENT, "none"), True, SourceNotFound),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True, SourceUnreachable),
        (OSError(errno.EHOSTUNREACH, "no route"), True, SourceUnreachable),
        (OSError(errno.EIO, f"DNS of {URL}"), True, SourceUnreachable),
        (TimeoutError(errno.ETIMEDOUT, "late"), True, SourceUnreachable),
        (TimeoutError(errno.ETIMEDOUT, "late"), False, SourceStalled),
        (ffmpeg(av.error.ExitError), True, SourceUnreachable),
        (ffmpeg(av.error.ExitError), False, SourceStalled),
        (ConnectionResetError(errno.ECONNRESET, "reset"), False, SourceDisconnected),
        (BrokenPipeError(errno.EPIPE, "pipe"), False, SourceDisconnected),
        (ffmpeg(av.error.EOFError), False, SourceDisconnected),
        (ffmpeg(av.error.InvalidDataError), True, SourceUnsupported),
        (ffmpeg(av.error.InvalidDataError), False, SourceDisconnected),
        (ffmpeg(av.error.DecoderNotFoundError), True, SourceUnsupported),
        (ffmpeg(av.error.ProtocolNotFoundError), True, SourceUnsupported),
        (IsADirectoryError(errno.EISDIR, "folder"), True, SourceUnsupported),
        (PermissionError(errno.EACCES, "no"), True, SourceUnauthorized),
        (ffmpeg(av.error.UnknownError), False, SourceDisconnected),
    ],
)
def test_every_error_is_told_in_our_words_and_without_the_password(
    error: Exception, opening: bool, kind: type[SourceError]
) -> None:
    told = translate(error, URL, opening=opening)
    assert type(told) is kind
    assert "hunter2" not in str(told)
    assert "10.0.0.1/stream" in str(told)
