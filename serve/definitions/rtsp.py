"""RTSP cameras."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipelines.redaction import without_credentials
from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.reach import Reach
from pipelines.sources.rtsp import RtspSource
from serve.definitions.base import SourceDefinition
from serve.definitions.fields import form
from serve.definitions.secretive import Secret


class RtspDefinition(SourceDefinition):
    """A camera that speaks RTSP."""

    title: ClassVar = "RTSP camera"
    live: ClassVar = True
    secrets: ClassVar = {"url": Secret.CREDENTIALS}
    belongs_to: ClassVar = ("verify_tls",)

    type: Literal["rtsp"]
    url: str = Field(
        max_length=2000,
        title="Address",
        description="rtsp:// or rtsps://, with user and password where the camera asks for them; they are never shown "
        "again.",
        json_schema_extra={
            **form(
                placeholder="rtsp://user:password@camera.example.invalid/stream1",
                needed="An address such as rtsp://camera.example.invalid/stream1 is needed.",
            ),
            "format": "uri",
        },
    )
    transport: Literal["tcp", "udp"] = Field(
        "tcp",
        title="Transport",
        json_schema_extra=form(advanced=True, labels={"tcp": "TCP (recommended)", "udp": "UDP"}),
    )
    verify_tls: bool = Field(
        False, title="Check the certificate of an rtsps camera", json_schema_extra=form(advanced=True)
    )

    @field_validator("url")
    @classmethod
    def _rtsp(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:  # its text may hold a part of the password
            raise ValueError("the URL cannot be read: special characters of a password must be escaped") from None
        if parts.scheme not in ("rtsp", "rtsps") or not host:
            raise ValueError("the URL must look like rtsp://HOST/PATH or rtsps://HOST/PATH")
        if any(character.isspace() for character in url):
            raise ValueError("the URL holds white space; in a password it must be escaped as %20")
        return url

    def opener(self, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        del stream
        return lambda: RtspSource(self.url, transport=self.transport, limits=limits, verify_tls=self.verify_tls)

    def check(self, reach: Reach) -> None:
        reach.host(urlsplit(self.url).hostname or "")

    @property
    def origin(self) -> str:
        return f"rtsp {without_credentials(self.url)}"
