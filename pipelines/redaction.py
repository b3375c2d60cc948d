"""No password ever leaves: URLs and error texts are cleaned before anybody sees them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
# Passwords hold slashes, quotes and at signs, escaped or not: up to the last at sign, all but white space may be one.
_CREDENTIALS = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)
# Some cameras take them in the path: rtsp://HOST/user=admin_password=SECRET_channel=1.
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;/_][a-z]*(?:pass(?:word|wd)?|pwd|token|secret|key|auth)=)[^&;\s]*", re.IGNORECASE
)


def redact(text: str) -> str:
    """``text`` with the user part of every URL, and query parameters that look like secrets, hidden."""
    return _SECRET_PARAMETER.sub(rf"\g<name>{HIDDEN}", _CREDENTIALS.sub(rf"\g<scheme>{HIDDEN}@", text))


def same_but_redacted(shown: str, stored: str) -> bool:
    """Whether ``shown`` is what we show of ``stored``: a client may send back the URL that it was given."""
    return shown == redact(stored)


def without_credentials(url: str) -> str:
    """``url`` with no user part at all."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))
