"""Every error as RFC 9457 problem+json; the only place that knows HTTP status codes."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from analytics.errors import GeometryError, StoreUnavailable, UnknownStream
from pipelines.errors import DetectorUnavailable, FootfallError, ModelError, SourceError
from pipelines.redaction import redact
from serve.errors import (
    BadRequest,
    DefinitionRefused,
    Forbidden,
    GeometryConflict,
    NotReady,
    PreconditionFailed,
    Unauthorized,
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
    (GeometryConflict, HTTPStatus.CONFLICT),
    (PreconditionFailed, HTTPStatus.PRECONDITION_FAILED),
    (GeometryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (BadRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DefinitionRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
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


RESPONSES = _problems(401, 403, 404, 422, 503)
"""What every route may answer."""
CHANGE_RESPONSES = _problems(409, 412, 413)
"""What a change may answer besides."""


def status_of(error: FootfallError) -> HTTPStatus:
    """The status for an error; 500 for what nobody foresaw."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    instance: str, status: HTTPStatus, code: str, detail: str, errors: list[dict[str, str]] | None = None
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
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make all errors of ``app`` problems."""

    @app.exception_handler(FootfallError)
    async def ours(request: Request, error: FootfallError) -> JSONResponse:
        status = status_of(error)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("unforeseen: %s", error, exc_info=error)
        return problem(request.url.path, status, error.code, str(error))

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
        return problem(request.url.path, status, status.phrase.lower().replace(" ", "-"), str(error.detail))

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
