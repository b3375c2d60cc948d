"""Calls of the REST API, and what comes back instead of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

_PREFIX = "/api/v1"


class ApiProblem(Exception):
    """The service refused; an RFC 9457 problem.

    Attributes:
        status: of the HTTP answer.
        code: stable and machine-readable, such as ``unknown-stream``.
        detail: what is wrong, for people.
        errors: fields that are wrong, each with ``field`` and ``message``.
    """

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status, self.code, self.detail, self.errors = status, code, detail, tuple(errors)


class Unreachable(Exception):
    """Nobody answers at the address, or not in time."""


class Caller:
    """What every method of the client is made of; see `footfall.client.Client` for arguments and errors."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pages(self, path: str, query: dict[str, Any], cursor: str) -> Iterator[Any]:
        """All of a list, a page at a time, as far as the service names a next one."""
        while True:
            answer = self._call("GET", path, params=query)
            yield from _document(answer)
            following = httpx.URL(answer.links.get("next", {}).get("url", "")).params.get(cursor)
            if following is None or following == query.get(cursor):
                return
            query = {**query, cursor: following}

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return _document(self._call(method, path, **options))

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._ask(method, _PREFIX + path, **options)
        if not answer.is_success:
            raise problem_of(answer)
        return answer

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        if "params" in options:
            options["params"] = {key: value for key, value in options["params"].items() if value is not None}
        try:
            return self._http.request(method, path, **options)
        except httpx.RequestError as error:
            url = self._http.base_url.copy_with(username=None, password=None)
            raise Unreachable(f"{url} does not answer: {type(error).__name__}") from error


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise problem_of(answer) from None  # something else answers, such as a proxy


def problem_of(answer: httpx.Response) -> ApiProblem:
    """Whatever came: a problem of ours, or what a proxy in between made of it."""
    try:
        body = answer.json()
        code = str(body["type"]).rpartition(":")[2]
        return ApiProblem(answer.status_code, code, str(body["detail"]), body.get("errors") or ())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiProblem(answer.status_code, "no-problem-document", answer.reason_phrase or "an unknown answer")
