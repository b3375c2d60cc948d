"""No password ever leaves: URLs and error texts are cleaned before anybody sees them.

Cameras take passwords in every part of a URL and under any name, so what is shown is what is known to be harmless:
scheme, host and port, a path of plain words and short numbers, the names of parameters, and the values of those
listed here.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
_URL = re.compile(r"\b(?P<scheme>[a-z][a-z0-9+._-]*://)(?P<rest>\S*)", re.IGNORECASE)
_PLACE = re.compile(r"(?P<host>[\w.:,\[\]*-]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?", re.DOTALL)
_CLOSING = "'\"`:;,.!)>]}"
"""What a sentence puts behind a URL."""
# Words, with a short number behind if they are in one case: stream1, Channels, 101, h264Preview. Not: tlJwpbo6.
_WORD = re.compile(
    r"(?:[hH]26[45]|[mM][pP]4)?"
    r"(?:[A-Z]?[a-z]{1,20}\d{0,3}|[A-Z]{1,12}\d{0,3}|[A-Z]?[a-z]{2,20}(?:[A-Z][a-z]{2,20}){1,3}|\d{1,4})?"
)
_PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{0,30}")
_SHOWN_PARAMETERS = frozenset(
    [
        *("channel", "ch", "camera", "subtype", "stream", "streamtype", "profile", "audio", "video"),
        *("proto", "transport", "transportmode", "unicast", "codec", "videocodec"),
        *("width", "height", "resolution", "size", "fps", "framerate"),
    ]
)
_SECRET = r"pass|pas|pwd|pw|psw|token|secret|key|auth|sig|sign|signature|credential|login"
# Who names a user in a path names the password beside it.
_NAMES_SOMEBODY = re.compile(
    rf"(?:^|[/_.-])(?:user|usr|admin|root|guest|{_SECRET})(?:[a-z]*)(?:$|[/_.\d-])", re.IGNORECASE
)
# Outside of URLs, such as in a request that an error text quotes.
_SECRET_PARAMETER = re.compile(rf"(?P<name>[?&;/_][a-z_-]*(?:{_SECRET})[a-z]*=)[^&;\s]*", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` with all of every URL hidden that is not known to be harmless; doing it twice changes nothing."""
    return _SECRET_PARAMETER.sub(rf"\g<name>{HIDDEN}", _URL.sub(_shown, text))


def same_but_redacted(shown: str, stored: str) -> bool:
    """Whether ``shown`` is what we show of ``stored``: a client may send back the URL that it was given."""
    return shown == redact(stored)


def without_credentials(url: str) -> str:
    """``url`` with no user part at all."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))


def _shown(url: re.Match[str]) -> str:
    # Passwords hold slashes, quotes and at signs, escaped or not: up to the last at sign, all may be one.
    _, at, rest = url["rest"].rpartition("@")
    place = rest.rstrip(_CLOSING)
    parts = _PLACE.fullmatch(place)
    assert parts is not None  # it takes anything
    shown = url["scheme"] + (HIDDEN if at else "") + at + parts["host"] + _path(parts["path"])
    if parts["query"] is not None:
        shown += "?" + "".join(map(_parameter, re.split(r"([&;])", parts["query"])))
    if parts["fragment"] is not None:
        shown += "#" + HIDDEN
    return shown + rest[len(place) :]


def _path(path: str) -> str:
    """As it is, or hidden whole: of a path that holds one secret, no segment is beyond doubt."""
    is_plain = all(map(_WORD.fullmatch, re.split(r"[/_.-]", path)))
    return path if is_plain and not _NAMES_SOMEBODY.search(path) else "/" + HIDDEN


def _parameter(text: str) -> str:
    """Of a query, or what stands between two."""
    name, equals, value = text.partition("=")
    if text in ("", "&", ";"):
        return text
    if not equals or not _PARAMETER_NAME.fullmatch(name):
        return HIDDEN
    is_plain = name.lower() in _SHOWN_PARAMETERS and re.fullmatch(r"[A-Za-z]{0,12}\d{0,4}(?:x\d{1,4})?", value)
    return f"{name}={value if is_plain else HIDDEN}"
