"""Every error as RFC 9457 problem+json; the only place that knows HTTP status codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from analytics.errors import (
    AlertRuleInvalid,
    GeometryError,
    SilenceInvalid,
    StoreUnavailable,
    TokenConflict,
    UnknownAlert,
    UnknownAlertRule,
    UnknownSilence,
    UnknownStream,
    UnknownToken,
)
from pipelines.errors import DetectorUnavailable, FootfallError, ModelError, SourceError
from pipelines.redaction import redact
from serve.api.headers import SECURITY
from serve.api.routing import allowed_methods
from serve.errors import (
    BadRequest,
    DefinitionRefused,
    Forbidden,
    GeometryConflict,
    KeyFileError,
    Malformed,
    NoPicture,
    NotDelivered,
    NotReady,
    PicturesNotAllowed,
    PreconditionFailed,
    SinkConflict,
    TooManyAttempts,
    TooManyWatchers,
    Unauthorized,
    UnknownSink,
)

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}


class Problem(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:footfall:problem:unknown-stream",
                "title": "Not Found",
                "status": 404,
                "detail": "there is no stream 'entrance'",
                "instance": "/api/v1/streams/entrance",
            }
        }
    )
    type: str = Field(description="Stable name of the problem.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, for people; never holds a password.")
    instance: str
    errors: list[dict[str, str]] | None = Field(None, description="Fields that are wrong, where there are any.")


_STATUS: tuple[tuple[type[FootfallError], HTTPStatus], ...] = (
    (UnknownStream, HTTPStatus.NOT_FOUND),
    (UnknownToken, HTTPStatus.NOT_FOUND),
    (UnknownSink, HTTPStatus.NOT_FOUND),
    (UnknownAlert, HTTPStatus.NOT_FOUND),
    (UnknownAlertRule, HTTPStatus.NOT_FOUND),
    (UnknownSilence, HTTPStatus.NOT_FOUND),
    (PicturesNotAllowed, HTTPStatus.NOT_FOUND),
    (NoPicture, HTTPStatus.NOT_FOUND),
    (GeometryConflict, HTTPStatus.CONFLICT),
    (TokenConflict, HTTPStatus.CONFLICT),
    (SinkConflict, HTTPStatus.CONFLICT),
    (NotDelivered, HTTPStatus.BAD_GATEWAY),
    (PreconditionFailed, HTTPStatus.PRECONDITION_FAILED),
    (GeometryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (AlertRuleInvalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SilenceInvalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Malformed, HTTPStatus.BAD_REQUEST),
    (BadRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DefinitionRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (TooManyWatchers, HTTPStatus.SERVICE_UNAVAILABLE),
    (KeyFileError, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotReady, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (DetectorUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the ``responses`` of routes."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


OPEN_RESPONSES = _problems(400, 422)
"""What any route may answer: a Host that cannot be read, a parameter that nobody knows."""
RESPONSES = OPEN_RESPONSES | _problems(401, 403, 429, 503)
"""What a route that needs a token may answer."""
UNKNOWN = _problems(404)
"""There is nothing of that name."""
BODY_RESPONSES = _problems(413)
"""What a route that reads a body may answer besides."""
CONFLICT = _problems(409)
"""Somebody was faster."""
UNDELIVERED = _problems(502)
"""The receiver did not take it."""
PRECONDITION = _problems(412)
"""What a route with If-Match or If-None-Match may answer besides."""


def status_of(error: FootfallError) -> HTTPStatus:
    """The status for an error; 500 for what nobody foresaw."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    instance: str,
    status: HTTPStatus,
    code: str,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer itself."""
    body = Problem(
        type=f"urn:footfall:problem:{code}",
        title=status.phrase,
        status=status,
        detail=redact(detail),
        instance=instance,
        errors=errors,
    )
    # Said here too, not only on the way out: what nobody foresaw is answered outside of everything.
    headers = {**SECURITY, **(headers or {})}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def answer(instance: str, error: FootfallError) -> JSONResponse:
    """The answer to one of our own errors."""
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unforeseen: %s", error, exc_info=error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyAttempts) else None
    return problem(instance, status, error.code, str(error), headers=headers)


def install(app: FastAPI) -> None:
    """Make all errors of ``app`` problems."""

    @app.exception_handler(FootfallError)
    async def ours(request: Request, error: FootfallError) -> JSONResponse:
        return answer(request.url.path, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = _fields(error.errors())
        detail = "; ".join(f"{f['field']}: {f['message']}" for f in fields)
        return problem(request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, fields)

    @app.exception_handler(ValidationError)
    async def inconsistent(request: Request, error: ValidationError) -> JSONResponse:
        fields = _fields(error.errors())
        detail = "; ".join(f"{f['field']}: {f['message']}" for f in fields)
        return problem(request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, fields)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        headers = dict(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed_methods(request) or headers.get("Allow", "")
        code = getattr(error, "code", None) or status.phrase.lower().replace(" ", "-")
        return problem(request.url.path, status, code, str(error.detail), headers=headers)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        logger.error("unforeseen", exc_info=error)
        return problem(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something went wrong in here")


def _fields(errors: Any) -> list[dict[str, str]]:
    """Pydantic's findings without the input, which may hold a password."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"] if part not in ("body", "query")) or "body",
            "message": redact(str(error["msg"]).removeprefix("Value error, ")),
        }
        for error in errors
    ]
