"""The page: static files, the same for everybody; what it shows comes over the API and needs the token there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent.parent / "web" / "static"
_HEADERS = {  # beside those of `serve.api.headers`
    "Cache-Control": "no-cache",
    # Everything comes from here; blob: and data: are pictures that were fetched with the token. uPlot and
    # Swagger UI style their parts by script, which needs no exception.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}
MODULES = "lib", "widgets", "views"
"""Folders of what the page's script imports."""
_SCRIPT = '<script type="module"'
router = APIRouter(include_in_schema=False)


@cache
def _index() -> str:
    """The page's frame, which names all modules: else a browser hears of each when it has those that import it."""
    modules = sorted(path.relative_to(STATIC) for folder in MODULES for path in (STATIC / folder).glob("*.js"))
    links = "".join(f'<link rel="modulepreload" href="static/{path.as_posix()}">\n    ' for path in modules)
    return (STATIC / "index.html").read_text().replace(_SCRIPT, links + _SCRIPT)


@router.get("/")
async def index() -> HTMLResponse:
    return HTMLResponse(_index(), headers=_HEADERS)


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers=_HEADERS)


@router.get("/favicon.ico")
async def favicon() -> RedirectResponse:
    return RedirectResponse("/static/icon.svg")


class _Revalidated(StaticFiles):
    """Static files that a browser asks about before it uses its copy: modules of two versions do not mix."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.update(_HEADERS)
        return answer


def install(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/static", _Revalidated(directory=STATIC), name="static")
