"""What the API stands on, so that it can be tested without a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from pipelines.errors import FootfallError
from serve.errors import NotReady

SNAPSHOT_WAIT_S = 4.0


class Directory(Protocol):
    """The registry, as the API sees it; see `serve.control.registry.Registry`."""

    async def list_streams(self) -> list[dict[str, Any]]: ...

    async def get_stream(self, stream: str) -> dict[str, Any]: ...

    async def put_stream(
        self, stream: str, document: dict[str, Any], geometry: dict[str, Any] | None
    ) -> tuple[dict[str, Any], bool]: ...

    async def patch_stream(
        self, stream: str, changes: dict[str, Any], geometry: dict[str, Any] | None
    ) -> dict[str, Any]: ...

    async def delete_stream(self, stream: str, purge: bool) -> None: ...

    async def put_geometry(self, stream: str, geometry: dict[str, Any], version: int | None) -> dict[str, Any]: ...

    async def overview(self) -> dict[str, Any]: ...

    def watch(self, stream: str) -> AsyncIterator[Mapping[str, Any]]: ...


class RemoteDirectory:
    """The registry over its deployment handle: errors come back as what they were.

    Args:
        handle: of the registry; calls go by value, they are small.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle.options(_by_reference=False)
        self._watch = handle.options(method_name="watch", stream=True, _by_reference=False)

    async def list_streams(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._call("list_streams")
        return found

    async def get_stream(self, stream: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._call("get_stream", stream)
        return found

    async def put_stream(
        self, stream: str, document: dict[str, Any], geometry: dict[str, Any] | None
    ) -> tuple[dict[str, Any], bool]:
        view, created = await self._call("put_stream", stream, document, geometry)
        return view, created

    async def patch_stream(
        self, stream: str, changes: dict[str, Any], geometry: dict[str, Any] | None
    ) -> dict[str, Any]:
        view: dict[str, Any] = await self._call("patch_stream", stream, changes, geometry)
        return view

    async def delete_stream(self, stream: str, purge: bool) -> None:
        await self._call("delete_stream", stream, purge)

    async def put_geometry(self, stream: str, geometry: dict[str, Any], version: int | None) -> dict[str, Any]:
        view: dict[str, Any] = await self._call("put_geometry", stream, geometry, version)
        return view

    async def overview(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._call("overview")
        return found

    async def watch(self, stream: str) -> AsyncIterator[Mapping[str, Any]]:
        calls = self._watch.remote(stream)
        try:
            async for payload in calls:
                yield payload
        except (RayError, RayServeException, FootfallError) as error:
            raise _ours(error) from error
        finally:
            with suppress(Exception):
                calls.cancel()  # ending the loop does not end the call

    async def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return await getattr(self._handle, method).remote(*arguments)
        except (RayError, RayServeException, FootfallError) as error:
            raise _ours(error) from error


def _ours(error: Exception) -> Exception:
    """The error that the registry raised, out of its wrapping."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, (RayError, RayServeException)):
        return NotReady("the registry does not answer; it is restarting")
    return cause if isinstance(cause, Exception) else NotReady("the registry does not answer")


async def newest_frame(directory: Directory, stream: str, wait_s: float = SNAPSHOT_WAIT_S) -> Mapping[str, Any]:
    """The next live frame of a stream.

    Raises:
        UnknownStream: no such stream.
        NotReady: none came in time, with the reason as far as it is known.
    """
    frames = directory.watch(stream)
    try:
        async with asyncio.timeout(wait_s):
            async for frame in frames:
                return frame
    except TimeoutError:
        pass
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()
    view = await directory.get_stream(stream)
    raise NotReady(
        f"no picture of {stream!r} yet: it is {view['state']}" + (f", {view['error']}" if view["error"] else "")
    )
